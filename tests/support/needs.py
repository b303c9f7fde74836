# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a test needs of the machine. Where CI is set it is not skipped for lack of it, but fails."""

from __future__ import annotations

import os
import shutil

import pytest


def _needs(is_there: bool, reason: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not is_there and "CI" not in os.environ, reason=reason)


def needs_command(name: str, package: str) -> pytest.MarkDecorator:
    """Skip a test whose message names a command of a package that is not installed here."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    return _needs(shutil.which(name, path=path) is not None, f"the command '{name}' of {package} is run as printed")


needs_root = _needs(os.geteuid() == 0, "only root may give files to another user, or become one")
