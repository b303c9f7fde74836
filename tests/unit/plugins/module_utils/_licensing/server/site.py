# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose licenses are active, and license servers that run for it as processes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import time
from pathlib import Path
from typing import Any, Callable

from ansible_collections.aims.licensing.plugins.module_utils._licensing.client import NoAnswer, Refused
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Deactivation, ProfileChange
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Profile
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    HOME,
    NUMBERS,
    SESSION,
    CoreLab,
    Host,
)
from support.licsrv import PATIENCE, Server

USER = "AIMS\\anna"
CLIENT_NAME = "workstation-1"


class Site:
    """One host, and what tests do with its license server."""

    def __init__(self, lab: CoreLab, stack: contextlib.ExitStack) -> None:
        self.lab = lab
        self.host: Host = lab.old
        self._stack = stack
        lab.activate(self.host, *NUMBERS)

    def serve(self, *options: str, **more: Any) -> Server:
        """Run a server for the host."""
        return self._stack.enter_context(Server(HOME, str(self.host.root), *options, **more))

    def profiles(self, *profiles: tuple[str, str, bool]) -> None:
        """Replace the profiles by ``(name, license, default)``."""
        self.host.manager.set_profiles(ProfileChange([Profile(*one) for one in profiles], purge=True))

    def fence(self, *numbers: str) -> None:
        """Stop serving licenses: they wait for the authority to take them back."""
        self.host.manager.deactivate(Deactivation(list(numbers or (SESSION,))), self.lab.offline())

    def put(self, name: str, content: bytes) -> None:
        """Replace a file of the home as the core does: all at once."""
        Folder(self.host.folder).write(name, content)

    def replace(self, name: str, document: object) -> None:
        """Replace a license or nodelock, and the digests that are kept of both."""
        self.put(name, json.dumps(document).encode())
        stem = Path(name).stem
        made = {
            kind: hashlib.sha256(self.host.read(f"{folder}/{stem}.{kind}")).hexdigest()
            for kind, folder in (("lic", "Licenses"), ("lock", "Nodelocks"))
        }
        self.put(f"Nodelocks/{stem}.ver", json.dumps(made).encode())

    def recorded(self) -> dict[str, tuple[str, str]]:
        """Return profile and user by seat as the record on disk has them, read without the server's code."""
        with contextlib.closing(sqlite3.connect(self.host.folder / "Seats" / "seats.db")) as db:
            return {bytes(row[0]).hex(): (row[1], row[2]) for row in db.execute("SELECT id, profile, user FROM seats")}


def take(
    server: Server, seat: str | None = None, profile: str | None = "PROSession", user: str = USER
) -> dict[str, Any]:
    """Take a seat; return the answer."""
    return server.seats.take(seat or server.seats.new_id(), profile, user, CLIENT_NAME)


def why(call: Callable[..., Any], *arguments: Any, none: str | None = None, **options: Any) -> str:
    """Return the code with which a call is refused, or ``granted``.

    :param none: what to return where there is no answer; else that is an error
    """
    try:
        call(*arguments, **options)
    except Refused as refused:
        return refused.code
    except NoAnswer:
        if none is None:
            raise
        return none
    return "granted"


def body(profile: str | None = "PROSession", user: str = USER, client: str = CLIENT_NAME) -> bytes:
    """Return the body of a take."""
    return json.dumps({"profile": profile, "user": user, "client": client}).encode()


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for something that is to happen; fail if it does not."""
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)
