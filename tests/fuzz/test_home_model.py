# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two homes against a model of a few lines, over any order of calls and any fault of the authority's answers."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.audit import check_ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import Embedded
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import (
    Activation,
    Deactivation,
    Maintenance,
    ProfileChange,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Profile, digits
from ansible_collections.aims.licensing.tests.fuzz.counting import count, give, runs
from ansible_collections.aims.licensing.tests.fuzz.shapes import EDIT, edited
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    SERVER,
    CoreLab,
    Host,
    declared,
)
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

FORMAT = "home: calls"
LICENSES = (SERVER, CLIENT)
hosts = st.sampled_from(["old", "new"])
chosen = st.sampled_from([(SERVER,), (CLIENT,), LICENSES])
# What becomes of the first answer of a call that may change something: nothing, it is lost, it is another one, an edit.
faults = st.sampled_from(["none", "none", "lost", "earlier", "unreached"]) | EDIT


class Model:
    """What the authority has granted, read off its own answers: who holds each license, and how often it moved."""

    def __init__(self) -> None:
        self.live: dict[str, str | None] = {}
        self.last: dict[str, str] = {}
        self.moves: dict[str, int] = {}
        self.answered: dict[str, bytes] = {}
        self.locks: dict[str, bytes] = {}

    def heard(self, host: str, request: bytes, response: bytes) -> None:
        asked, told = (json.loads(data)["body"] for data in (request, response))
        # Asked again is what is in doubt: nothing of that has been given back since, so that no answer is withdrawn.
        if asked["id"] in self.answered:
            assert self.answered[asked["id"]] == response, "asked again and answered otherwise"
            return
        self.answered[asked["id"]] = response
        if told["outcome"] != "granted" or asked["action"] not in ("activate", "deactivate"):
            return
        number = asked["number"]
        if asked["action"] == "deactivate":
            self.live[number] = None
            return
        assert self.live.get(number) in (None, host), "two holders"
        self.moves[number] = self.moves.get(number, 0) + (self.last.get(number, host) != host)
        self.live[number] = self.last[number] = host
        self.locks[number] = response


class Line(Embedded):
    """The way to the authority: it is told what it heard, and one answer of a call may not arrive as it was."""

    def __init__(self, homes: Homes, host: str, fault: Any) -> None:
        super().__init__(homes.lab.realm, "the authority", homes.lab.desk().answer, homes.lab.ledger.check_writable)
        self.homes, self.host, self.fault = homes, host, fault
        self.sent = 0

    def exchange(self, number: str, request: bytes) -> bytes | None:
        action = json.loads(request)["body"]["action"]
        if action == "quote":
            return super().exchange(number, request)
        fault, self.fault = self.fault, "none"
        self.sent += 1
        if fault == "unreached":
            raise refuse("The authority cannot be reached.", self.where, "Try again.")
        response = super().exchange(number, request) or b""
        self.homes.model.heard(self.host, request, response)
        kind = (self.host, number, action)
        earlier, self.homes.earlier[kind] = self.homes.earlier.get(kind), response
        if fault == "lost":
            raise refuse("No answer came.", self.where, "Try again.")
        if fault == "earlier":
            return earlier or b""
        return response if fault == "none" else edited(response, fault)


class Homes(RuleBasedStateMachine):
    """Any order of calls. After each, homes, ledger and model agree in what they have to agree in."""

    template = b""

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        self.lab = CoreLab(Path(self.place.name), self.template)
        self.model = Model()
        self.earlier: dict[tuple[str, str, str], bytes] = {}
        self.maintenance = {"old": False, "new": False}

    def host(self, name: str) -> Host:
        return self.lab.old if name == "old" else self.lab.new

    def call(self, name: str, fault: Any, act: Any) -> Any:
        """Make a call; where it is refused before anything was sent, the host is byte for byte as before."""
        host, line = self.host(name), Line(self, name, fault)
        before = host.files()
        outcome = give(FORMAT, lambda: act(host.manager, line))
        if isinstance(outcome, LicensingError) and not line.sent:
            after = host.files()
            changed = {path for path in after.keys() | before.keys() if after.get(path) != before.get(path)}
            assert not {path for path in changed if not path.endswith(".lock")}, changed
        return outcome

    @invariant()
    def agree(self) -> None:
        self.lab.check_one_holder()
        for number in LICENSES:
            holding, live = self.lab.ledger.holding(number), self.model.live.get(number)
            assert (holding is not None and holding.live) is (live is not None)
            assert self.lab.spent(number) == self.model.moves.get(number, 0)
        for name in ("old", "new"):
            host = self.host(name)
            served = {number for number in LICENSES if digits(number) in host.served()}
            assert all(self.model.live.get(number) == name for number in served)
            # A license is served by what the answer said that granted it last; a blank line before it changes nothing.
            for number in served:
                lock = host.read(f"Nodelocks/{digits(number)}.lock")
                assert json.loads(lock) == json.loads(self.model.locks[number])
            stems = [file[:12] for file in host.open_requests() if file.endswith(".request")]
            # At most one license is in doubt at a time (I3).
            assert len(stems) <= 1
            file = host.folder / "Config" / "server.json"
            said = json.loads(file.read_bytes())["maintenance"] if file.exists() else False
            assert said is self.maintenance[name]

    @rule(name=hosts, numbers=chosen, fault=faults)
    def activate(self, name: str, numbers: Any, fault: Any) -> None:
        done = self.call(name, fault, lambda manager, line: manager.activate(Activation(declared(*numbers)), line))
        if not isinstance(done, LicensingError):
            assert all(self.model.live.get(number) == name for number in numbers)
            assert {self.host(name).statuses()[number] for number in numbers} == {"Active"}

    @rule(name=hosts, numbers=chosen, fault=faults)
    def deactivate(self, name: str, numbers: Any, fault: Any) -> None:
        done = self.call(name, fault, lambda manager, line: manager.deactivate(Deactivation(list(numbers)), line))
        if not isinstance(done, LicensingError):
            assert not any(self.model.live.get(number) == name for number in numbers)

    @rule(name=hosts, numbers=chosen, fault=faults)
    def update(self, name: str, numbers: Any, fault: Any) -> None:
        self.call(name, fault, lambda manager, line: manager.update(list(numbers), line))

    @rule(name=hosts, enabled=st.booleans(), dry=st.booleans())
    def maintain(self, name: str, enabled: bool, dry: bool) -> None:
        done = self.call(name, "none", lambda manager, line: manager.set_maintenance(Maintenance(enabled), dry=dry))
        if not isinstance(done, LicensingError) and not dry:
            self.maintenance[name] = enabled

    @rule(name=hosts, number=st.sampled_from(LICENSES), profile=st.sampled_from("abc"), purge=st.booleans())
    def change_profiles(self, name: str, number: str, profile: str, purge: bool) -> None:
        made = [Profile(profile, number, True)]
        done = self.call(name, "none", lambda manager, line: manager.set_profiles(ProfileChange(made, purge=purge)))
        if not isinstance(done, LicensingError):
            assert self.host(name).profiles()[0] == (profile, number)
            assert not purge or len(self.host(name).profiles()) == 1

    @rule(name=hosts, numbers=chosen)
    def look(self, name: str, numbers: Any) -> None:
        """What shows, backs up or foresees changes nothing, whatever it says."""
        before = self.host(name).files()
        self.call(name, "none", lambda manager, line: (manager.overview(), manager.obstacles(), manager.files()))
        self.call(name, "none", lambda manager, line: manager.activate(Activation(declared(*numbers)), line, dry=True))
        self.call(name, "none", lambda manager, line: manager.deactivate(Deactivation(list(numbers)), line, dry=True))
        after = self.host(name).files()
        assert {path: after[path] for path in before} == before

    @rule(name=hosts)
    def finish(self, name: str) -> None:
        """A pending exchange is finished by the same call without a fault."""
        host = self.host(name)
        for file in host.open_requests():
            if file.endswith(".request"):
                asked = documents.read(host.read(f"Journal/{file}"), documents.REQUEST, file).body
                act = {
                    "activate": lambda m, line, n=asked["number"]: m.activate(Activation(declared(n)), line),
                    "deactivate": lambda m, line, n=asked["number"]: m.deactivate(Deactivation([n]), line),
                    "update": lambda m, line, n=asked["number"]: m.update([n], line),
                }[asked["action"]]
                self.call(name, "none", act)
        assert not [file for file in host.open_requests() if file.endswith(".request")]

    @rule(days=st.sampled_from([1, 122, 365]))
    def time_passes(self, days: int) -> None:
        self.lab.clock.forward(days=days)
        count(FORMAT)

    def teardown(self) -> None:
        for name in ("old", "new"):
            self.finish(name)
            statuses = self.host(name).statuses()
            for number in LICENSES:
                assert (statuses.get(number) == "Active") is (self.model.live.get(number) == name), (name, number)
        check_ledger(self.lab.ledger)
        self.lab.close()
        self.place.cleanup()


def test_no_order_of_calls_and_faults_lets_a_home_claim_what_the_authority_did_not_grant(new_ledger: bytes) -> None:
    class Here(Homes):
        template = new_ledger

    run_state_machine_as_test(Here, settings=runs(600, 20, stateful_step_count=40))
