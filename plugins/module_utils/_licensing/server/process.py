# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server process: its log, its lock, the machine's fingerprint, and process limits."""

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
# As many as the vendor's server keeps (docs/domain.md#identifiers-and-files).
_LOG_FILES = 10
# Seconds to wait for the lock of the seats, because a check for a running server takes it for a moment.
_MOMENT = 1.0
_FILES = 65536
_LET = "Give the service's user write access to this folder (aims_license_server_install does so)."


@contextlib.contextmanager
def logging_to(home: Home) -> Iterator[None]:
    """Log to the home, in local time; warnings and errors also to standard error."""
    # A failing log, for example on a full disk, must not stop the server.
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
            f"Cannot write the log: {error.strerror}.",
            str(place),
            _LET if isinstance(error, PermissionError) else advice(error),
        ) from error
    console = logging.StreamHandler(sys.stderr)
    console.setLevel(logging.WARNING)
    for handler in (file, console):
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    # The command itself prints errors of the start to standard error.
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
    """As root, refuse folders of another user, who could replace any file by a link."""
    others = [name for name in SERVICE_DIRECTORIES if home.folder.owner(name) not in (None, 0)]
    if os.geteuid() == 0 and others:
        raise refuse(
            f"{others[0]} belongs to another user, so root must not write there.",
            home.folder.place(others[0]),
            "Start the server with systemd, or as that user (runuser -u USER).",
        )


@contextlib.contextmanager
def seats_locked(home: Home) -> Iterator[None]:
    """Hold the lock of the home's seats, because a second server would grant them again."""
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
                "A license server is already running for this home.", home.where, "Stop it first, or keep it running."
            )
        yield
    finally:
        os.close(handle)


def fingerprint(root: str, file: str | None) -> dict[str, str]:
    """Return this machine's fingerprint.

    :param file: a file with the fingerprint, written by root, because only root can read all hardware identifiers
    :raises LicensingError: the file has no fingerprint
    """
    if file is None:
        return read_fingerprint(root)
    place = Path(file).absolute()
    try:
        values = json.loads(Folder(place.parent).read(place.name))
    except (ValueError, RecursionError):
        values = None
    whole = isinstance(values, dict) and all(
        name in NAMES and re.fullmatch(r"[0-9a-f]{32}", str(value)) for name, value in values.items()
    )
    if not whole or not values:
        raise refuse("This is not a fingerprint.", str(place), "Write it as root with 'licman --fingerprint --json'.")
    return dict(values)


def raise_file_limit() -> int:
    """Raise the limit of open files as far as the host allows, up to 65536. Return the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed


def tune_collector() -> None:
    """Make the garbage collector run rarely, because it would walk over all seats.

    Existing objects are never collected. New objects are checked ten times less often than by default, and all objects
    a thousand times less often. Reference counting frees the objects of requests without the collector.
    """
    gc.freeze()
    gc.set_threshold(10_000, 50, 100)


def restart_process() -> None:
    """Replace this process by a new process of the same command, possibly of a newer package."""
    # A second SIGHUP would end the new process before it has its own handler.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Python 3.9 does not know its own options; without them, the same server starts.
    command = getattr(sys, "orig_argv", None) or [sys.executable, *sys.argv]
    os.execv(sys.executable, [sys.executable, *command[1:]])  # noqa: S606 - our own command
