# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The console: one page on the management port that shows the overview and keeps itself up to date.

The page and its files lie below ``console_files``. It reads ``/v1/overview``, ``/v1/status`` and, where a filter looks
for clients that the overview leaves out, ``/v1/clients``; it sends nothing else and fetches from nowhere else.
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
    # The three directives at the end do not fall back to default-src.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Asked for anew with its Etag each time, so that an upgraded server shows its own page at once.
    "Cache-Control": "no-cache",
}
_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:\s]+))(?::\d{1,5})?")


def routes() -> list[Any]:
    """Return tornado's URL specifications of the page and its files: GET and HEAD, anything else is a 405."""
    from tornado.routing import URLSpec

    from .http import reader

    class File(reader()):  # type: ignore[misc]  # made where it is called
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
    """Return this machine's name, in full and short, as a browser may address it; asks no name server."""
    name = socket.gethostname().lower().rstrip(".")
    return frozenset({name, name.partition(".")[0]} - {""})


def is_expected_host(host_header: str | None, names: Iterable[str]) -> bool:
    """Whether a request names this machine: by an IP address, as localhost, or by one of its names.

    Without this check a web page anywhere could read the management port through a visitor's browser, by a name of
    its own that it lets point here after it was loaded (DNS rebinding). Such a request carries that name.

    :param host_header: the request's Host header; a missing one is refused, for every browser sends it
    :param names: what :func:`machine_names` returns
    """
    found = _HOST.fullmatch(host_header or "")
    if found is None:
        return False
    name = (found["v6"] or found["name"]).lower()
    try:
        return ipaddress.ip_address(name).version == (6 if found["v6"] else 4)
    except ValueError:
        return found["v6"] is None and name.rstrip(".") in {"localhost", *names}


def _content(name: str) -> bytes:
    content = read_page_file(__package__ or __name__.rpartition(".")[0], f"console_files/{name}")
    if name == "console.css":
        return read_tokens().encode() + content
    if name == "index.html":
        return content.replace(b"{{ host }}", html.escape(socket.gethostname()).encode())
    return content
