# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the matrix looks at in its worlds: what tests/support/invariants.py reads, secrets, seats, and what is left.

It knows nothing of the core's code. Each check names the invariant (docs/design.md) that it holds, and returns what is
broken in words.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import re
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from support import worked_example
from support.invariants import Pair

# below a host's root
HOME = worked_example.HOME.lstrip("/")
HOSTS = ("old", "new")
_ID = re.compile(r"[0-9a-f]{32}")
_TIME = re.compile(rb"20\d\d-\d\d-\d\dT[0-9:]+Z")
_PRIVATE = {"Config", "Journal", "Seats", "ApplicationKeys", "Journal/closed"}
# Where private keys lie, or what is to become such a file.
_KEYS = re.compile(
    r"(\.tmp-)?(authority|fresh)\.db(-.*)?|.*/(\.tmp-)?host\.key(-.*)?|.*\.tls/(\.tmp-)?(ca|server)\.key(-.*)?"
)
# What is on record at each step of the call that takes seats; each is told once it is there.
_SEATS = [[], [0], [1], [1, 2]]


def pair_of(world: Path) -> Pair:
    return Pair(world / "authority.db", {name: world / name for name in HOSTS}, world / "bundles")


def check(world: Path, start: Path, online: bool) -> list[str]:
    """What must hold at any moment, also right after a fault.

    :param start: the world before the call
    """
    return [*pair_of(world).broken(pair_of(start), online), *_secrets(world), *_seats(world)]


def _secrets(world: Path) -> Iterator[str]:
    """I7, as far as files go: no code anywhere, keys only in their place, nothing private open to others."""
    codes = (world / "codes").read_bytes().split()
    for place in sorted(world.rglob("*")):
        name = place.relative_to(world).as_posix()
        if place.is_symlink() or name == "codes":
            continue
        mode = stat.S_IMODE(place.lstat().st_mode)
        if place.is_dir():
            inner = name.partition(f"{HOME}/")[2]
            if inner in _PRIVATE and mode & 0o077:
                yield f"I7: {name} has mode {mode:04o}"
            continue
        data = place.read_bytes()
        if any(code in data or code.replace(b"-", b"") in data for code in codes):
            yield f"I7: an activation code stands in {name}"
        if b"PRIVATE KEY" in data:
            if mode & 0o077:
                yield f"I7: {name} holds a private key and has mode {mode:04o}"
            if not _KEYS.fullmatch(name):
                yield f"I7: a private key stands in {name}"


def _seats(world: Path) -> Iterator[str]:
    """The record of the seats holds what was told to be there, or the step after it, and nothing in between."""
    record = world / "old" / HOME / "Seats" / "seats.db"
    told = world / "told"
    heard = ast.literal_eval(told.read_text(encoding="utf-8").splitlines()[-1]) if told.exists() else []
    # Read in a copy, as the first reader takes back what was cut off.
    with tempfile.TemporaryDirectory(dir=world.parent) as folder:
        for part in record.parent.glob("seats.db*"):
            shutil.copy(part, folder)
        found: list[int] = []
        with contextlib.closing(sqlite3.connect(f"{folder}/seats.db")) as db, contextlib.suppress(sqlite3.Error):
            found = [number for (number,) in db.execute("SELECT number FROM seats ORDER BY number")]
    if found not in _SEATS or _SEATS.index(found) - _SEATS.index(heard) not in (0, 1):
        yield f"seats: {heard} were told, {found} are on record"


def shape(world: Path) -> dict[str, tuple[int, str]]:
    """Names, modes and, where it depends on nothing else, contents of what a call leaves on the hosts.

    Ids, which differ from run to run, are left out; so are the bundles, whose names tell the time.
    """
    found = {}
    for base in (*HOSTS, "requests", "fresh.db*"):
        for place in sorted([*world.glob(base), *world.glob(f"{base}/**/*")]):
            name = _ID.sub("ID", place.relative_to(world).as_posix())
            plain = place.suffix in (".lic", ".cpx", ".key", ".pyz", "") or name.endswith(
                ("server.json", "package.json")
            )
            content = (
                place.read_bytes() if place.is_file() and plain and not re.search(r"host\.key|\.tls/", name) else b""
            )
            content = _TIME.sub(b"TIME", content)
            found[name] = (place.lstat().st_mode, hashlib.sha256(content).hexdigest()[:12])
    return found


def everything(world: Path) -> dict[str, str]:
    """Every file as it is, and the rows of the ledger."""
    found = {
        str(place.relative_to(world)): f"{place.lstat().st_mode:o} {hashlib.sha256(place.read_bytes()).hexdigest()}"
        for place in sorted(world.rglob("*"))
        if place.is_file() and not place.name.startswith("authority.db")
    }
    with contextlib.closing(sqlite3.connect(world / "authority.db")) as db:
        tables = ("license", "holding", "transfer", "response")
        dump = [db.execute(f"SELECT * FROM {table}").fetchall() for table in tables]
    return {**found, "ledger": hashlib.sha256(repr(dump).encode()).hexdigest()}


def undecided(world: Path, start: Path) -> list[str]:
    """What an authority has decided that refused to read a request: nothing."""
    now, before = pair_of(world).ledger, pair_of(start).ledger
    facts = [(ledger.live, ledger.spent, set(ledger.answers)) for ledger in (now, before)]
    return [] if facts[0] == facts[1] else ["a request that could not be read was decided"]


def check_end(world: Path, start: Path, action: str | None, numbers: tuple[str, ...], moved: int) -> list[str]:
    """What must hold once the call was made again without a fault.

    :param action: what was asked of the authority, if anything
    :param moved: how many transfers each license is to have spent by now
    """
    pair, before = pair_of(world), pair_of(start).ledger
    ledger, hosts = pair.ledger, pair.hosts
    broken = []
    archived = {mark: data for host in hosts for mark, data in host.archived.items()}
    if pending := {host.name: host.open for host in hosts if host.open}:
        broken.append(f"I3: still pending: {pending}")
    if lost := set(ledger.answers) - set(archived):
        broken.append(f"I3: what the authority answered never came to be applied: {sorted(lost)}")
    for number in numbers:
        if ledger.spent.get(number, 0) != moved:
            broken.append(f"I2: {number} has spent {ledger.spent.get(number, 0)} transfers, not {moved}")
        asked = ledger.asked(action, number) - before.asked(action, number) if action else set()
        if action in ("activate", "deactivate") and len(asked) != 1:
            broken.append(f"I3: {number} was asked for under {len(asked)} ids")
    left = {place.relative_to(world) for place in world.rglob(".tmp-*")}
    left -= {place.relative_to(start) for place in start.rglob(".tmp-*")}
    return broken + [f"left behind: {name}" for name in sorted(left)]
