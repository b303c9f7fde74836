# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The console: a page on the management port that shows the overview and refreshes itself.

Its files are in ``console_files``. It reads ``/v1/overview``, ``/v1/status`` and ``/v1/history``, with a filter also
``/v1/clients``, because the overview has only the newest clients. It makes no other request.
"""

from __future__ import annotations

import html
import ipaddress
import re
import socket
from collections.abc import Iterable
from typing import Any

from ..page_files import read_page_file, read_tokens

FILES = {
    "index.html": "text/html; charset=utf-8",
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "parts.js": "text/javascript; charset=utf-8",
}
HEADERS = {
    # The last three directives do not fall back to default-src.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Browsers revalidate with the ETag, so that an upgraded server shows its new page at once.
    "Cache-Control": "no-cache",
}
_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:\s]+))(?::\d{1,5})?")


def routes() -> list[Any]:
    """Return tornado's URL specifications of the page and its files. They allow GET and HEAD."""
    from tornado.routing import URLSpec

    from .http import read_only_handler

    class File(read_only_handler()):  # type: ignore[misc]  # the base is created at run time
        """One file of the page."""

        def initialize(self, name: str) -> None:
            self.name = name

        def set_default_headers(self) -> None:
            for header, value in HEADERS.items():
                self.set_header(header, value)

        def get(self) -> None:
            self.set_header("Content-Type", FILES[self.name])
            self.write(contents[self.name])

        head = get

    contents = {name: _content(name) for name in FILES}
    return [URLSpec(re.escape("/" if name == "index.html" else f"/{name}"), File, {"name": name}) for name in FILES]


def machine_names() -> frozenset[str]:
    """Return this machine's full and short name, in lower case. No name server is asked."""
    name = socket.gethostname().lower().rstrip(".")
    return frozenset({name, name.partition(".")[0]} - {""})


def is_expected_host(host_header: str | None, names: Iterable[str]) -> bool:
    """Whether a Host header names this machine: by IP address, as localhost, or by one of its names.

    This check prevents DNS rebinding: a foreign web page could change its own name's address to this machine's, and
    read the management port through a visitor's browser. Such a request has that foreign name in Host.

    :param host_header: the request's Host header; None is refused, because every browser sends it
    :param names: this machine's names: from :func:`machine_names`, and those that the configuration allows
    """
    match = _HOST.fullmatch(host_header or "")
    if match is None:
        return False
    name = (match["v6"] or match["name"]).lower()
    try:
        return ipaddress.ip_address(name).version == (6 if match["v6"] else 4)
    except ValueError:
        return match["v6"] is None and name.rstrip(".") in {"localhost", *names}


def _content(name: str) -> bytes:
    content = read_page_file(__package__ or __name__.rpartition(".")[0], f"console_files/{name}")
    if name == "console.css":
        return read_tokens().encode() + content
    if name == "index.html":
        return content.replace(b"{{ host }}", html.escape(socket.gethostname()).encode())
    return content
