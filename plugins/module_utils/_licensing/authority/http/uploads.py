# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the form that a browser uploads.

Tornado's parser needs quadratic time for a part's header and has no limit of parts: before 6.5.3, an upload of 200 KB
takes most of a minute. So the form's type, the number of parts and the length of each header are checked first.
"""

from __future__ import annotations

import re
from typing import Any

from ...errors import Problem
from .web import Call, Refused

# The form's content type, with a boundary as in RFC 2046.
_FORM = re.compile(r"multipart/form-data; ?boundary=(\"?)([0-9A-Za-z'()+_,./:=?-]{1,70})\1", re.ASCII)
# Bytes. A part's header has a name, a file name and a type. The file name has up to 255 bytes, escaped up to 765.
_HEAD = 1024
_PARTS = 32


def read_upload(call: Call) -> tuple[str, list[tuple[str, bytes]]]:
    """Return the e-mail address and the files, ``(name, content)``, of a form.

    :raises Refused: it is not this page's form as a browser sends it
    """
    from tornado.httputil import HTTPInputError, parse_body_arguments

    kind = call.headers.get("content-type", "")
    fields: dict[str, list[bytes]] = {}
    files: dict[str, list[Any]] = {}
    try:
        _check(kind, call.body)
        parse_body_arguments(kind, call.body, fields, files)
    except (HTTPInputError, ValueError):
        problem = Problem("The upload cannot be read.", "request", "Send it with the form of this page.")
        raise Refused(400, "malformed", problem) from None
    email = fields.get("email", [b""])[-1].decode("utf-8", "replace").strip()
    # Without a chosen file, a browser sends an empty part without a name.
    chosen = [part for part in files.get("request", []) if part.filename or part.body]
    return email, [(_plain(part.filename), bytes(part.body)) for part in chosen]


def _check(kind: str, body: bytes) -> None:
    form = _FORM.fullmatch(kind)
    if form is None:
        raise ValueError("another form")
    delimiter = b"--" + form[2].encode() + b"\r\n"
    if body.count(delimiter) > _PARTS:
        raise ValueError("too many parts")
    if any(part.find(b"\r\n\r\n") > _HEAD for part in body.split(delimiter)):
        raise ValueError("a part's header is too long")


def _plain(name: str) -> str:
    return "".join(letter for letter in name if letter.isprintable())[:60]
