# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The static files of our web pages and reports."""

from __future__ import annotations

import pkgutil


def read_page_file(package: str, name: str) -> bytes:
    """Return the content of a file in a package.

    This uses the package's loader, because an installed server runs from an archive.
    """
    content = pkgutil.get_data(package, name)
    if content is None:
        raise FileNotFoundError(name)
    return content


def read_style(package: str, name: str) -> str:
    """Return a style sheet without its leading comment."""
    text = read_page_file(package, name).decode()
    return text.partition("*/\n\n")[2] if text.startswith("/*") else text


def read_tokens() -> str:
    """Return the CSS with the colours and fonts of all pages."""
    return read_style(__package__ or __name__.rpartition(".")[0], "tokens.css")
