# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A move of the vendor's license server from the first runbook to the report, with a person who does what it asks for.

One command is run over and over. After each run a person does the steps that are due, and confirms those that leave no
evidence. After each run, however it ended, the walk checks that no license is lost or counted twice, and that no
activation code has come to light.
"""

from __future__ import annotations

import json
import random
import signal
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.events import Events, gaps, held, release
from support.lab import Lab
from support.leaks import disguises
from support.persons import Person
from support.posts import PORT, Clients, Post
from support.runs import Run, must
from support.steps import LOUD
from support.vendor_manager import RequestPage, VendorAuthority
from support.worked_example import NUMBERS, WORKED_EXAMPLE

# More stops than any move has phases.
MOST_STOPS = 12


@dataclass
class Faults:
    """How the runs of a walk are disturbed, at every stop or at some.

    :ivar interrupts: at a stop, run the command again and interrupt it there, as Ctrl-C does
    :ivar kills: on the way to a stop, kill the controller once, between two tasks that the seed chooses
    :ivar stops: at which stops, from 0
    :ivar interrupted: the events at which a run was interrupted
    :ivar killed: the events at which a run was killed
    """

    interrupts: bool = False
    kills: bool = False
    seed: int = 0
    stops: Collection[int] = range(MOST_STOPS)
    interrupted: list[str] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)


class Walk:
    """A move that is under way.

    :param lab: the controller; its inventory is made to declare the move of the worked example
    :param by_hand: run the playbook ``runbook`` instead of ``migrate``, and let the person do every step
    :param has_pro: whether PRO uses the licenses
    :param is_offline: whether the person carries requests and responses
    :param package: the license server's package, which the playbook installs; without it, the person does
    :ivar stops: the ids that were due at each stop
    """

    def __init__(
        self,
        lab: Lab,
        source: Post,
        target: Post,
        authority: VendorAuthority,
        *,
        by_hand: bool = False,
        has_pro: bool = True,
        package: Path | None = None,
        is_offline: bool = False,
    ) -> None:
        self.page = RequestPage(authority)
        self.has_pro, self.by_hand, self.command = has_pro, by_hand, "runbook" if by_hand else "migrate"
        self.lab, self.source, self.target, self.authority = lab, source, target, authority
        profiles = [str(one["profile"]) for one in WORKED_EXAMPLE]
        self.clients = Clients(lab.folder / "clients", f"{source.address}:{PORT}", profiles)
        codes = {f"vault_{one['profile'].lower()}": lab.codes[one["number"]] for one in WORKED_EXAMPLE}
        self.person = Person(
            {source.name: source, target.name: target}, self.clients, codes, self._backup, self._play, self.page
        )
        self.stops: list[list[str]] = []
        self._events = Events(lab)
        self._confirmed: list[str] = []
        self._outputs: list[str] = []
        _declare(lab, source, target, package)
        if is_offline:
            lab.target_vars["aims_license_server_authority"] = "offline"
        if not has_pro:
            lab.inventory["all"]["vars"]["aims_license_pro_nodes"] = []
            lab.write_inventory()

    def _file(self, folder: str, ending: str) -> Path:
        return self.lab.work / folder / f"{self.source.name}-to-{self.target.name}.{ending}"

    @property
    def runbook(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self._file("runbooks", "json").read_text(encoding="utf-8"))
        return read

    @property
    def report(self) -> str:
        return self._file("reports", "html").read_text(encoding="utf-8")

    def _backup(self) -> dict[str, bytes]:
        """The files of the newest bundle; the application keys in it are encrypted."""
        folder = (self.lab.work / "bundles" / self.source.name / "latest").resolve() / "files"
        files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        is_vault = {name: content.startswith(b"$ANSIBLE_VAULT") for name, content in files.items()}
        return {name: self.lab.secrets().decrypt(files[name]) if is_vault[name] else files[name] for name in files}

    def _play(self, playbook: str) -> None:
        self._checked(must(self.lab.play(playbook, *LOUD)))

    def options(self) -> list[str]:
        confirmed = json.dumps({"aims_license_migrate_confirmed": self._confirmed})
        return [*LOUD, *(["-e", confirmed] if self._confirmed else [])]

    def go(self, faults: Faults | None = None) -> Run:
        """Walk to the end; return the last run, which writes the report."""
        faults = faults or Faults()
        chance = random.Random(faults.seed)
        while len(self.stops) < MOST_STOPS:
            is_disturbed = len(self.stops) in faults.stops
            if faults.kills and is_disturbed:
                self._kill(chance, faults)
            run = self.run()
            if self.runbook["done"]:
                return must(run)
            if faults.interrupts and is_disturbed:
                self._interrupt(faults)
            self._stop(run)
        raise AssertionError(f"The move does not end. It stopped at {self.stops}.")

    def shows_all_steps_first(self) -> None:
        """Check that check mode prints every step before the first is done, and changes nothing."""
        before = self._everything()
        run = must(self.run("--check"))
        assert self._everything() == before
        for number in NUMBERS:
            for step in (f"{self.source.name}/deactivate/{number}", f"{self.target.name}/activate/{number}"):
                assert step in run.output, step

    def run(self, *options: str) -> Run:
        """Run the command as the person does, and check what has to hold."""
        return self._checked(self._events.play(self.command, *self.options(), *options))

    def _checked(self, run: Run) -> Run:
        self._outputs.append(run.output)
        assert "Traceback" not in run.output, run.output
        self.hold()
        return run

    def _stop(self, run: Run) -> None:
        """Be the person at a stop."""
        runbook = self.runbook
        due = [step["id"] for step in runbook["steps"] if step["state"] == "due" and (self.by_hand or not step["ours"])]
        assert due, f"Nothing is left to a person, and the move is not done:\n{run.output}"
        told = run.output
        if not self.by_hand:
            assert run.code > 0, run.output
            told = run.output.rpartition("fatal: ")[2]
        assert [id for id in due if id not in told] == [], run.output
        self.stops.append(due)
        self._confirmed = self.person.follow(runbook, by_hand=self.by_hand)

    def _kill(self, chance: random.Random, faults: Faults) -> None:
        places = gaps(self._events.seen() or ["start|Check the inventory|1"])
        at = chance.choice(places)
        run = self._checked(self._events.killed(self.command, at, *self.options()))
        if run.code == -signal.SIGKILL:
            faults.killed.append(at)

    def _interrupt(self, faults: Faults) -> None:
        """Run the command again at the stop, and press Ctrl-C where it is about to stop."""
        place = [event for event in self._events.seen() if event.startswith("start|")][-1]
        started = self._events.start(self.command, *self.options(), AIMS_EVENTS_HOLD=place)
        if held(started):
            started.interrupt()
            release(started)
            faults.interrupted.append(place)
        before = self.runbook["due"]
        self._checked(started.wait())
        assert self.runbook["due"] == before

    def hold(self) -> None:
        """Check that one computer at most holds each license, and that the commands of the target were run once."""
        for number in NUMBERS:
            if number.replace(".", "") in self.target.nodelocks():
                self.authority.activate(number, self.target.name)
        calls = Counter(self.target.calls())
        assert [call for call, times in calls.items() if times > 1] == []
        assert all(times <= 1 for times in self.authority.transfers.values()), self.authority.transfers

    def is_complete(self) -> None:
        """Check that every license is on the target, and that everything names it."""
        assert self.runbook["done"] and self.runbook["due"] == []
        assert self.authority.holders == dict.fromkeys(NUMBERS, self.target.name)
        assert self.authority.transfers == Counter(NUMBERS)
        assert self.target.nodelocks() == {number.replace(".", "") for number in NUMBERS}
        assert self.target.serves() and not self.source.serves()
        assert [row["left"] for row in self.runbook["transfers"]] == [2, 2, 2]
        (server,) = self.clients.servers
        if self.has_pro:
            assert self.clients.is_running
            assert self.clients.strings == [f"{server},{one['profile']}" for one in WORKED_EXAMPLE]
        assert self.by_hand or all(number in self.report for number in NUMBERS)

    def changes_nothing(self, *options: str) -> None:
        """Check that a second run changes nothing anywhere."""
        before = self._everything()
        run = must(self.run(*options))
        assert run.changed == 0, run.output
        assert self._everything() == before

    def starts_the_source_again(self) -> None:
        """Check that the first run of the way back brings the source to run, which the move has stopped."""
        run = self._checked(self.lab.play("rollback", *LOUD))
        assert run.code > 0 and run.changed > 0, run.output
        assert self.source.serves(), run.output

    def _everything(self) -> list[object]:
        return [self.lab.tree(self.lab.work), self.source.everything(), self.target.everything()]

    def shows_no_secret(self) -> None:
        """Search what the runs have printed and written, on the controller and on the hosts, for activation codes."""
        texts = {f"output of run {at}": output.encode() for at, output in enumerate(self._outputs)}
        kept = self.lab.folder / "group_vars"
        for path in self.lab.folder.rglob("*"):
            if path.is_file() and not path.is_symlink() and kept not in path.parents and path.suffix != ".calls":
                texts[str(path)] = path.read_bytes()
        found = []
        for code in self.lab.codes.values():
            forms = disguises(code.encode()) | disguises(code.replace("-", "").encode())
            found += [name for name, text in texts.items() if any(form in text for form in forms)]
        codes = list(self.lab.codes.values())
        assert found + self.source.secrets(codes) + self.target.secrets(codes) == []


def _declare(lab: Lab, source: Post, target: Post, package: Path | None) -> None:
    """Declare the worked example on two of the vendor's license servers."""
    variables = lab.inventory["all"]["vars"]
    for name in ("server_home", "server_root", "server_authority"):
        del variables[f"aims_license_{name}"]
    variables["aims_license_server_backend"] = "vendor"
    lab.inventory["all"]["children"]["aims_license_sources"]["hosts"][source.name] = source.variables
    del lab.target_vars["aims_license_migrate_rehearse_licenses"]
    lab.target_vars.update(target.variables)
    if package is not None:
        lab.target_vars["aims_license_server_package"] = str(package)
    lab.write_inventory()
