# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of ``licman`` for a running license server: its status, and seats."""

from __future__ import annotations

import argparse
import getpass
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from .client import Management, SeatClient
from .errors import refuse
from .home.config import Config
from .home.store import OURS, Home
from .model import parse_profile, parse_user

_FIRST = ""


def add_arguments(parser: argparse.ArgumentParser, what: Any) -> None:
    """Add the options.

    :param what: the group of mutually exclusive commands
    """
    what.add_argument("--status", action="store_true", help="show whether the server runs")
    take = {"nargs": "?", "const": _FIRST, "metavar": "PROFILE"}
    what.add_argument("--seat-take", **take, help="take a seat (default: of the first valid Default)")
    what.add_argument("--seat-hold", **take, help="take a seat, hold it for --seconds or until interrupted, release it")
    what.add_argument("--seat-release", metavar="SEAT", help="release the seat that --seat-take printed")
    parser.add_argument("--user", metavar="DOMAIN\\user", help="user of the seat (default: this host and login)")
    parser.add_argument("--seconds", type=float, metavar="N", help="how long to hold the seat")
    parser.add_argument("--server", metavar="ADDRESS", help="the license server (default: that of the home)")


def chosen(options: argparse.Namespace) -> Callable[[argparse.Namespace], dict[str, Any]] | None:
    """Return the selected command, or None if it is not one of these."""
    if options.status:
        return _status
    if options.seat_take is not None:
        return _take
    if options.seat_hold is not None:
        return _hold
    return _release if options.seat_release is not None else None


def _config(options: argparse.Namespace) -> Config:
    home = Home(options.home, options.root)
    return home.config() if home.state() == OURS else Config()


def _address(options: argparse.Namespace) -> str:
    return options.server or _config(options).listen.reachable.clients


def _status(options: argparse.Namespace) -> dict[str, Any]:
    return Management(options.server or _config(options).listen.reachable.management).status()


def _take(options: argparse.Namespace) -> dict[str, Any]:
    return _seat(SeatClient(_address(options)), options, options.seat_take)


def _seat(server: SeatClient, options: argparse.Namespace, profile: str) -> dict[str, Any]:
    user = parse_user(options.user or f"{socket.gethostname()}\\{getpass.getuser()}", "--user")
    named = None if profile == _FIRST else parse_profile(profile, "PROFILE")
    return server.take(server.new_id(), named, user, socket.gethostname())


def _hold(options: argparse.Namespace) -> dict[str, Any]:
    """Hold a seat for a time, or until SIGINT or SIGTERM, then release it."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: ended.set())
    server = SeatClient(_address(options))
    seat = _seat(server, options, options.seat_hold)
    started = time.monotonic()
    until = started + options.seconds if options.seconds is not None else float("inf")
    try:
        while not ended.wait(max(0.0, min(seat["lease_seconds"] / 3, until - time.monotonic()))):
            if time.monotonic() >= until:
                break
            server.heartbeat(seat["seat"])
    finally:
        released = server.release(seat["seat"])
    return {**seat, **released, "held_seconds": round(time.monotonic() - started, 1)}


def _release(options: argparse.Namespace) -> dict[str, Any]:
    released = SeatClient(_address(options)).release(options.seat_release)
    if not released["released"]:
        raise refuse("No seat has this id.", options.seat_release, "It was already released, or its lease expired.")
    return released
