# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The world that calls are made in: two hosts, an authority, a bundle; and the calls."""

from __future__ import annotations

import asyncio
import base64
import io
import os
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.aims.licensing.plugins.action.aims_license_backup import ActionModule as Backup
from ansible_collections.aims.licensing.plugins.module_utils._licensing import VERSION, cli
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.certificates import Certificates
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.desk import RequestDesk
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.service import Settings as Serving
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.service import serve
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel import Embedded, OfflineFiles
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.https import Https
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager import HomeFile
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.bundled import BundledManager
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.install import (
    Package,
    Settings,
    install,
    remove,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Profile, now_utc
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.register import FILE, Batch, Register
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.seats import Seat
from ansible_collections.aims.licensing.plugins.module_utils._licensing.store import OURS, Home
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle import BundleFile
from ansible_collections.aims.licensing.plugins.plugin_utils._offline import RequestFolder
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    CODES,
    HOME,
    SERVER,
    CoreLab,
    wanted,
)

NUMBERS = (SERVER, CLIENT)
EMBEDDED, SERVICE, OFFLINE, NO_CHANNEL = "embedded", "https", "offline", "none"
_VAULT = VaultLib([("default", VaultSecret(b"of the tests"))])
_KEY = HomeFile("ApplicationKeys/model.key", 0o600, True, b"a key that is carried\n")


def _package(version: str) -> Package:
    """A package that says its version, which takes no time."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py"), f"print({version!r})\n")
    return Package(version, stream.getvalue())


@dataclass(frozen=True)
class Way:
    """How a call reaches the authority.

    :ivar port: of the service, or of the line before it
    :ivar damage: what becomes of a reply of the embedded authority, by the number of the exchange
    :ivar skew: how far the host's clock is ahead
    """

    channel: str
    port: int = 0
    damage: Callable[[int, bytes], bytes] | None = None
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

        return BundledManager(self.home(host), clock)

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
            desk, exchanges = RequestDesk(ledger, online=True), iter(range(1000))

            def answer(request: bytes) -> bytes:
                response = desk.answer(request)
                return way.damage(next(exchanges), response) if way.damage else response

            return bool(act(manager, Embedded(realm, "the authority", answer)).changed)

    def _walk(
        self, manager: BundledManager, way: Way, act: Callable[[Any, Any], Any], numbers: tuple[str, ...]
    ) -> bool:
        place = self.folder / "requests"
        folder, changed, exchanges = RequestFolder(place), False, iter(range(1000))
        for _round in range(3):
            for request in sorted(place.glob("*.request")):
                self._carry(request, way, exchanges)
            found = {one["number"]: base64.b64decode(one["content"]) for one in folder.responses(numbers)}
            change = act(manager, OfflineFiles(found, str(place)))
            changed = changed or change.changed
            asked = [{"number": n, "content": base64.b64encode(c).decode()} for n, c in change.requests.items()]
            if folder.take({"requests": asked}, numbers) is None:
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


def _activate(world: World, way: Way) -> bool:
    def act(manager: Any, channel: Any) -> Any:
        realm = world.manager("old")._home.config().realm
        users = ["CORP\\anna"]
        return manager.activate(wanted(*NUMBERS), channel, realm, users=users, files=[_KEY])

    return world.at_authority(way, "new", act, NUMBERS)


def _deactivate(world: World, way: Way) -> bool:
    return world.at_authority(way, "old", lambda manager, channel: manager.deactivate(NUMBERS, channel), NUMBERS)


def _update(world: World, way: Way) -> bool:
    def update(number: str) -> bool:
        return world.at_authority(way, "old", lambda manager, channel: manager.update([number], channel), (number,))

    # As licman does it: one by one, and each time anew, as nobody but the authority knows what is newest.
    first, second = (update(number) for number in NUMBERS)
    return first or second


def _profiles(world: World, way: Way) -> bool:
    profiles = [Profile("Everybody", CLIENT, True), Profile("PROServer", SERVER, False)]
    return bool(world.manager("old", way.skew).set_profiles(profiles, absent=["Client"], purge=True).changed)


def _maintenance(world: World, way: Way) -> bool:
    return bool(world.manager("old", way.skew).set_maintenance(True).changed)


def _install(world: World, way: Way) -> bool:
    return bool(install(world.home("bare"), _package(VERSION), Settings(authority="offline")).changes)


def _upgrade(world: World, way: Way) -> bool:
    return bool(install(world.home("old"), _package(VERSION), Settings(authority="offline")).changes)


def _remove(world: World, way: Way) -> bool:
    return bool(remove(world.home("old")).changes)


def _init(world: World, way: Way) -> bool:
    """Make another authority, with certificates for its service, unless it is there."""
    path = str(world.folder / "fresh.db")
    made = not Path(path).exists()
    with Ledger.create(path, "fresh") if made else Ledger(path) as ledger:
        name = ledger.realm.name
    return Certificates(path).make(name, ["localhost"], now_utc()) or made


_SEATS = [Seat(bytes([at]) * 16, at, None, "PROServer", SERVER, "anna", "pc", "127.0.0.1", "2026") for at in range(3)]


def _seats(world: World, way: Way) -> bool:
    """Put seats on record as a license server does: one; then, at once, another one and its end; then a third.

    What it is told to be on disk it writes into the file ``told``, as a client hears of it.
    """

    async def act() -> int:
        ends: asyncio.Queue[Batch] = asyncio.Queue()
        register = Register(world.home("old").folder.path / FILE, ends.put_nowait)
        known = {seat.number for seat in register.load()}
        # What is on record → what is taken, and what ends.
        steps: dict[frozenset[int], tuple[list[int], list[int]]] = {
            frozenset(): ([0], []),
            frozenset({0}): ([1], [0]),
            frozenset({1}): ([2], []),
        }
        done = 0
        while step := steps.get(frozenset(known)):
            for number in step[0]:
                register.add(_SEATS[number])
            for number in step[1]:
                register.remove(_SEATS[number])
            batch = await ends.get()
            if batch.error:
                raise refuse(f"Nothing was recorded: {batch.error}.", FILE, "Try again.")
            known = (known | set(step[0])) - set(step[1])
            done += 1
            with (world.folder / "told").open("a", encoding="utf-8") as told:
                told.write(f"{sorted(known)}\n")
        await register.close()
        return done

    return bool(asyncio.run(act()))


def _backup(world: World, way: Way) -> bool:
    manager = world.manager("old", way.skew)
    files = [BundleFile(one.name, f"{one.mode:04o}", one.secret, one.content) for one in manager.files()]
    action = object.__new__(Backup)
    action._task = SimpleNamespace(args={}, check_mode=False)
    kept = action._keep(world.folder / "bundles" / "old", "old", files, manager.overview(), _VAULT)
    return bool(kept["changed"])


@dataclass(frozen=True)
class Call:
    """A call, and the world that it begins in.

    :ivar host: where it is made
    :ivar action: what it asks of the authority
    :ivar moved: how many transfers each license has spent after it
    :ivar alone: whether something else than a lock keeps a second one from being made at the same time
    """

    name: str
    act: Callable[[World, Way], bool]
    start: str
    channels: tuple[str, ...] = (NO_CHANNEL,)
    action: str | None = None
    moved: int = 0
    host: str = "old"
    alone: bool = False


ASKED = (EMBEDDED, SERVICE, OFFLINE)
CALLS = (
    Call("activate", _activate, "free", ASKED, "activate", 1, "new"),
    Call("deactivate", _deactivate, "held", ASKED, "deactivate"),
    Call("update", _update, "held", ASKED, "update"),
    Call("profile change", _profiles, "held"),
    Call("maintenance", _maintenance, "held"),
    Call("install", _install, "held", host="bare"),
    Call("upgrade", _upgrade, "held"),
    Call("remove", _remove, "free"),
    Call("backup", _backup, "held"),
    Call("authority", _init, "held", alone=True),
    Call("seats", _seats, "held", alone=True),
)


def templates(folder: Path) -> Mapping[str, World]:
    """Make the worlds that calls begin in: licenses held by the old host, and given back by it."""
    held = World(folder / "held")
    for host, mark in (("old", "1"), ("new", "2"), ("bare", "3")):
        etc, foreign = held.folder / host / "etc", held.folder / host / "opt/aimms-license-server"
        etc.mkdir(parents=True)
        foreign.mkdir(parents=True)
        (etc / "machine-id").write_text(f"{mark * 32}\n", encoding="utf-8")
        (foreign / "license.lic").write_text("another product's\n", encoding="utf-8")
    (held.folder / "codes").write_text("\n".join(CODES.values()), encoding="utf-8")
    with Ledger.create(held.ledger, "test") as ledger, ledger.change():
        for number in NUMBERS:
            ledger.put_license(CoreLab.license(number), now_utc())
    Certificates(held.ledger).make("REHEARSAL test", ["localhost", "127.0.0.1"], now_utc())
    install(held.home("old"), _package("0.0.1"), Settings(authority="offline"))
    held.home("new").create()
    way = Way(EMBEDDED)
    act: Any = lambda manager, channel: manager.activate(wanted(*NUMBERS), channel)  # noqa: E731
    held.at_authority(way, "old", act, NUMBERS)
    _backup(held, way)
    # What a bundle made later holds and this one does not, and what a killed write has left behind.
    home = held.folder / "old" / HOME.lstrip("/")
    (home / "ApplicationKeys/app.key").write_bytes(b"an application's key\n")
    (home / "ApplicationKeys/app.key").chmod(0o600)
    for host in ("old", "new"):
        (held.folder / host / HOME.lstrip("/") / "Journal/.tmp-left").write_bytes(b"left behind")
    with Ledger(held.ledger) as ledger, ledger.change():
        for number in NUMBERS:
            ledger.put_license(CoreLab.license(number, expiry="2098-12-31"), now_utc(), "reissue")
    held.age()
    free = held.copied(folder / "free")
    (free.folder / "old" / HOME.lstrip("/") / "Journal/.tmp-left").unlink()
    _deactivate(free, way)
    return {"held": held, "free": free}
