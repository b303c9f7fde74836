# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An independent model of authority and hosts: what their files and the ledger's tables say.

It knows nothing of the core's code. Each check names the invariant (docs/design.md) that it holds, and tells what is
broken in words. The fault matrix (tests/faults/model.py) looks at its worlds with it, :class:`Model` at laboratories.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import hmac
import http.client
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from support.lab import HOME, Lab


def body(document: bytes) -> dict[str, Any]:
    return dict(json.loads(document)["body"])


def number_of(path: Path) -> str:
    digits = path.name[:12]
    return ".".join(digits[at : at + 3] for at in range(0, 12, 3))


class Ledger:
    """What the authority knows.

    :ivar live: license number → fingerprint of the machine that holds it live
    :ivar answers: request id → response, as it would be given again
    :ivar spent: license number → transfers
    :ivar ended: serials of the log at which a license was given back or released → its number
    """

    def __init__(self, path: Path) -> None:
        # Not read-only: where a transaction was cut off, the first reader takes it back.
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True)) as ledger:
            held = ledger.execute("SELECT number, fingerprint FROM holding WHERE live").fetchall()
            answers = ledger.execute("SELECT request_id, content FROM response").fetchall()
            spent = ledger.execute("SELECT number, count(*) FROM transfer GROUP BY number").fetchall()
            (self._key,) = ledger.execute("SELECT public_key FROM realm").fetchone()
            log = "SELECT serial, at, event, number, detail, previous, hash FROM audit ORDER BY serial"
            self._log = ledger.execute(log).fetchall()
        self.live: dict[str, Any] = {number: json.loads(machine) for number, machine in held}
        self.answers: dict[str, bytes] = {mark: bytes(data) for mark, data in answers}
        self.spent: dict[str, int] = dict(spent)
        known = [(row[0], row[2], row[3], json.loads(row[4])) for row in self._log]
        granted = [row for row in known if row[3].get("outcome") == "granted"]
        self.ended = {
            serial: number for serial, event, number, _detail in granted if event in ("deactivate", "release")
        }
        self._activations = [(number, detail) for _serial, event, number, detail in granted if event == "activate"]

    def granted(self, action: str) -> list[dict[str, Any]]:
        """The bodies of the granted responses, in the order of their serials."""
        said = [body(data) for data in self.answers.values()]
        found = [one for one in said if (one["action"], one["outcome"]) == (action, "granted")]
        return sorted(found, key=lambda one: one["serial"])

    def asked(self, action: str, number: str) -> set[str]:
        """The ids of the requests that were answered."""
        said = {mark: body(data) for mark, data in self.answers.items()}
        return {mark for mark, one in said.items() if (one["action"], one["number"]) == (action, number)}

    def moved(self) -> dict[str, int]:
        """How often each license came to another machine, counted from what was granted alone."""
        at: dict[str, Any] = {}
        moved: dict[str, int] = {}
        for number, granted in self._activations:
            machine = granted["fingerprint"]
            if at.get(number, machine) != machine:
                moved[number] = moved.get(number, 0) + 1
            at[number] = machine
        return moved

    def gave(self, mark: str, response: bytes) -> bool:
        """Whether this is what a request was answered, be it a grant that was withdrawn since."""
        now, then = self.answers.get(mark), body(response)
        if now is None or not self.signed(response):
            return False
        return now == response or (self.is_withdrawn(body(now)) and then["outcome"] == "granted")

    def is_withdrawn(self, answer: Mapping[str, Any]) -> bool:
        """Whether an activation is refused since the very moment that its license was given back or released."""
        refused = (answer["action"], answer["outcome"]) == ("activate", "refused")
        return refused and self.ended.get(answer["serial"]) == answer["number"]

    def signed(self, document: bytes) -> bool:
        """Whether the realm's key signed a document: over its kind and body in canonical form."""
        whole = json.loads(document)
        signature = base64.b64decode(whole.pop("signatures")["realm"])
        canonical = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        try:
            Ed25519PublicKey.from_public_bytes(base64.b64decode(self._key)[:32]).verify(signature, canonical)
        except InvalidSignature:
            return False
        return True

    def broken(self) -> Iterator[str]:
        if self.spent != self.moved():
            yield f"I2: transfers spent {self.spent}, licenses moved {self.moved()}"
        bodies = {mark: body(data) for mark, data in self.answers.items()}
        logged = {detail["request"] for _number, detail in self._activations}
        # Emergency activations move nothing, and are logged under a name of their own.
        answered = {one["request_id"] for one in self.granted("activate") if "until" not in one}
        answered |= {mark for mark, one in bodies.items() if mark in logged and self.is_withdrawn(one)}
        if answered != logged:
            yield f"I2: activations {sorted(logged ^ answered)} were logged and not answered, or the other way round"
        held = {number: detail["request"] for number, detail in self._activations if number in self.live}
        for number, mark in held.items():
            if mark in bodies and self.is_withdrawn(bodies[mark]):
                yield f"I2: the activation by which {number} is live would be refused, were it asked for again"
        previous = "0" * 64
        for row in self._log:
            if row[5] != previous or row[6] != hashlib.sha256(json.dumps(row[:6]).encode()).hexdigest():
                yield f"the audit log is broken at {row[0]}"
            previous = row[6]


class Host:
    """What a host's files say.

    :param root: the folder that stands for its root
    :ivar locks: license number → nodelock as it lies there
    :ivar fenced: license numbers
    :ivar open: license number → id of the request that is open
    :ivar archived: request id → response, of what was ever answered here
    :ivar machine: its fingerprint: under an alternate root nothing but the machine-id
    :ivar foreign: every file outside the home that is not the collection's own, with its content
    """

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self.home = root / HOME.lstrip("/")
        self.locks = {number_of(path): path.read_bytes() for path in self.home.glob("Nodelocks/*.lock")}
        config = self.home / "Config" / "server.json"
        self.fenced = set(json.loads(config.read_bytes())["fenced"]) if config.exists() else set()
        self.open = {number_of(path): body(path.read_bytes())["id"] for path in self.home.glob("Journal/*.request")}
        responses = [*self.home.glob("Journal/*.response"), *self.home.glob("Journal/closed/*.response")]
        self.archived = {body(data)["request_id"]: data for data in map(Path.read_bytes, responses)}
        ours = (HOME.lstrip("/"), "etc/ansible/facts.d")
        outside = [path for path in root.rglob("*") if not any(own in str(path.relative_to(root)) for own in ours)]
        self.foreign = {str(path.relative_to(root)): path.read_bytes() for path in outside if path.is_file()}
        machine_id = (root / "etc" / "machine-id").read_bytes().strip()
        hashed = hmac.new(b"aims.licensing fingerprint 1", b"machine-id\0" + machine_id, hashlib.sha256).hexdigest()
        self.machine = {"machine-id": hashed[:32]}

    @property
    def served(self) -> set[str]:
        """The licenses that this host may serve."""
        return set(self.locks) - self.fenced

    def installed(self) -> bool:
        package = self.home / "Bin" / "package.json"
        return package.exists() and (self.home / "Bin" / "licsrv").exists()


@functools.lru_cache(maxsize=64)
def parsed(text: bytes) -> Any:
    return yaml.safe_load(text)


class Bundle:
    """A bundle on the controller, read without the code that wrote it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def whole(self) -> bool:
        manifest = self.path / "manifest.yml"
        if not manifest.exists() or not (self.path / "manifest.sha256").exists():
            return False
        listed = (self.path / "manifest.sha256").read_text(encoding="utf-8").split()[0]
        if hashlib.sha256(manifest.read_bytes()).hexdigest() != listed:
            return False
        told = parsed(manifest.read_bytes())
        wanted = {f"files/{one['name']}": one["stored_sha256"] for one in told["files"]} | told["pages"]
        return all(
            (self.path / name).exists() and hashlib.sha256((self.path / name).read_bytes()).hexdigest() == digest
            for name, digest in wanted.items()
        )

    def active(self) -> set[str]:
        overview = parsed((self.path / "overview.yml").read_bytes())
        return {one["number"] for one in overview["licenses"] if one["status"] == "Active"}


class Pair:
    """A source and a target at one moment, their authority, and the bundles on their controller.

    :param roots: name → root, the source's first
    :param bundles: a folder for each host
    :ivar written: every file of the bundles but the mark of the newest, with its mode and content
    """

    def __init__(self, ledger: Path, roots: Mapping[str, Path], bundles: Path) -> None:
        self.ledger = Ledger(ledger)
        self.hosts = [Host(name, root) for name, root in roots.items()]
        self.bundles = bundles
        files = [path for path in bundles.glob("*/2*/**/*") if path.is_file()]
        self.written = {str(path.relative_to(bundles)): (path.lstat().st_mode, path.read_bytes()) for path in files}

    def broken(self, start: Pair, online: bool) -> Iterator[str]:
        """What does not hold at this moment, whatever has befallen the pair.

        :param start: the pair before
        :param online: the hosts reach the authority themselves, so that only one outcome is unknown at a time
        """
        yield from self.ledger.broken()
        yield from self._one_machine()
        for host, before in zip(self.hosts, start.hosts):
            yield from self._exchanges(host, before, online)
            for name in sorted({*host.foreign, *before.foreign}):
                if host.foreign.get(name) != before.foreign.get(name):
                    yield f"I9: {name} on {host.name} was changed"
        yield from self._kept(start)

    def _one_machine(self) -> Iterator[str]:
        source, target = self.hosts
        for number in source.served & target.served:
            yield f"I1: {number} may be served by both hosts"
        for host in self.hosts:
            for number in host.served:
                if self.ledger.live.get(number) != host.machine:
                    yield f"I1: {host.name} may serve {number}, which is not live there for the authority"
        for number, machine in self.ledger.live.items():
            holders = [host for host in self.hosts if host.machine == machine]
            if not any(number in {**host.locks, **host.open} for host in holders):
                yield f"lost: the authority holds {number} for live on a host that knows nothing of it"

    def _exchanges(self, host: Host, start: Host, online: bool) -> Iterator[str]:
        doubt = [number for number, mark in host.open.items() if mark not in host.archived]
        if online and len(doubt) > 1:
            yield f"I3: {len(doubt)} licenses are in doubt at a time on {host.name}"
        for mark, data in host.archived.items():
            if not self.ledger.gave(mark, data):
                yield f"I5: {host.name} archived what the authority never answered to {mark}"
        for number, data in host.locks.items():
            if start.locks.get(number) != data and data not in host.archived.values():
                yield f"I5: {host.name} applied an activation of {number} that it had not archived"
        receipts = [body(data) for mark, data in host.archived.items() if mark not in start.archived]
        given = {one["number"] for one in receipts if one["action"] == "deactivate"}
        for number in set(start.locks) - set(host.locks) - given:
            yield f"I5: {host.name} dropped the nodelock of {number} without an archived receipt"

    def _kept(self, start: Pair) -> Iterator[str]:
        for name, seen in start.written.items():
            if self.written.get(name) != seen:
                yield f"I6: {name} of a bundle that was there before was changed"
        for host in self.hosts:
            newest = Bundle(self.bundles / host.name / "latest")
            made = [Bundle(path) for path in self.bundles.glob(f"{host.name}/2*")]
            if not newest.path.exists():
                if (start.bundles / host.name / "latest").exists():
                    yield "I6: the newest bundle is gone"
            elif not newest.whole():
                yield "I6: the newest bundle is not whole"
            elif any(one.whole() and one.active() > newest.active() for one in made):
                yield "I6: the newest bundle is poorer than one before"


class Model:
    """What has to hold in a laboratory, whatever befalls it, until its licenses are moved.

    :param online: the hosts reach the authority themselves, so that only one outcome is unknown at a time
    :param since: the laboratory that it is a copy of, before the migration began; itself as it is now by default
    """

    def __init__(self, lab: Lab, online: bool = True, since: Lab | None = None) -> None:
        self._lab = lab
        self._online = online
        self._start = pair_of(since or lab)

    def broken(self, *outputs: str) -> list[str]:
        """What does not hold at this moment.

        :param outputs: what runs have told
        """
        pair = pair_of(self._lab)
        return [*pair.broken(self._start, self._online), *self._given_up(pair), *_told(outputs)]

    def _given_up(self, pair: Pair) -> Iterator[str]:
        """What stands on the hosts and on the controller once something was given up."""
        source, target = pair.hosts
        new = set(pair.ledger.answers) - set(self._start.ledger.answers)
        gone = [one for one in pair.ledger.granted("deactivate") if one["request_id"] in new]
        numbers = {one["number"] for one in gone if one["fingerprint"] == source.machine}
        numbers |= source.fenced - self._start.hosts[0].fenced
        if numbers and not target.installed():
            yield "I4: the source gave licenses up before the target was installed"
        bundles = [Bundle(path) for path in pair.bundles.glob(f"{source.name}/2*")]
        covered = [bundle.active() for bundle in bundles if bundle.whole()]
        if numbers and not any(numbers <= one for one in covered):
            yield f"I4: {sorted(numbers)} were given up without a whole bundle on the controller that covers them"

    def unsettled(self) -> list[str]:
        """What does not hold now that the migration has ended well: every license moved once, under one id each."""
        pair = pair_of(self._lab)
        source, target = pair.hosts
        numbers = set(self._start.hosts[0].locks)
        found = []
        if (source.locks.keys(), target.locks.keys()) != (set(), numbers):
            found.append(f"the source holds {sorted(source.locks)}, the target {sorted(target.locks)}")
        if pair.ledger.spent != dict.fromkeys(numbers, 1):
            found.append(f"I2: {pair.ledger.spent} transfers are spent")
        if pair.ledger.live != dict.fromkeys(numbers, target.machine):
            found.append("I1: the authority does not hold every license for live on the target")
        for host in (source, target):
            if host.open:
                found.append(f"I3: requests are open on {host.name}: {sorted(host.open)}")
        archived = {**source.archived, **target.archived}
        found += [f"I3: the answer to {mark} was never archived" for mark in set(pair.ledger.answers) - set(archived)]
        for action in ("deactivate", "activate"):
            new = [body(data) for mark, data in archived.items() if mark not in self._start.ledger.answers]
            asked = sorted(one["number"] for one in new if one["action"] == action)
            if asked != sorted(numbers):
                found.append(f"I3: asked to {action}: {asked}")
        left = [path for path in self._lab.folder.glob("*/**/.tmp-*") if path.parts[-2] != "ansible"]
        return found + [f"left behind: {path.relative_to(self._lab.folder)}" for path in left]


def pair_of(lab: Lab) -> Pair:
    """A laboratory's pair as it is now."""
    return Pair(lab.ledger, {name: lab.root(name) for name in (lab.source, lab.target)}, lab.work / "bundles")


def _told(outputs: tuple[str, ...]) -> Iterator[str]:
    for output in outputs:
        if "Traceback" in output:
            yield f"I8: a traceback: {output[output.index('Traceback') :][:3000]}"
        failed = re.findall(r"^fatal: .*|^\[ERROR\]: .*", output, re.MULTILINE)
        for line in failed:
            if re.search(r"Unexpected Exception|unexpected error|MODULE FAILURE", line, re.IGNORECASE):
                yield f"I8: an error nobody foresaw: {line[:3000]}"


def grants(address: str, profile: str) -> bool:
    """Whether a license server gives a seat, asked over the wire; it is given back at once."""
    connection = http.client.HTTPConnection(address, 3400, timeout=30)
    seat = hashlib.sha256(f"{address} {profile}".encode()).hexdigest()[:31]
    with contextlib.closing(connection):
        for attempt in range(16):
            told = json.dumps({"profile": profile, "user": "AIMS\\anna", "client": "workstation"})
            try:
                connection.request("PUT", f"/v1/seats/{seat}{attempt:x}", told, {"Content-Type": "application/json"})
            except ConnectionRefusedError:
                return False
            reply = connection.getresponse()
            reply.read()
            if reply.status == 410:
                continue  # this id has been given back before
            if reply.status == 200:
                connection.request("DELETE", f"/v1/seats/{seat}{attempt:x}")
                connection.getresponse().read()
            return reply.status == 200
    raise AssertionError("every id has been used")
