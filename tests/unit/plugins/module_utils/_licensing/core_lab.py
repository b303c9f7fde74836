# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A laboratory for the core: hosts as alternate roots, an authority, a clock that is set by hand, and faults."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils import _licensing
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.issue import new_license
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.processor import RequestProcessor
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import Embedded, OfflineFiles
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import Home
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.bundled import BundledManager
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.drain import DrainOptions, Step
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation, Deactivation
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Account, digits
from support import worked_example
from support.worked_example import CLIENT, CODES, HOME, SERVER, SESSION, WRONG_CODE  # noqa: F401 # pylint: disable=unused-import

NUMBERS = (SERVER, SESSION, CLIENT)
GRANTS = {number: (license["type"], license["seats"]) for number, license in worked_example.GRANTS.items()}
PROFILES = {SERVER: ("PROServer", False), SESSION: ("PROSession", True), CLIENT: ("Client", True)}
BEGINNING = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


class Clock:
    """Gives the time that it is set to."""

    def __init__(self, now: datetime = BEGINNING) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **units: float) -> None:
        self.now += timedelta(**units)


def declared(*numbers: str, nodelock: str = "machine", **codes: str) -> list[DeclaredLicense]:
    """Return licenses of the worked example as a host's inventory declares them."""
    return [
        DeclaredLicense(number, codes.get("code", CODES[number]), *PROFILES[number], nodelock)
        for number in numbers or NUMBERS
    ]


def entries(*numbers: str, **more: Any) -> list[dict[str, Any]]:
    """Return licenses of the worked example as an inventory or a task writes them."""
    return [
        {
            "number": number,
            "activation_code": CODES[number],
            "profile": PROFILES[number][0],
            "default": PROFILES[number][1],
            **more,
        }
        for number in numbers
    ]


def all_files(folder: Path) -> dict[str, tuple[int, str]]:
    """Return mode and digest of every file and directory below a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(folder))] = (path.lstat().st_mode, content)
    return found


class Host:
    """A machine: an alternate root with a machine-id, and the home of a license server in it."""

    def __init__(self, root: Path, machine_id: str, clock: Clock) -> None:
        self.root = root
        (root / "etc").mkdir(parents=True)
        self.set_machine_id(machine_id)
        self.home = Home(HOME, str(root))
        self.folder = root / HOME.lstrip("/")
        self.clock = clock

    def set_machine_id(self, machine_id: str) -> None:
        (self.root / "etc" / "machine-id").write_text(f"{machine_id}\n", encoding="utf-8")

    @property
    def manager(self) -> BundledManager:
        """A manager as a new process would have it."""
        return BundledManager(Home(HOME, str(self.root)), self.clock)

    @property
    def overview(self) -> dict[str, Any]:
        return self.manager.overview().as_dict()

    def statuses(self) -> dict[str, str]:
        return {license["number"]: license["status"] for license in self.overview["licenses"]}

    def profiles(self) -> list[tuple[str, str]]:
        return [(profile["name"], profile["license"]) for profile in self.overview["profiles"]]

    def files(self) -> dict[str, tuple[int, str]]:
        return all_files(self.root)

    def served(self) -> set[str]:
        """The licenses that this home would serve, read off its files without the core."""
        config = self.folder / "Config" / "server.json"
        fenced = json.loads(config.read_text(encoding="utf-8"))["fenced"] if config.exists() else {}
        locks = (self.folder / "Nodelocks").glob("*.lock")
        return {lock.stem for lock in locks} - {digits(number) for number in fenced}

    def open_requests(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "Journal").glob("*") if path.is_file())

    def write(self, name: str, content: bytes | str) -> None:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


class CoreLab:
    """Two hosts ``old`` and ``new``, and an authority that issued the worked example.

    :ivar template_realm: of the newest ledger that was made to be copied
    """

    template_realm = Realm("REHEARSAL test", "A" * 43 + "=")

    def __init__(self, folder: Path, ledger: bytes) -> None:
        self.folder = folder
        self.clock = Clock()
        self.ledger_path = folder / "authority.db"
        self.ledger_path.write_bytes(ledger)
        self.ledger = Ledger(str(self.ledger_path))
        # A laboratory of another ledger, made in between, has another realm.
        CoreLab.template_realm = self.ledger.realm
        self.ledger._db.execute("PRAGMA synchronous = OFF")
        self.old = self.host("old", "1" * 31 + "a")
        self.new = self.host("new", "2" * 31 + "b")

    @classmethod
    def new_ledger(cls, folder: Path) -> bytes:
        """Return a ledger with the licenses of the worked example, as a file's content."""
        path = folder / "template.db"
        with Ledger.create(str(path), "test") as ledger, ledger.change():
            for number in NUMBERS:
                cls.template_realm = ledger.realm
                ledger.put_license(cls.license(number), BEGINNING)
        return path.read_bytes()

    @classmethod
    def license(cls, number: str, start: str = "2025-01-01", expiry: str = "2099-12-31") -> Any:
        return new_license(cls.template_realm, number, CODES[number], (*GRANTS[number], start, expiry))

    def host(self, name: str, machine_id: str) -> Host:
        host = Host(self.folder / "hosts" / name, machine_id, self.clock)
        host.home.create()
        return host

    @property
    def realm(self) -> Any:
        return self.ledger.realm

    def desk(self, online: bool = True) -> RequestProcessor:
        return RequestProcessor(self.ledger, online, self.clock)

    def channel(self) -> Embedded:
        return Embedded(self.realm, "the authority", self.desk().answer, self.ledger.check_writable)

    @staticmethod
    def offline(responses: Mapping[str, bytes] | None = None) -> OfflineFiles:
        return OfflineFiles(responses or {})

    def process(self, requests: Mapping[str, bytes]) -> dict[str, bytes]:
        """Answer request files at the desk, as a person has them answered."""
        return {number: self.desk(online=False).answer(request) for number, request in requests.items()}

    def activate(self, host: Host, *numbers: str, dry: bool = False, **options: Any) -> Any:
        return host.manager.activate(Activation(declared(*numbers), **options), self.channel(), dry=dry)

    def deactivate(
        self,
        host: Host,
        *numbers: str,
        drain_seconds: float | None = None,
        force: bool = False,
        step: Step | None = None,
        dry: bool = False,
    ) -> Any:
        drain = None if drain_seconds is None else DrainOptions(drain_seconds, force)
        deactivation = Deactivation(list(numbers or NUMBERS), drain, step)
        return host.manager.deactivate(deactivation, self.channel(), dry=dry)

    def spent(self, number: str = SERVER, nodelock: str = "machine") -> int:
        """Transfers of a license on the ledger."""
        return len(self.ledger.account(number, nodelock).times)

    def close(self) -> None:
        self.ledger.close()

    def check_one_holder(self, *hosts: Host) -> None:
        """Assert invariant I1 from the homes' files alone: no license is served by two machines."""
        served: dict[str, list[str]] = {}
        for host in hosts or (self.old, self.new):
            for number in host.served():
                served.setdefault(number, []).append(host.root.name)
        double = {number: names for number, names in served.items() if len(names) > 1}
        assert not double, f"live on several machines: {double}"


class LostReply(Embedded):
    """A channel over which requests arrive and responses get lost; the authority behind it is always ready."""

    def __init__(self, realm: Any, answer: Any, damage: Any = None) -> None:
        super().__init__(realm, "a bad line", answer, lambda dry: None)
        self.damage = damage
        self.requests: list[bytes] = []

    def exchange(self, number: str, request: bytes) -> bytes | None:
        self.requests.append(request)
        response = super().exchange(number, request)
        if b'"action":"quote"' in request:
            return response
        if self.damage is None:
            raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
        return self.damage(response)


@contextlib.contextmanager
def without_room(process: int) -> Iterator[None]:
    """Let a process find the disk full: no file that it writes can have a byte more."""
    limits = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, limits)


class PowerCut(BaseException):
    """Ends a run as a power cut does: no handler for ordinary errors runs."""


@contextlib.contextmanager
def fault_at(monkeypatch: pytest.MonkeyPatch, step: int, error: type[BaseException]) -> Iterator[list[str]]:
    """Let the disk fail at one durable step (write, move or remove), counted from 1; yield the steps made."""
    steps: list[str] = []
    originals = {name: getattr(Folder, name) for name in ("write", "move", "remove")}

    def faulty(kind: str) -> Any:
        def act(self: Folder, name: str, *rest: Any, **options: Any) -> Any:
            steps.append(f"{kind} {name}")
            if len(steps) >= step:
                # nothing works any more once the disk has failed
                if issubclass(error, OSError):
                    with self._reporting(name, kind):
                        raise error(errno.EIO, "Input/output error")
                raise error(f"at {steps[-1]}")
            return originals[kind](self, name, *rest, **options)

        return act

    with monkeypatch.context() as patch:
        for kind in originals:
            patch.setattr(Folder, kind, faulty(kind))
        yield steps


def problems_of(error: pytest.ExceptionInfo[LicensingError]) -> list[str]:
    """The problems of a refusal in words."""
    return [problem.what for problem in error.value.problems]


def at(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)


def account(nodelock: str, *times: datetime) -> Account:
    return Account(nodelock, tuple(times))


def names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [row["name"] for row in rows]


_DROP = """
import os, pkgutil, sys
from importlib import import_module
core = import_module(NAME)
for found in pkgutil.walk_packages(core.__path__, NAME + "."):
    globals()[found.name[len(NAME) + 1:].replace(".", "_")] = import_module(found.name)
documents.new_private_key()
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
"""


def as_nobody(script: str, *arguments: str) -> str:
    """Run a script with the core's modules at hand (``files``, ``authority_ledger``); return what it prints.

    It runs as a user without rights, or as whoever runs the tests if that is not root: files that it is to be kept
    from must be so by their modes, for their owner too.
    """
    core = Path(str(_licensing.__file__)).parents[6]
    command = [sys.executable, "-B", "-c", f"NAME = {_licensing.__name__!r}\n{_DROP}\n{script}", *arguments]
    done = subprocess.run(
        command,
        env={"PYTHONPATH": str(core)},
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def let_others_come_to(path: Path) -> None:
    """Open the way to a temporary folder, which pytest keeps to its user."""
    if os.geteuid() == 0:
        for parent in path.parents:
            parent.chmod(parent.stat().st_mode | 0o011)


def actions(change: Any) -> list[str]:
    """What a call did with each license: ``activated``, ``pending``, …"""
    return [result.action for result in change.results]
