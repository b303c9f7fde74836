# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a browser's form uploads, read by the framework.

The framework's parser takes time that grows with the square of a part's header, and reads as many parts as there are:
in versions before 6.5.3, one upload of 200 KB keeps it busy for most of a minute. So form, number of parts and length
of each header are looked at first, in one pass each.
"""

from __future__ import annotations

import re
from typing import Any

from ...errors import Problem
from .web import Call, Refused

# The form's own type, with a boundary as RFC 2046 has it.
_FORM = re.compile(r"multipart/form-data; ?boundary=(\"?)([0-9A-Za-z'()+_,./:=?-]{1,70})\1", re.ASCII)
# A browser writes name, file name and type; a file name has up to 255 bytes, each of up to three in the header.
_HEAD = 1024
_PARTS = 32


def read_upload(call: Call) -> tuple[str, list[tuple[str, bytes]]]:
    """Return the e-mail address and the files of a form, ``(name, content)``.

    :raises Refused: it is not this form, or not one that a browser sends
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
    # A browser sends an unnamed empty part where no file was chosen.
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
