# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the pages that the services and the controller show."""

from __future__ import annotations

import pkgutil


def read_page_file(package: str, name: str) -> bytes:
    """Return a file that lies in a package.

    The loader is asked, not the file system: an installed server runs out of an archive.
    """
    content = pkgutil.get_data(package, name)
    if content is None:
        raise FileNotFoundError(name)
    return content


def read_style(package: str, name: str) -> str:
    """Return a style sheet without the comment that it begins with."""
    text = read_page_file(package, name).decode()
    return text.partition("*/\n\n")[2] if text.startswith("/*") else text


def read_tokens() -> str:
    """Return the colours and fonts that all pages share, as CSS."""
    return read_style(__package__ or __name__.rpartition(".")[0], "tokens.css")
