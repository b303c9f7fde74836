# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a license server needs from its host: its log, its identity, its lock, and whom to tell that it runs."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import logging.handlers
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import refuse
from ..files import Folder
from ..fingerprint import NAMES, read_fingerprint
from ..home.store import SEATS_LOCK, SERVICE_DIRECTORIES, Home
from ..system import advice, try_lock

LOG = "Logging/LicenseServer.log"
_LOG_BYTES = 1 << 20
# The vendor's server keeps as many (docs/domain.md#identifiers-and-files).
_LOG_FILES = 10
# Seconds to wait for the seats: who only looks whether a server runs holds them for a moment.
_MOMENT = 1.0
_FILES = 65536
_LET = "Let the service's user write this folder (aims_license_server_install does)."


@contextlib.contextmanager
def logging_to(home: Home) -> Iterator[None]:
    """Log to the home, with the host's own time of day, and warnings and errors to standard error too."""
    # A log that cannot be written, as on a full disk, is no reason to stop.
    logging.raiseExceptions = False
    place = home.folder.path / LOG
    _require_own(home)
    try:
        home.folder.make("Logging")
        file = logging.handlers.RotatingFileHandler(
            place, maxBytes=_LOG_BYTES, backupCount=_LOG_FILES, encoding="utf-8"
        )
    except OSError as error:
        raise refuse(
            f"The log cannot be written: {error.strerror}.",
            str(place),
            _LET if isinstance(error, PermissionError) else advice(error),
        ) from error
    console = logging.StreamHandler(sys.stderr)
    console.setLevel(logging.WARNING)
    for handler in (file, console):
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    # What keeps the server from starting is told on standard error by the command itself.
    used: dict[str, list[logging.Handler]] = {
        "licsrv": [file, console],
        "licsrv.start": [file],
        "tornado": [file, console],
        "asyncio": [file, console],
    }
    for name, handlers in used.items():
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO if name == "licsrv" else logging.WARNING)
        logger.propagate = False
        logger.handlers[:] = handlers
    try:
        yield
    finally:
        for name in used:
            logging.getLogger(name).handlers.clear()
        file.close()


def _require_own(home: Home) -> None:
    """Refuse where root would write into folders of another user, who may put a link in the place of any file."""
    others = [name for name in SERVICE_DIRECTORIES if home.folder.owner(name) not in (None, 0)]
    if os.geteuid() == 0 and others:
        raise refuse(
            f"{others[0]} belongs to another user, where root would write.",
            home.folder.place(others[0]),
            "Start the server by systemd, or as that user (runuser -u USER).",
        )


@contextlib.contextmanager
def alone(home: Home) -> Iterator[None]:
    """Hold the home's seats; two servers would both grant them."""
    place = home.folder.path / SEATS_LOCK
    try:
        home.folder.make("Seats", 0o700)
        handle = os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise refuse(
            f"The seats cannot be recorded: {error.strerror}.",
            str(place),
            _LET if isinstance(error, PermissionError) else advice(error),
        ) from error
    try:
        until = time.monotonic() + _MOMENT
        while not try_lock(handle, str(place)):
            if time.monotonic() < until:
                time.sleep(0.02)
                continue
            raise refuse(
                "A license server runs for this home already.", home.where, "Stop it first, or leave it at that."
            )
        yield
    finally:
        os.close(handle)


def fingerprint(root: str, file: str | None) -> dict[str, str]:
    """Return this machine's fingerprint.

    :param file: where it was written by root, who may read more of the hardware than the service's user
    :raises LicensingError: there is none
    """
    if file is None:
        return read_fingerprint(root)
    place = Path(file).absolute()
    try:
        found = json.loads(Folder(place.parent).read(place.name))
    except (ValueError, RecursionError):
        found = None
    whole = isinstance(found, dict) and all(
        name in NAMES and re.fullmatch(r"[0-9a-f]{32}", str(value)) for name, value in found.items()
    )
    if not whole or not found:
        raise refuse("This is not a fingerprint.", str(place), "Write it as root with 'licman --fingerprint --json'.")
    return dict(found)


def allow_files() -> int:
    """Let the process have as many open files as its host allows, within reason; return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed


def collect_rarely() -> None:
    """Have the garbage collector go over the seats that are held once in a great while, not after every few takes.

    What was made until now stays for good. What requests leave behind goes with the last reference to it; for the
    rest, the collector looks at what is new ten times less often, and at everything a thousand times less often.
    """
    gc.freeze()
    gc.set_threshold(10_000, 50, 100)


def start_anew() -> None:
    """Replace this process by a new one of the same command, which may be of a newer package."""
    # Asked for once more before it can hear of it, the new process would end.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Python 3.9 does not tell its own options; what it does tell starts the same server.
    command = getattr(sys, "orig_argv", None) or [sys.executable, *sys.argv]
    os.execv(sys.executable, [sys.executable, *command[1:]])  # noqa: S606 - our own command
