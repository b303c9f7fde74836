# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drain as the controller makes it: in many short calls, and ended by who is interrupted."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.plugin_utils import _drain
from ansible_collections.aims.licensing.plugins.plugin_utils._drain import in_steps

HELD = {
    "total": 1,
    "seconds": 3.0,
    "answered": True,
    "clients": [{"profile": "PROSession", "user": "AIMS\\anna\x1b[2J"}],
}
BACK = {"total": 0, "seconds": 4.5, "answered": True, "clients": []}


class Host:
    """Answers calls, one after the other; an answer that is an exception is raised, one that can be called is."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[dict[str, Any]] = []

    def __call__(self, **given: Any) -> dict[str, Any]:
        self.calls.append(given)
        if given.get("drain_end"):
            return {}
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        result: dict[str, Any] = answer() if callable(answer) else answer
        return dict(result)


@pytest.fixture(autouse=True)
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(_drain.Display, "display", lambda self, text, **more: lines.append(text))
    monkeypatch.setattr(_drain, "_RETRY", 0.0)
    return lines


def waits(again: str = "ticket", **more: Any) -> dict[str, Any]:
    return {"changed": False, "again": again, "drained": HELD, "results": [], **more}


def test_where_nobody_holds_a_seat_one_call_is_all(said: list[str]) -> None:
    host = Host({"changed": True, "drained": BACK, "results": []})
    assert in_steps(host, "old", 300)["changed"] is True
    assert len(host.calls) == 1 and host.calls[0]["drain_waited"] == 0 and not said


def test_who_still_holds_seats_is_shown_once_and_without_what_a_terminal_would_obey(said: list[str]) -> None:
    done = {"changed": True, "drained": BACK, "results": [{"number": "1", "action": "deactivated"}]}
    host = Host(waits(), waits(), done)
    assert in_steps(host, "old", "300") == done
    assert [call["drain_ticket"] == "ticket" for call in host.calls] == [False, True, True]
    assert len(said) == 1 and "1 seats are still in use: PROSession by AIMS\\anna?[2J." in said[0]


def test_what_several_calls_gave_up_is_one_result() -> None:
    first = [{"number": "1", "action": "deactivated"}, {"number": "2", "action": "unchanged"}]
    second = [{"number": "1", "action": "unchanged"}, {"number": "2", "action": "deactivated"}]
    host = Host(
        {"changed": True, "again": "", "drained": BACK, "results": first},
        {"changed": True, "drained": {**BACK, "seconds": 0}, "results": second},
    )
    result = in_steps(host, "old", 300)
    assert [row["action"] for row in result["results"]] == ["deactivated", "deactivated"]
    assert result["drained"] == BACK and "again" not in result


def test_a_connection_that_is_gone_for_a_moment_ends_no_drain() -> None:
    host = Host(waits(), AnsibleConnectionFailure("gone"), {"changed": True, "drained": BACK, "results": []})
    assert in_steps(host, "old", 300)["changed"]
    # But a host that was not reached at all is told at once.
    with pytest.raises(AnsibleConnectionFailure):
        in_steps(Host(AnsibleConnectionFailure("gone")), "old", 300)


def test_a_connection_that_stays_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_drain, "LENGTH", _drain.LENGTH * 0)
    with pytest.raises(AnsibleConnectionFailure):
        in_steps(Host(waits(), AnsibleConnectionFailure("gone")), "old", 300)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whoever_is_interrupted_ends_the_drain_and_is_then_interrupted(number: int) -> None:
    came: list[int] = []
    before = signal.signal(number, lambda number, frame: came.append(number))
    host = Host(waits(), lambda: os.kill(os.getpid(), number))
    try:
        with pytest.raises(KeyboardInterrupt):
            in_steps(host, "old", 300)
        assert came == [number]
    finally:
        signal.signal(number, before)
    assert host.calls[-1].get("drain_end") is True
    assert host.calls[-1]["drain_ticket"] == host.calls[0]["drain_ticket"]


def test_a_worker_whose_command_was_killed_ends_the_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    parents = iter([1000, 1])
    monkeypatch.setattr(_drain.os, "getppid", lambda: next(parents))
    host = Host(waits(), waits())
    with pytest.raises(LicensingError, match="The command was ended"):
        in_steps(host, "old", 300)
    assert [call.get("drain_end", False) for call in host.calls] == [False, True]


def test_a_host_that_never_comes_to_an_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_drain, "_LONGEST", -1.0)
    host = Host(*[waits(again="") for _call in range(3)])
    with pytest.raises(LicensingError, match="does not come to an end"):
        in_steps(host, "old", 0)


@pytest.mark.parametrize(
    "wrong", [{"results": "x"}, {"drained": [1]}, {"again": 7}, {"drained": {**HELD, "total": -1}}]
)
def test_a_result_that_is_none_of_a_drain_is_refused_and_the_drain_ended(wrong: dict[str, Any]) -> None:
    host = Host(waits(), {**waits(), **wrong})
    with pytest.raises(LicensingError, match=r"This is not a result of a drain: .* \[old\]"):
        in_steps(host, "old", 0)
    assert host.calls[-1]["drain_end"] is True
