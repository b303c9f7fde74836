# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An independent model of authority and hosts: reads files and SQLite by itself, and knows nothing of the core's code.

Each check names the invariant (docs/design.md) that it holds, and returns what is broken in words.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HOME = "opt/aims-license-server"
HOSTS = ("old", "new")
_ID = re.compile(r"[0-9a-f]{32}")
_TIME = re.compile(rb"20\d\d-\d\d-\d\dT[0-9:]+Z")
_PRIVATE = {"Config", "Journal", "Seats", "ApplicationKeys", "Journal/closed"}


def number_of(stem: str) -> str:
    return ".".join(stem[at : at + 3] for at in range(0, 12, 3))


def body(data: bytes) -> dict[str, Any]:
    return dict(json.loads(data)["body"])


def rows(world: Path, statement: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(world / "authority.db") as db:
        found = db.execute(statement).fetchall()
    db.close()
    return found


class Authority:
    """What the ledger says."""

    def __init__(self, world: Path) -> None:
        self.live = {
            number: json.loads(machine)
            for number, live, machine in rows(world, "SELECT number, live, fingerprint FROM holding")
            if live
        }
        self.answers = {mark: bytes(data) for mark, data in rows(world, "SELECT request_id, content FROM response")}
        self.transfers: dict[str, int] = dict(rows(world, "SELECT number, COUNT(*) FROM transfer GROUP BY number"))
        self.log = rows(world, "SELECT serial, at, event, number, detail, previous, hash FROM audit ORDER BY serial")

    def granted(self, action: str) -> list[dict[str, Any]]:
        said = [body(data) for data in self.answers.values()]
        found = [one for one in said if one["action"] == action and one["outcome"] == "granted"]
        return sorted(found, key=lambda one: one["serial"])

    def asked(self, action: str, number: str) -> set[str]:
        """The ids of the requests that were answered."""
        said = {mark: body(data) for mark, data in self.answers.items()}
        return {mark for mark, one in said.items() if (one["action"], one["number"]) == (action, number)}

    def moves(self) -> dict[str, int]:
        """How often each license came to another machine, counted from the answers alone."""
        at: dict[str, Any] = {}
        moved: dict[str, int] = {}
        for one in self.granted("activate"):
            before = at.get(one["number"])
            if before is not None and before != one["fingerprint"]:
                moved[one["number"]] = moved.get(one["number"], 0) + 1
            at[one["number"]] = one["fingerprint"]
        return moved

    def broken(self) -> Iterator[str]:
        if self.transfers != self.moves():
            yield f"I2: transfers spent {self.transfers}, licenses moved {self.moves()}"
        previous = "0" * 64
        for row in self.log:
            if row[5] != previous or row[6] != hashlib.sha256(json.dumps(row[:6]).encode()).hexdigest():
                yield f"the audit log is broken at {row[0]}"
            previous = row[6]


class Host:
    """What the files of a host's home say."""

    def __init__(self, world: Path, name: str) -> None:
        self.name = name
        self.home = world / name / HOME

    def read(self, place: str) -> bytes | None:
        found = self.home / place
        return found.read_bytes() if found.exists() else None

    @property
    def config(self) -> dict[str, Any]:
        data = self.read("Config/server.json")
        return dict(json.loads(data)) if data else {"fenced": {}}

    def locks(self) -> dict[str, bytes]:
        return {number_of(place.stem): place.read_bytes() for place in self.home.glob("Nodelocks/*.lock")}

    def served(self) -> dict[str, dict[str, Any]]:
        """License number → machine, of what this host would serve."""
        fenced = self.config["fenced"]
        return {number: body(data)["fingerprint"] for number, data in self.locks().items() if number not in fenced}

    def pending(self) -> dict[str, str]:
        """License number → id of its open request."""
        found = self.home.glob("Journal/*.request")
        return {number_of(place.stem): body(place.read_bytes())["id"] for place in found}

    def archived(self) -> dict[str, bytes]:
        """Request id → response, of what was ever answered here, applied or not."""
        places = [*self.home.glob("Journal/*.response"), *self.home.glob("Journal/closed/*.response")]
        return {body(data)["request_id"]: data for data in (place.read_bytes() for place in places)}


def check(world: Path, start: Path, online: bool) -> list[str]:
    """What must hold at any moment, also right after a fault.

    :param start: the world before the call
    """
    authority = Authority(world)
    broken = list(authority.broken())
    hosts = [Host(world, name) for name in HOSTS]
    served = [(host, number, machine) for host in hosts for number, machine in host.served().items()]
    for host, number, machine in served:
        if sum(number == other for _host, other, _machine in served) > 1:
            broken.append(f"I1: {number} is served by several machines")
        if authority.live.get(number) != machine:
            broken.append(f"I1: {host.name} serves {number}, which the authority holds for live elsewhere or nowhere")
    for host in hosts:
        archived, before = host.archived(), Host(start, host.name)
        doubt = [number for number, mark in host.pending().items() if mark not in archived]
        if online and len(doubt) > 1:
            broken.append(f"I3: {len(doubt)} licenses are in doubt at a time on {host.name}")
        for mark, data in archived.items():
            if authority.answers.get(mark) != data:
                broken.append(f"I5: {host.name} archived what the authority did not answer to {mark}")
        was, now = before.locks(), host.locks()
        new = set(archived) - set(before.archived())
        for number, data in now.items():
            if was.get(number) != data and data not in archived.values():
                broken.append(f"I5: {host.name} applied an activation of {number} that it did not archive")
        receipts = {body(archived[mark])["number"] for mark in new if body(archived[mark])["action"] == "deactivate"}
        if lost := set(was) - set(now) - receipts:
            broken.append(f"I5: {host.name} dropped the nodelocks of {lost} without an archived receipt")
    return broken + list(_secrets(world)) + list(_foreign(world, start)) + list(_bundles(world, start))


def _secrets(world: Path) -> Iterator[str]:
    """I7, as far as files go: no code anywhere, keys only in their place, nothing private open to others."""
    codes = (world / "codes").read_bytes().split()
    for place in sorted(world.rglob("*")):
        name = place.relative_to(world).as_posix()
        if place.is_symlink() or name == "codes" or name.startswith("authority.db"):
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
            if not re.search(r"/(host\.key|\.tmp-host\.key-[0-9a-f]+)$", name):
                yield f"I7: a private key stands in {name}"


def _foreign(world: Path, start: Path) -> Iterator[str]:
    """I9: another product's folder beside the home, and the machine's own files."""
    for host in HOSTS:
        for place in (start / host).rglob("*"):
            name = place.relative_to(start)
            if HOME not in name.as_posix() and place.is_file() and (world / name).read_bytes() != place.read_bytes():
                yield f"I9: {name} was changed"


def _bundles(world: Path, start: Path) -> Iterator[str]:
    """I6: the newest bundle is whole and no poorer than the one before, which is as it was."""
    old = start / "bundles/old"
    for place in old.glob("2*/**/*"):
        name = place.relative_to(start)
        if place.is_file() and (not (world / name).exists() or (world / name).read_bytes() != place.read_bytes()):
            yield f"I6: {name} of the bundle before was changed"
    latest = world / "bundles/old/latest"
    text = (latest / "manifest.yml").read_bytes() if (latest / "manifest.yml").exists() else b""
    if not text or (latest / "manifest.sha256").read_text().split()[0] != hashlib.sha256(text).hexdigest():
        yield "I6: the newest bundle has no valid manifest"
        return
    manifest = parsed(text)
    listed = {f"files/{one['name']}": one["stored_sha256"] for one in manifest["files"]} | manifest["pages"]
    for name, digest in listed.items():
        if hashlib.sha256((latest / name).read_bytes()).hexdigest() != digest:
            yield f"I6: {name} of the newest bundle is damaged"
    if live(latest) < live(old / "latest"):
        yield "I6: the newest bundle is poorer than the one before"


@functools.lru_cache(maxsize=64)
def parsed(text: bytes) -> Any:
    return yaml.safe_load(text)


def live(bundle: Path) -> set[str]:
    overview = parsed((bundle / "overview.yml").read_bytes())
    return {one["number"] for one in overview["licenses"] if one["status"] == "Active"}


def shape(world: Path) -> dict[str, tuple[int, str]]:
    """Names, modes and, where it depends on nothing else, contents of what a call leaves on the hosts.

    Ids, which differ from run to run, are left out; so are the bundles, whose names tell the time.
    """
    found = {}
    for base in (*HOSTS, "requests"):
        for place in sorted((world / base).rglob("*")):
            name = _ID.sub("ID", place.relative_to(world).as_posix())
            plain = place.suffix in (".lic", ".cpx", ".key", ".pyz", "") or name.endswith(
                ("server.json", "package.json")
            )
            content = place.read_bytes() if place.is_file() and plain and "host.key" not in name else b""
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
    dump = [rows(world, f"SELECT * FROM {table}") for table in ("license", "holding", "transfer", "response")]
    return {**found, "ledger": hashlib.sha256(repr(dump).encode()).hexdigest()}


def check_end(world: Path, start: Path, action: str | None, numbers: tuple[str, ...], moved: int) -> list[str]:
    """What must hold once the call was made again without a fault.

    :param action: what was asked of the authority, if anything
    :param moved: how many transfers each license is to have spent by now
    """
    authority, before = Authority(world), Authority(start)
    broken = []
    hosts = [Host(world, name) for name in HOSTS]
    archived = {mark: data for host in hosts for mark, data in host.archived().items()}
    if pending := {host.name: host.pending() for host in hosts if host.pending()}:
        broken.append(f"I3: still pending: {pending}")
    if lost := set(authority.answers) - set(archived):
        broken.append(f"I3: what the authority answered never came to be applied: {sorted(lost)}")
    for number in numbers:
        if authority.transfers.get(number, 0) != moved:
            broken.append(f"I2: {number} has spent {authority.transfers.get(number, 0)} transfers, not {moved}")
        asked = authority.asked(action, number) - before.asked(action, number) if action else set()
        if action in ("activate", "deactivate") and len(asked) != 1:
            broken.append(f"I3: {number} was asked for under {len(asked)} ids")
    left = {place.relative_to(world) for place in world.rglob(".tmp-*")}
    left -= {place.relative_to(start) for place in start.rglob(".tmp-*")}
    return broken + [f"left behind: {name}" for name in sorted(left)]
