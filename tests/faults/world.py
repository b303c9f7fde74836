# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The world that calls are made in: two hosts, an authority, a bundle; and the ways to that authority."""

from __future__ import annotations

import base64
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing import cli
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.http.service import (
    Settings as Serving,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.http.service import serve
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.processor import RequestProcessor
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import Embedded, OfflineFiles
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.https import Https
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import OURS, Home
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.bundled import BundledManager
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.freshness import Freshness
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.folder import RequestFolder
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import CLIENT, HOME, SERVER

from faults import children

NUMBERS = (SERVER, CLIENT)
EMBEDDED, SERVICE, OFFLINE, NO_CHANNEL = "embedded", "https", "offline", "none"
REQUEST, RESPONSE = "request", "response"


@dataclass(frozen=True)
class Way:
    """How a call reaches the authority.

    :ivar port: of the service, or of the line before it
    :ivar damage: what becomes of a reply of the embedded authority, by the number of the exchange
    :ivar mail: what becomes of documents offline: kind of document, name, content → the name and content that arrive
    :ivar skew: how far the host's clock is ahead
    """

    channel: str
    port: int = 0
    damage: Callable[[int, bytes], bytes] | None = None
    mail: Callable[[str, str, bytes], tuple[str, bytes]] | None = None
    skew: timedelta = field(default_factory=timedelta)


class World:
    """One folder with everything in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = str(folder / "authority.db")

    def copied(self, to: Path) -> World:
        shutil.copytree(self.folder, to, symlinks=True)
        return World(to)

    def manager(self, host: str, skew: timedelta = timedelta()) -> BundledManager:  # noqa: B008 - immutable
        def clock() -> datetime:
            return now_utc() + skew

        return BundledManager(
            self.home(host), clock, freshness=Freshness(is_heard=lambda: children.listener != children.HUNG_UP)
        )

    def home(self, host: str) -> Home:
        return Home(HOME, str(self.folder / host))

    def serve(self) -> None:
        """Run the authority's service on this world's ledger."""
        serve(Serving(self.ledger, "127.0.0.1", 0))

    def age(self) -> None:
        """Let two minutes pass for what a killed write has left behind."""
        then = time.time() - 120
        for place in self.folder.rglob(".tmp-*"):
            os.utime(place, (then, then), follow_symlinks=False)

    def sweep(self, host: str) -> None:
        """Do what every call does that changes something, once it holds the home."""
        if self.home(host).state() == OURS:
            with self.home(host).locked():
                pass

    def at_authority(self, way: Way, host: str, act: Callable[[Any, Any], Any], numbers: tuple[str, ...]) -> bool:
        """Make a call that reaches the authority by a channel; offline, walk there until nothing waits."""
        manager = self.manager(host, way.skew)
        if way.channel == OFFLINE:
            return self._walk(manager, way, act, numbers)
        with Ledger(self.ledger) as ledger:
            realm = ledger.realm
        if way.channel == SERVICE:
            channel: Any = Https(f"https://localhost:{way.port}", realm, (0.0, 0.0, 0.0), sleep=lambda _seconds: None)
            return bool(act(manager, channel).changed)
        with Ledger(self.ledger) as ledger:
            desk, exchanges = RequestProcessor(ledger, online=True), iter(range(1000))

            def answer(request: bytes) -> bytes:
                response = desk.answer(request)
                return way.damage(next(exchanges), response) if way.damage else response

            return bool(act(manager, Embedded(realm, "the authority", answer, ledger.check_writable)).changed)

    def _walk(
        self, manager: BundledManager, way: Way, act: Callable[[Any, Any], Any], numbers: tuple[str, ...]
    ) -> bool:
        place = self.folder / "requests"
        folder, changed, exchanges = RequestFolder(place), False, iter(range(1000))
        for _round in range(3):
            for request in sorted(place.glob("*.request")):
                self._mail(request, way.mail) if way.mail else self._carry(request, way, exchanges)
            found = {one["number"]: base64.b64decode(one["content"]) for one in folder.responses(numbers)}
            change = act(manager, OfflineFiles(found, str(place)))
            children.end_unheard()
            changed = changed or change.changed
            if folder.take(change.requests, numbers) is None:
                break
        return changed

    def _carry(self, request: Path, way: Way, exchanges: Iterator[int]) -> None:
        """What a person does: has a request processed, and brings the response back, or not, or not all of it."""
        if cli.main(["authority", "process", str(request), "--ledger", self.ledger, "--json"]):
            raise refuse("The authority cannot process it.", str(request), "Run this again.")
        response = request.with_suffix(".response")
        if way.damage:
            try:
                response.write_bytes(way.damage(next(exchanges), response.read_bytes()))
            except LicensingError:
                response.unlink()

    def _mail(self, request: Path, mail: Callable[[str, str, bytes], tuple[str, bytes]]) -> None:
        """What a person does by mail: sends a copy of the request, and saves the response that comes."""
        away = self.folder / "away"
        shutil.rmtree(away, ignore_errors=True)
        away.mkdir(mode=0o700)
        name, content = mail(REQUEST, request.name, request.read_bytes())
        (away / name).write_bytes(content)
        if cli.main(["authority", "process", str(away / name), "--ledger", self.ledger, "--json"]):
            raise refuse("The authority cannot process it.", name, "Send the original file.")
        response = request.with_suffix(".response")
        name, content = mail(RESPONSE, response.name, (away / response.name).read_bytes())
        saved = response.with_name(name)
        saved.touch(mode=0o600)
        saved.write_bytes(content)
        shutil.rmtree(away)
