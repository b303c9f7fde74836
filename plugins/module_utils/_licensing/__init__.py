# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The licensing core: a license server, its manager, and an activation authority.

A file imports only from floors below its own; docs/design.md has the table of floors.
"""

from __future__ import annotations

import sys

VERSION = "0.1.0"

# Every module and command imports this file first. Without this check, an older Python fails with a syntax error.
if sys.version_info < (3, 9):  # noqa: UP036
    raise ImportError(
        f"Python 3.9 or newer is needed on the host; {sys.executable} is {sys.version.split()[0]}. "
        "Install a newer Python and set ansible_python_interpreter to it."
    )
