# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The authority against a model of a few lines, over any order of calls of three machines."""

from __future__ import annotations

import json
import tempfile
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.audit import check_ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.processor import RequestProcessor
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.release import release
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import render_time
from ansible_collections.aims.licensing.tests.fuzz.counting import count, give, runs
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CODES,
    SERVER,
    WRONG_CODE,
    Clock,
)
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

FORMAT = "authority: calls"
YEAR = timedelta(days=365)
MACHINES = ("a", "b", "c")
KEYS = {name: documents.load_private_key(documents.new_private_key(), name) for name in MACHINES}
CODE, WRONG = CODES[SERVER], WRONG_CODE
machines = st.sampled_from(MACHINES)


class Model:
    """What has to come of it: where the license is, who had it last, and when it moved."""

    def __init__(self) -> None:
        self.live: str | None = None
        self.last: str | None = None
        self.moves: list[datetime] = []
        self.bridges: list[datetime] = []

    def activate(self, machine: str, now: datetime) -> bool:
        moves = self.last not in (None, machine)
        if self.live not in (None, machine) or (moves and sum(now - YEAR < one for one in self.moves) >= 3):
            return False
        if moves:
            self.moves.append(now)
        self.live = self.last = machine
        return True

    def bridge(self, machine: str, now: datetime) -> bool:
        """Whether what another machine holds may be activated here for a few days: once in a window."""
        if self.live in (None, machine) or any(one > now - YEAR for one in self.bridges):
            return False
        self.bridges.append(now)
        return True


class Authority(RuleBasedStateMachine):
    """Any order of calls. After each, ledger and model are the same."""

    template = b""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "authority.db"
        path.write_bytes(self.template)
        self.ledger = Ledger(str(path))
        self.ledger._db.execute("PRAGMA synchronous = OFF")
        self.clock = Clock()
        self.desk = RequestProcessor(self.ledger, True, self.clock)
        self.model = Model()
        self.answered: list[tuple[str, bytes, bytes]] = []

    def request(self, action: str, machine: str, code: Any = None, mark: str = "", **more: Any) -> bytes:
        body = {
            "id": mark or uuid.uuid4().hex,
            "action": action,
            "number": SERVER,
            "nodelock": "machine",
            "fingerprint": {"machine-id": documents.digest(machine.encode())[:32]},
            "host_key": documents.public_half(KEYS[machine]),
            "realm": self.ledger.realm.id,
            "made": "2026-01-01T12:00:00Z",
            **more,
        }
        keys = {"host": KEYS[machine]}
        if code:
            keys["code"] = documents.key_from_code(SERVER, code, self.ledger.realm.key)
        return documents.sign(documents.REQUEST, body, keys)

    def ask(self, *what: Any, **more: Any) -> tuple[bytes, bytes | LicensingError]:
        request = self.request(*what, **more)
        return request, give(FORMAT, lambda: self.desk.answer(request))

    def expect(
        self, action: str, machine: str, granted: bool, spends: int = 0, code: Any = None, **more: Any
    ) -> dict[str, Any]:
        request, response = self.ask(action, machine, code, **more)
        assert isinstance(response, bytes)
        body = json.loads(response)["body"]
        assert (body["outcome"] == "granted") is granted, body
        if granted and action in ("activate", "quote"):
            assert body["spends"] == spends
        if action != "quote":
            self.answered.append((machine, request, response))
        self.same()
        return dict(body)

    def same(self) -> None:
        holding = self.ledger.holding(SERVER)
        live = next(
            (name for name in MACHINES if holding and documents.public_half(KEYS[name]) == holding.host_key), None
        )
        assert (live if holding and holding.live else None) == self.model.live
        assert list(self.ledger.account(SERVER, "machine").times) == self.model.moves

    @rule(machine=machines)
    def activate(self, machine: str) -> None:
        before = len(self.model.moves)
        granted = self.model.activate(machine, self.clock())
        self.expect("activate", machine, granted, len(self.model.moves) - before, CODE)

    @rule(machine=machines)
    def activate_with_a_wrong_code(self, machine: str) -> None:
        self.expect("activate", machine, False, code=WRONG)

    @rule(machine=machines)
    def activate_after_the_proof_was_damaged_on_the_way(self, machine: str) -> None:
        """What was damaged is refused; the original, which says the same and proves the code, is judged anew."""
        damaged, response = self.ask("activate", machine, WRONG)
        assert isinstance(response, bytes) and json.loads(response)["body"]["outcome"] == "refused"
        before = len(self.model.moves)
        granted = self.model.activate(machine, self.clock())
        mark = json.loads(damaged)["body"]["id"]
        self.expect("activate", machine, granted, len(self.model.moves) - before, CODE, mark=mark)
        assert isinstance(give(FORMAT, lambda: self.desk.answer(damaged)), LicensingError)

    @rule(machine=machines)
    def quote(self, machine: str) -> None:
        moves = self.model.last not in (None, machine)
        left = sum(self.clock() - YEAR < one for one in self.model.moves) < 3
        self.expect("quote", machine, left or not moves, int(moves), CODE)

    @rule(machine=machines, ask_first=st.booleans(), gap=st.sampled_from([0, 1, 364, 365]))
    def bridge(self, machine: str, ask_first: bool, gap: int) -> None:
        """An emergency activation spends nothing, moves nothing, ends, and comes once in a window."""
        for days in (0, gap):
            self.clock.forward(days=days)
            if ask_first:
                self.foresee_bridge(machine)
            granted = self.model.bridge(machine, self.clock())
            body = self.expect("activate", machine, granted, 0, CODE, emergency=True)
            until = render_time(self.clock() + timedelta(days=self.ledger.emergency_days()))
            assert body.get("until") == (until if granted else None)

    def foresee_bridge(self, machine: str) -> None:
        _request, quote = self.ask("quote", machine, CODE, emergency=True)
        assert isinstance(quote, bytes)
        expected = Model()
        expected.live, expected.bridges = self.model.live, list(self.model.bridges)
        told = json.loads(quote)["body"]["emergency"]
        assert (told["until"] is not None) is expected.bridge(machine, self.clock())

    @rule(machine=machines)
    def bridge_with_a_wrong_code(self, machine: str) -> None:
        self.expect("activate", machine, False, code=WRONG, emergency=True)

    @rule(machine=machines)
    def ask_for_what_a_carried_file_may_not_have(self, machine: str) -> None:
        """A personal nodelock is refused offline, and after a machine one."""
        request = self.request("activate", machine, CODE, nodelock="personal")
        outcome = give(FORMAT, lambda: RequestProcessor(self.ledger, False, self.clock).answer(request))
        assert isinstance(outcome, bytes)
        assert json.loads(outcome)["body"]["outcome"] == "refused"
        self.same()

    @rule(machine=machines)
    def deactivate(self, machine: str) -> None:
        granted = self.model.live == machine
        self.model.live = None if granted else self.model.live
        self.expect("deactivate", machine, granted)
        if granted:
            self.withdrawn(machine, "was given back at")
            self.same()

    def withdrawn(self, machine: str, words: str) -> None:
        """Expect that what a machine was granted is refused, and nothing else answered otherwise than before."""
        for at, (name, request, response) in enumerate(self.answered):
            body = json.loads(response)["body"]
            if (name, body["action"], body["outcome"]) == (machine, "activate", "granted"):
                again = self.desk.answer(request)
                told = json.loads(again)["body"]
                assert told["outcome"] == "refused" and words in told["reason"]["what"]
                self.answered[at] = (name, request, again)

    @rule(machine=machines)
    def update(self, machine: str) -> None:
        self.expect("update", machine, self.model.live == machine)

    @rule()
    def release(self) -> None:
        """The owner sets the license free; what its machine was granted is refused from then on."""
        outcome = give(FORMAT, lambda: release(self.ledger, SERVER, "lost", self.clock()))
        if self.model.live is None:
            assert isinstance(outcome, LicensingError) or not outcome["changed"]
        else:
            assert outcome["changed"]
            self.withdrawn(self.model.live, "was released from this machine")
        self.model.live = None
        self.same()

    @rule(at=st.integers(0, 50))
    def ask_again(self, at: int) -> None:
        if self.answered:
            _machine, request, response = self.answered[at % len(self.answered)]
            assert give(FORMAT, lambda: self.desk.answer(request)) == response
            self.same()

    @rule(at=st.integers(0, 50), machine=machines, action=st.sampled_from(["activate", "deactivate", "update"]))
    def ask_something_else_under_a_known_id(self, at: int, machine: str, action: str) -> None:
        if self.answered:
            _machine, first, _response = self.answered[at % len(self.answered)]
            records = len(self.ledger.audit())
            mark = json.loads(first)["body"]["id"]
            request, response = self.ask(action, machine, CODE, mark, made="2026-01-01T12:00:01Z")
            if request != first:
                assert isinstance(response, LicensingError)
                assert len(self.ledger.audit()) == records
            self.same()

    @rule(days=st.sampled_from([1 / 1440, 1, 30, 121, 122, 364, 365]))
    def time_passes(self, days: float) -> None:
        self.clock.forward(days=days)
        count(FORMAT)

    def teardown(self) -> None:
        check_ledger(self.ledger)
        self.ledger.close()
        self.folder.cleanup()


def test_no_order_of_calls_makes_two_holders_or_spends_but_for_a_move(new_ledger: bytes) -> None:
    class Here(Authority):
        template = new_ledger

    run_state_machine_as_test(Here, settings=runs(1500, 30, stateful_step_count=60))
