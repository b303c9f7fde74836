# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request page's templates: HTML without script. All values are escaped except our own style sheet."""

from __future__ import annotations

import base64
import functools
import hashlib
from typing import Any

from ...page_files import read_page_file, read_style, read_tokens

_TEMPLATES = ("base.html", "form.html", "result.html")
ICON = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#24618e"/>'
    b'<path d="M4 8.2l2.7 2.7L12 5.6" fill="none" stroke="#fff" stroke-width="2"/></svg>\n'
)


@functools.lru_cache(maxsize=1)
def _style() -> str:
    return read_tokens() + read_style(__package__ or __name__.rpartition(".")[0], "page_files/request.css")


@functools.lru_cache(maxsize=1)
def policy() -> str:
    """Return the page's Content-Security-Policy: its own style sheet, the icon, and forms to its own origin."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


@functools.lru_cache(maxsize=1)
def _loader() -> Any:
    from tornado.template import DictLoader

    package = __package__ or __name__.rpartition(".")[0]
    files = {name: read_page_file(package, f"page_files/{name}").decode() for name in _TEMPLATES}
    return DictLoader(files, whitespace="all")


def render(name: str, **values: Any) -> bytes:
    """Render a page."""
    page: bytes = _loader().load(f"{name}.html").generate(style=_style(), **values)
    return page
