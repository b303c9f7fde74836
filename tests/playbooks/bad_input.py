# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsed pair for runs that must be refused: with one clear message, and with nothing changed."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import re
import shutil
import sqlite3
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable

import yaml
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from support.lab import Lab
from support.runs import Run
from support.worked_example import CLIENT, SERVER, SESSION

MISSING = "015.120.099.099"
PREPARED = "prepared"

_FATAL = re.compile(r"^fatal: \[([^\]]+)\]: FAILED! => (?=\{)", re.MULTILINE)
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, _PR_CAPBSET_DROP = 1, 2, 24


@dataclass(frozen=True)
class Refusal:
    """The one message of a run that was refused.

    :ivar host: the host it was told for, without the one it was delegated to
    :ivar problems: its parts: what, where, todo
    """

    host: str
    text: str
    problems: list[dict[str, str]]
    output: str

    @property
    def problem(self) -> dict[str, str]:
        """The only problem."""
        assert len(self.problems) == 1, self.text
        return self.problems[0]

    def tells(self, what: str, where: str, todo: str) -> bool:
        """Whether there is a problem with these parts in its what, its where and its todo."""
        found = any(what in one["what"] and where in one["where"] and todo in one["todo"] for one in self.problems)
        assert found, f"no problem tells {what!r} at {where!r} with {todo!r}:\n{self.text}"
        return found


def digits(number: str) -> str:
    return number.replace(".", "")


def bounded(call: Callable[[], Run]) -> Run:
    """Run something so that permissions bind it as they bind any user, even where the tests run as root.

    Root reads and writes what it likes by two of its capabilities. A thread can give them up for itself and for the
    processes that it starts; these remain the owner of the laboratory's files.
    """
    if os.geteuid() != 0:
        return call()
    done: list[Run] = []

    def give_up_and_call() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
            if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "root cannot give up its capabilities here")
        done.append(call())

    thread = threading.Thread(target=give_up_and_call)
    thread.start()
    thread.join()
    assert done, "the run did not come about"
    return done[0]


class Rehearsal(Lab):
    """A laboratory whose source has the worked example active, and that can be brought back to that.

    :param prepared: a laboratory in that state, of which it is a copy
    :param folder: everything lies in it
    """

    def __init__(self, prepared: Lab, folder: Path) -> None:
        vars(self).update(vars(prepared.copy_to(folder / "lab")))
        self._kept = folder / "kept"
        self.keep(PREPARED)

    # -- stages, so that tests can share what costs runs to build

    def keep(self, stage: str) -> None:
        """Keep the hosts, the ledger and the controller's folder as they are now, under a name."""
        place = self._kept / stage
        if place.exists():
            shutil.rmtree(place)
        place.mkdir(parents=True)
        for name in self._changing():
            _copy(self.folder / name, place / name)

    def back_to(self, stage: str = PREPARED) -> Rehearsal:
        """Bring back what was kept, with the inventory of the worked example."""
        place = self._kept / stage
        for name in self._changing():
            _remove(self.folder / name)
        for entry in place.iterdir():
            _copy(entry, self.folder / entry.name)
        self.inventory = self.worked_example()
        self.write_inventory()
        return self

    def kept(self, stage: str) -> Path:
        """The folder that holds what was kept."""
        return self._kept / stage

    def has(self, stage: str) -> bool:
        return self.kept(stage).is_dir()

    def _changing(self) -> list[str]:
        # the ledger with the journal that SQLite may leave beside it
        ledgers = [entry.name for entry in self.folder.glob("*.db*")]
        return [name for name in ("hosts", "aims-license", *ledgers) if (self.folder / name).exists()]

    def state(self) -> dict[str, str]:
        """Return kind, mode and content of everything below both roots, the ledger and the controller's folder."""
        found = {}
        for name in self._changing():
            top = self.folder / name
            for path in (top, *sorted(top.rglob("*"))) if top.is_dir() else (top,):
                found[str(path.relative_to(self.folder))] = _described(path)
        return found

    # -- runs

    def succeeds(self, playbook: str, *options: str) -> Run:
        run = self.play(playbook, *options)
        assert run.code == 0, run.output
        return run

    def refused(self, playbook: str = "migrate", *options: str, secret: str = "", owner: bool = False) -> Refusal:
        """Run a playbook that must be refused, and return its one message.

        :param secret: an activation code that must not be told, beside those of the laboratory
        :param owner: whether permissions shall bind the run even where the tests run as root
        """
        before = self.state()
        run = bounded(lambda: self.play(playbook, *options)) if owner else self.play(playbook, *options)
        refusal = self.refusal_of(run, secret)
        assert self.state() == before, refusal.text
        return refusal

    def refusal_of(self, run: Run, secret: str = "") -> Refusal:
        """Return the one message of a run that was refused, after looking at what every such message must keep to."""
        assert run.code != 0, run.output
        assert "Traceback" not in run.output, run.output
        for code in (*self.codes.values(), secret):
            assert not code or code not in run.output, "an activation code was told"
        found = [(one, json.JSONDecoder().raw_decode(run.output, one.end())[0]) for one in _FATAL.finditer(run.output)]
        # The roles end with a table of where the licenses stand, and that message in it.
        if len(found) == 2 and "status_table" in found[1][1]:
            told = " ".join(found.pop()[1]["status_table"])
            assert " ".join(str(found[0][1]["msg"]).split()) in " ".join(told.split()), run.output
        assert len(found) == 1, run.output
        host, result = found[0][0].group(1).partition(" ")[0], found[0][1]
        problems = result.get("problems", [])
        assert all(problem["what"] and problem["where"] and problem["todo"] for problem in problems), problems
        return Refusal(host, result["msg"], problems, run.output)

    def refused_task(self, host: str, module: str, owner: bool = False, **arguments: Any) -> Refusal:
        """Run one module of the collection on a host, which must be refused."""
        return self.refused(self.task(host, module, **arguments), owner=owner)

    def task(self, host: str, module: str, **arguments: Any) -> str:
        """Write a playbook of one task, and return its file.

        The host's home, root and authority are filled in.
        """
        server = {"home": "{{ aims_license_server_home }}", "root": "{{ aims_license_server_root }}"}
        known = {"authority": "{{ aims_license_server_authority }}"}
        task = {f"aims.licensing.aims_license_{module}": {**server, **known, **arguments}, "name": "Try"}
        play = {"name": "One task", "hosts": host, "gather_facts": False, "tasks": [task]}
        (self.folder / "task.yml").write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
        return "task.yml"

    # -- states of affairs

    @property
    def declared(self) -> list[dict[str, Any]]:
        """The target's declared licenses."""
        licenses: list[dict[str, Any]] = self.target_vars["aims_license_server_licenses"]
        return licenses

    @property
    def common(self) -> dict[str, Any]:
        """The variables of all hosts."""
        variables: dict[str, Any] = self.inventory["all"]["vars"]
        return variables

    @contextlib.contextmanager
    def declaring(self) -> Iterator[Rehearsal]:
        """Change the inventory within, and have it written at the end."""
        yield self
        self.write_inventory()

    def add_host(self, name: str, group: str, **variables: Any) -> dict[str, Any]:
        """Add a host with a root of its own to the inventory; call within :meth:`declaring`."""
        if not self.root(name).exists():
            self.make_root(name)
        hosts = self.inventory["all"]["children"][group]["hosts"]
        hosts[name] = variables
        return variables

    def add_pair(self, target: str, source: str, **variables: Any) -> dict[str, Any]:
        """Add a pair that declares a license of its own; call within :meth:`declaring`."""
        self.add_host(source, "aims_license_sources")
        licenses = [{"number": "015.120.077.001", "activation_code": "M3XKQ-7TRVB-W2HDN-P9ZCE-6JYFA", "profile": "Far"}]
        declared = {"aims_license_migrate_source": source, "aims_license_server_licenses": licenses}
        return self.add_host(target, "aims_license_targets", **{**declared, **variables})

    def offline(self) -> None:
        self.go_offline()

    def offline_file(self, number: str, kind: str) -> Path:
        """The ``request`` or ``response`` file of a license in the controller's folder."""
        return self.work / "offline" / f"{digits(number)}.{kind}"

    def process(self, number: str, out: Path | None = None) -> Path:
        """Have the request of a license answered by the authority; return the response file."""
        into = ["--out", str(out)] if out else []
        answer = self.authority("process", str(self.offline_file(number, "request")), *into)
        return Path(answer["response"])

    def spend_transfers(self, number: str, count: int = 3) -> str:
        """Record transfers of a license in the ledger, the oldest 100 days ago; return when that one comes back."""
        now = datetime.now(timezone.utc).replace(microsecond=0)
        times = [now - timedelta(days=100 - at) for at in range(count)]
        rows = [(number, "machine", f"{time:%Y-%m-%dT%H:%M:%SZ}") for time in times]
        with contextlib.closing(sqlite3.connect(self.ledger)) as db:
            db.executemany("INSERT INTO transfer VALUES (?, ?, ?)", rows)
            db.commit()
        return f"{times[0] + timedelta(days=365):%Y-%m-%d}"

    def expire(self, number: str) -> str:
        """Have the authority hold a license for expired; return since when."""
        past = {"start": "2020-01-01", "expiry": "2020-02-01", "maintenance_expiry": "2020-02-01"}
        with contextlib.closing(sqlite3.connect(self.ledger)) as db:
            body = json.loads(db.execute("SELECT body FROM license WHERE number = ?", (number,)).fetchone()[0])
            db.execute("UPDATE license SET body = ? WHERE number = ?", (json.dumps({**body, **past}), number))
            db.commit()
        return past["expiry"]

    def expire_on(self, host: str, number: str) -> str:
        """Let time pass on a host: its license file and nodelock are those of a license that has expired."""
        expiry = self.expire(number)
        home, stem = self.home(host), digits(number)
        lock = json.loads((home / "Nodelocks" / f"{stem}.lock").read_bytes())["body"]
        with Ledger(str(self.ledger)) as ledger:
            body = {**vars(ledger.license(number)), "realm": ledger.realm.id}
            license = ledger.sign("license", body)
            nodelock = ledger.sign("response", {**lock, "license": json.loads(license)})
        version = {"lock": hashlib.sha256(nodelock).hexdigest(), "lic": hashlib.sha256(license).hexdigest()}
        (home / "Licenses" / f"{stem}.lic").write_bytes(license)
        (home / "Nodelocks" / f"{stem}.lock").write_bytes(nodelock)
        (home / "Nodelocks" / f"{stem}.ver").write_text(json.dumps(version), encoding="utf-8")
        return expiry

    def licenses_are(self, host: str, status: str) -> bool:
        """Whether all licenses of a host have a status."""
        seen = {license["number"]: license["status"] for license in self.overview(host)["licenses"]}
        assert set(seen.values()) == {status} and set(seen) == {SERVER, SESSION, CLIENT}, seen
        return True


def _described(path: Path) -> str:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        return f"link to {path.readlink()}"
    if stat.S_ISDIR(found.st_mode):
        return f"directory {stat.S_IMODE(found.st_mode):o}"
    try:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    except PermissionError:
        # Only where the tests do not run as root; the mode tells that it is meant.
        content = "unreadable"
    return f"file {stat.S_IMODE(found.st_mode):o} {content}"


def _copy(path: Path, to: Path) -> None:
    if path.is_dir():
        shutil.copytree(path, to, symlinks=True)
    else:
        shutil.copy2(path, to)


def _remove(path: Path) -> None:
    if not path.is_dir():
        path.unlink()
        return
    for inner in (path, *path.rglob("*")):
        if inner.is_dir() and not inner.is_symlink():
            inner.chmod(0o700)
    shutil.rmtree(path)
