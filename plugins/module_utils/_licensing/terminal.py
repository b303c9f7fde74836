# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Helpers of the commands: printing, reading input, and notifying systemd."""

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
from .errors import LicensingError, quoted, refuse
from .files import Folder

# Maximum number of similar file names in a message.
_NAMED = 5


class Unprinted(Exception):
    """The output of a command could not be printed. The text is the reason."""


def say(text: str) -> None:
    """Print a line. Characters that standard output cannot encode become Python escapes.

    Commands print last, so a failure here does not affect their work.

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
    """Redirect standard output to the null device, so that buffered output does not fail again at the exit."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        handle = os.open(os.devnull, os.O_WRONLY)
        os.dup2(handle, sys.stdout.fileno())
        os.close(handle)


def complain(text: str) -> None:
    """Print lines on standard error. Ignore failures."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def print_json(data: Any) -> None:
    """Print JSON, in ASCII if standard output does not support Unicode."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    say(json.dumps(data, indent=1, ensure_ascii=not codecs.lookup(encoding).name.startswith("utf")))


def check_folder(path: Path) -> None:
    """Refuse if a folder is missing or not writable. Call this before any other work."""
    if not path.is_dir() or not os.access(path, os.W_OK | os.X_OK):
        todo = "Create it, fix its permissions, or use another folder."
        raise refuse("The folder does not exist or is not writable.", str(path), todo)


def unwritten(error: LicensingError, what: str, todo: str) -> LicensingError:
    """Return the error for a result file that cannot be written, although the work itself is done."""
    problem = error.problems[0]
    return refuse(f"{what}, but the file cannot be written: {problem.what}", problem.where, f"{problem.todo} {todo}")


def read_line() -> str:
    """Return a line of standard input; empty if it is not text."""
    try:
        return sys.stdin.readline()
    except UnicodeDecodeError:
        return ""


def read_file(path: str) -> bytes:
    """Return the content of a document file. If it is missing, the message suggests similar names."""
    file = Path(path).absolute()
    folder = Folder(file.parent)
    data = folder.find(file.name, documents.MAX_BYTES)
    if data is None:
        stem = file.name.partition(".")[0]
        like = [name for name in folder.names() if stem and stem in name][:_NAMED]
        if like:
            raise refuse(
                f"The file does not exist, but there is {', '.join(map(quoted, like))}.",
                str(file),
                "Use the right name: browsers and mail programs change the names of saved files.",
            )
        return folder.read(file.name, documents.MAX_BYTES)
    return data


def notify(state: str) -> None:
    """Notify systemd, if it runs this process (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address.startswith(("/", "@")):
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        with sender, contextlib.suppress(OSError):
            sender.sendto(state.encode(), address.replace("@", "\0", 1))
