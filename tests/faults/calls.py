# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls that faults befall, and the worlds that they begin in."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.aims.licensing.plugins.action.aims_license_backup import ActionModule as Backup
from ansible_collections.aims.licensing.plugins.module_utils._licensing import VERSION
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.certificates import Certificates
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.install import (
    Package,
    Settings,
    install,
    remove,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.lease import LENGTH, Lease
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.drain import DrainOptions, Step
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import (
    Activation,
    Deactivation,
    HomeFile,
    Maintenance,
    ProfileChange,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Profile, now_utc
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.pool import Seat
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.seat_store import FILE, Batch, SeatStore
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import BundleFile
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    CODES,
    HOME,
    SERVER,
    CoreLab,
    declared,
)

from faults.world import EMBEDDED, NO_CHANNEL, NUMBERS, OFFLINE, SERVICE, Way, World

_VAULT = VaultLib([("default", VaultSecret(b"of the tests"))])
_KEY = HomeFile("ApplicationKeys/model.key", 0o600, True, b"a key that is carried\n")


def _package(version: str) -> Package:
    """A package that says its version, which takes no time."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py"), f"print({version!r})\n")
    return Package(version, stream.getvalue())


def _activate(world: World, way: Way) -> bool:
    def act(manager: Any, channel: Any) -> Any:
        realm = world.manager("old")._home.config().realm
        users = ["CORP\\anna"]
        return manager.activate(Activation(declared(*NUMBERS), realm=realm, users=users, files=[_KEY]), channel)

    return world.at_authority(way, "new", act, NUMBERS)


def _in_steps(call: Callable[[Step], Any]) -> Any:
    """Make a call again and again until it is over, as the controller does."""
    step = Step("1" * 32)
    while (change := call(step)).again is not None:
        step = Step(change.again, step.waited + 1.0)
    return change


def _deactivate(world: World, way: Way) -> bool:
    def deactivate(manager: Any, channel: Any) -> Any:
        return _in_steps(
            lambda step: manager.deactivate(Deactivation(NUMBERS, drain=DrainOptions(1), step=step), channel)
        )

    return world.at_authority(way, "old", deactivate, NUMBERS)


def _update(world: World, way: Way) -> bool:
    def update(number: str) -> bool:
        return world.at_authority(way, "old", lambda manager, channel: manager.update([number], channel), (number,))

    # As licman does it: one by one, and each time anew, as nobody but the authority knows what is newest.
    first, second = (update(number) for number in NUMBERS)
    return first or second


def _profiles(world: World, way: Way) -> bool:
    profiles = [Profile("Everybody", CLIENT, True), Profile("PROServer", SERVER, False)]
    return bool(
        world.manager("old", way.skew).set_profiles(ProfileChange(profiles, absent=["Client"], purge=True)).changed
    )


def _maintenance(world: World, way: Way) -> bool:
    return bool(world.manager("old", way.skew).set_maintenance(Maintenance(True)).changed)


def _drain(world: World, way: Way) -> bool:
    manager = world.manager("old", way.skew)
    return bool(
        _in_steps(lambda step: manager.set_maintenance(Maintenance(True, drain=DrainOptions(1), step=step))).changed
    )


def _drain_beside(world: World, way: Way) -> bool:
    """Drain the server while another pair drains a license of it, and see that the other drain goes on."""
    home, ticket = world.home("old"), "2" * 32
    with home.held(dry=False):
        if home.config().lease(ticket) is None:
            home.save(home.config().with_lease(Lease(ticket, now_utc() + LENGTH, (CLIENT,))))
    is_changed = _drain(world, way)
    config = home.config()
    assert config.maintenance and [(lease.ticket, lease.licenses) for lease in config.drains] == [(ticket, (CLIENT,))]
    return is_changed


def _install(world: World, way: Way) -> bool:
    return bool(install(world.home("bare"), _package(VERSION), settings=Settings(authority="offline")).changes)


def _upgrade(world: World, way: Way) -> bool:
    return bool(install(world.home("old"), _package(VERSION), settings=Settings(authority="offline")).changes)


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
        register = SeatStore(world.home("old").folder.path / FILE, ends.put_nowait)
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
    files = [BundleFile(one.name, f"{one.mode:04o}", one.content) for one in manager.files()]
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
    Call("drain", _drain, "held"),
    Call("drain beside another", _drain_beside, "held"),
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
        CoreLab.template_realm = ledger.realm
        for number in NUMBERS:
            ledger.put_license(CoreLab.license(number), now_utc())
    Certificates(held.ledger).make("REHEARSAL test", ["localhost", "127.0.0.1"], now_utc())
    install(held.home("old"), _package("0.0.1"), settings=Settings(authority="offline"))
    held.home("new").create()
    way = Way(EMBEDDED)
    act: Any = lambda manager, channel: manager.activate(Activation(declared(*NUMBERS)), channel)  # noqa: E731
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
