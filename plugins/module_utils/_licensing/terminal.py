# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands have in common: how they print, read what they are given, and tell systemd of themselves."""

from __future__ import annotations

import codecs
import contextlib
import errno
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from . import documents
from .errors import LicensingError, refuse, shown
from .files import Folder

# Files with a similar name that a message has.
_NAMED = 5


class Unprinted(Exception):
    """What a command has to say could not be printed; why, in words."""


def say(text: str) -> None:
    """Print a line; what standard output has no letters for is written as Python writes it.

    Commands print last: what they have done is done, whatever becomes of the words for it.

    :raises Unprinted: standard output is closed, its reader is gone, or its disk is full
    """
    out = sys.stdout
    try:
        if out is None:
            raise OSError(errno.EBADF, "it is closed")
        encoding = getattr(out, "encoding", None) or "utf-8"
        out.write(f"{text}\n".encode(encoding, "backslashreplace").decode(encoding))
        out.flush()
    except (OSError, ValueError) as error:
        _give_up_output()
        raise Unprinted(str(getattr(error, "strerror", None) or error)) from None


def _give_up_output() -> None:
    """Let nothing that is left in the buffer fail once more when the process ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        handle = os.open(os.devnull, os.O_WRONLY)
        os.dup2(handle, sys.stdout.fileno())
        os.close(handle)


def complain(text: str) -> None:
    """Print lines on standard error, where anybody reads it."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def print_json(data: Any) -> None:
    """Print data for programs, in ASCII where standard output takes no Unicode."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    say(json.dumps(data, indent=1, ensure_ascii=not codecs.lookup(encoding).name.startswith("utf")))


def check_folder(path: Path) -> None:
    """Refuse where no file could be written into a folder; to be called before there is anything to write."""
    if not path.is_dir() or not os.access(path, os.W_OK | os.X_OK):
        todo = "Make it, mend its permissions, or name another one."
        raise refuse("The folder is not there, or cannot be written.", str(path), todo)


def unwritten(error: LicensingError, what: str, todo: str) -> LicensingError:
    """Return the error for a file that cannot be written after what it tells of was done."""
    problem = error.problems[0]
    return refuse(f"{what}, but the file cannot be written: {problem.what}", problem.where, f"{problem.todo} {todo}")


def read_line() -> str:
    """Return a line of standard input; nothing where it is no text."""
    try:
        return sys.stdin.readline()
    except UnicodeDecodeError:
        return ""


def read_file(path: str) -> bytes:
    """Return the content of a document's file."""
    file = Path(path).absolute()
    folder = Folder(file.parent)
    data = folder.find(file.name, documents.MAX_BYTES)
    if data is None:
        stem = file.name.partition(".")[0]
        like = [name for name in folder.names() if stem and stem in name][:_NAMED]
        if like:
            raise refuse(
                f"There is no such file, but there is {', '.join(map(shown, like))}.",
                str(file),
                "Name the file that you mean: browsers and mail programs change the names of what they save.",
            )
        return folder.read(file.name, documents.MAX_BYTES)
    return data


def notify(state: str) -> None:
    """Tell systemd, where it asked to be told (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address.startswith(("/", "@")):
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        with sender, contextlib.suppress(OSError):
            sender.sendto(state.encode(), address.replace("@", "\0", 1))
