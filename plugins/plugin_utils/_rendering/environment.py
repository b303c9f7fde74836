# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The templates of the self-contained pages."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.aims.licensing.plugins.module_utils._licensing.page_files import read_tokens
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

ENVIRONMENT = Environment(
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
)
# Our own style sheet, not a value: it is part of the page as it is.
ENVIRONMENT.globals["tokens"] = Markup(read_tokens())  # noqa: S704
