# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands have in common: how they print, read what they are given, and tell systemd of themselves."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from . import documents
from .files import Folder


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")


def print_json(data: Any) -> None:
    """Print data for programs."""
    say(json.dumps(data, indent=1, ensure_ascii=False))


def read_line() -> str:
    """Return a line of standard input; nothing where it is no text."""
    try:
        return sys.stdin.readline()
    except UnicodeDecodeError:
        return ""


def read_file(path: str) -> bytes:
    """Return the content of a document's file."""
    file = Path(path).absolute()
    return Folder(file.parent).read(file.name, documents.MAX_BYTES)


def notify(state: str) -> None:
    """Tell systemd, where it asked to be told (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address.startswith(("/", "@")):
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        with sender, contextlib.suppress(OSError):
            sender.sendto(state.encode(), address.replace("@", "\0", 1))
