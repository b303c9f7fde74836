# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A migration without a route to the authority: request files out, response files in, the same command three times."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support.lab import NUMBERS, USERS, Lab
from support.runs import Run, must

STEMS = [number.replace(".", "") for number in NUMBERS]


def go_offline(lab: Lab) -> Path:
    """Let the inventory name no authority that a host could reach; return the folder for requests."""
    lab.go_offline()
    return lab.work / "offline"


def carry(lab: Lab, folder: Path) -> None:
    """Be the person who has the requests processed and puts the responses beside them."""
    for request in sorted(folder.glob("*.request")):
        answer = lab.authority("process", str(request))
        assert answer["outcome"] == "granted", answer
        assert Path(answer["response"]).parent == folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def statuses(lab: Lab, host: str) -> set[str]:
    return {one["status"] for one in lab.overview(host)["licenses"]}


def report(lab: Lab) -> dict[str, Any]:
    return json.loads((lab.work / "reports" / "old-to-new.json").read_text(encoding="utf-8"))


def stopped(run: Run, folder: Path) -> None:
    """The run stopped because responses are missing, and says what to do."""
    assert run.code != 0
    assert "Traceback" not in run.output
    for wanted in ["3 request(s) wait in", str(folder), *STEMS, "run the same command again"]:
        assert wanted in run.output.replace("\n", " "), wanted


def test_the_whole_walk(rehearsed: Lab) -> None:
    folder = go_offline(rehearsed)

    # the requests to give up
    stopped(rehearsed.play("migrate"), folder)
    asked = files(folder)
    assert sorted(asked) == sorted(f"{stem}.request" for stem in STEMS)
    assert statuses(rehearsed, "old") == {"Pending Deactivation"}
    assert rehearsed.held("old") == rehearsed.held("new") == set()
    first = report(rehearsed)
    assert sorted(one["number"] for one in first["pending"]) == sorted(NUMBERS)
    assert {one["action"] for one in first["pending"]} == {"deactivate"}
    assert first["moved"] == []

    # the same again, before anything was answered
    before = rehearsed.everything()
    again = rehearsed.play("migrate")
    stopped(again, folder)
    assert again.changed == 0
    assert files(folder) == asked
    assert rehearsed.everything() == before

    # the receipts, and the requests to take
    carry(rehearsed, folder)
    receipts = {name: data for name, data in files(folder).items() if name.endswith(".response")}
    stopped(rehearsed.play("migrate"), folder)
    closed = {path.read_bytes() for path in rehearsed.home("old").glob("Journal/closed/*.response")}
    assert set(receipts.values()) <= closed
    assert {path.read_bytes() for path in (folder / "done").glob("*.response")} == set(receipts.values())
    assert {path.read_bytes() for path in (folder / "done").glob("*.request")} == set(asked.values())
    assert statuses(rehearsed, "old") == {"Inactive Nodelock"}
    assert not {one["live"] for one in rehearsed.authority("list")} - {False}
    pending = rehearsed.overview("new")["pending"]
    assert {one["action"] for one in pending} == {"activate"} and len(pending) == 3
    wanted = files(folder)
    assert sorted(wanted) == sorted(asked) and not set(wanted.values()) & set(asked.values())
    second = report(rehearsed)
    assert {one["action"] for one in second["pending"]} == {"activate"}
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 0)

    # the same again
    again = rehearsed.play("migrate")
    stopped(again, folder)
    assert again.changed == 0
    assert files(folder) == wanted

    # the licenses
    carry(rehearsed, folder)
    must(rehearsed.play("migrate"))
    assert rehearsed.held("new") == set(NUMBERS) and rehearsed.held("old") == set()
    assert statuses(rehearsed, "new") == {"Active"}
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 1)
    assert rehearsed.overview("new")["server"]["maintenance"] is False
    assert rehearsed.overview("new")["users"] == USERS
    assert files(folder) == {}
    last = report(rehearsed)
    assert last["pending"] == [] and sorted(last["moved"]) == sorted(NUMBERS)
    assert {one["transfers"]["left"] for one in last["after"]["licenses"]} == {2}

    # and nothing is left to do
    before = rehearsed.everything()
    assert must(rehearsed.play("migrate")).changed == 0
    assert rehearsed.everything() == before


def test_one_response_at_a_time(rehearsed: Lab) -> None:
    folder = go_offline(rehearsed)
    stopped(rehearsed.play("migrate"), folder)
    rehearsed.authority("process", str(folder / f"{STEMS[0]}.request"))
    run = rehearsed.play("migrate")
    assert run.code != 0 and "2 request(s) wait in" in run.output.replace("\n", " ")
    assert sorted(files(folder)) == sorted(f"{stem}.request" for stem in STEMS[1:])
    found = {one["number"]: one["status"] for one in rehearsed.overview("old")["licenses"]}
    assert found[NUMBERS[0]] == "Inactive Nodelock"
    assert found[NUMBERS[1]] == found[NUMBERS[2]] == "Pending Deactivation"
    assert rehearsed.held("old") == rehearsed.held("new") == set()


def test_check_between_the_stops_changes_nothing(rehearsed: Lab) -> None:
    folder = go_offline(rehearsed)
    stopped(rehearsed.play("migrate"), folder)
    carry(rehearsed, folder)
    before = rehearsed.everything()
    run = must(rehearsed.play("migrate", "--check", "--diff"))
    assert "finish moving" in run.output
    assert rehearsed.everything() == before


def test_back_from_the_second_stop(rehearsed: Lab) -> None:
    # The activations on the target are requested, and may have been answered: they are finished, then given up.
    before = rehearsed.overview("old")
    folder = go_offline(rehearsed)
    stopped(rehearsed.play("migrate"), folder)
    carry(rehearsed, folder)
    stopped(rehearsed.play("migrate"), folder)
    stops = []
    while (run := rehearsed.play("rollback")).code:
        stopped(run, folder)
        assert not rehearsed.held("old") & rehearsed.held("new")
        stops.append({request.read_bytes() for request in folder.glob("*.request")})
        assert len(stops) <= 3
        carry(rehearsed, folder)
    # Requests to take, to give up, and to take back, each made once.
    assert len(stops) == 3 and len(set.union(*stops)) == 9
    assert rehearsed.held("old") == set(NUMBERS) and rehearsed.held("new") == set()
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 2)
    after = rehearsed.overview("old")
    assert (after["profiles"], after["users"]) == (before["profiles"], before["users"])


def test_back_from_the_first_stop_waits_for_what_was_asked_for_and_says_so(rehearsed: Lab) -> None:
    folder = go_offline(rehearsed)
    stopped(rehearsed.play("migrate"), folder)
    stopped(rehearsed.play("rollback"), folder)
    told = json.loads((rehearsed.work / "reports" / "new-to-old.json").read_text(encoding="utf-8"))
    assert [(one["host"], one["number"], one["action"]) for one in told["pending"]] == [
        ("old", number, "deactivate") for number in sorted(NUMBERS)
    ]


def test_check_of_reconcile_names_the_requests_that_wait_and_writes_none(rehearsed: Lab) -> None:
    realm = rehearsed.overview("old")["server"]["realm"]
    rehearsed.target_vars["aims_license_server_realm"] = {key: realm[key] for key in ("name", "key")}
    folder = go_offline(rehearsed)
    stopped(rehearsed.play("reconcile"), folder)
    # As on another controller than the one that has asked.
    (folder / f"{STEMS[0]}.request").unlink()
    before = rehearsed.everything()
    told = " ".join(must(rehearsed.play("reconcile", "--check")).output.split())
    assert all(wanted in told for wanted in ["3 request(s) wait in", str(folder), *STEMS]), told
    assert rehearsed.everything() == before


def test_a_pending_activation_is_finished_and_rolled_back_where_twelve_digits_declare_it(rehearsed: Lab) -> None:
    rehearsed.declare_digits()
    folder = go_offline(rehearsed)
    stopped(rehearsed.play("migrate"), folder)
    carry(rehearsed, folder)
    stopped(rehearsed.play("migrate"), folder)
    assert {one["action"] for one in rehearsed.overview("new")["pending"]} == {"activate"}

    # Finish them there, give them back, take them on the source.
    for host, action in (("new", "activate"), ("new", "deactivate"), ("old", "activate")):
        stopped(rehearsed.play("rollback"), folder)
        pending = rehearsed.overview(host)["pending"]
        assert {(one["number"], one["action"]) for one in pending} == {(number, action) for number in NUMBERS}
        carry(rehearsed, folder)
    must(rehearsed.play("rollback"))
    assert rehearsed.held("old") == set(NUMBERS) and rehearsed.held("new") == set()
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 2)
