# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renewed licenses: their files come to the host that holds them, and nothing is spent."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from support.lab import Lab
from support.runs import must
from support.worked_example import CLIENT, NUMBERS, SERVER, SESSION

RENEWED = (datetime.now(timezone.utc).date() + timedelta(days=700)).isoformat()


def reissue(lab: Lab, number: str, *options: str) -> None:
    lab.authority("reissue", number, *options)


def license_of(lab: Lab, host: str, number: str) -> dict[str, Any]:
    return next(license for license in lab.overview(host)["licenses"] if license["number"] == number)


def files(lab: Lab, host: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((lab.home(host) / "Licenses").glob("*.lic"))}


def test_the_newest_license_files_come_to_who_holds_the_licenses(migrated: Lab) -> None:
    spent, config = migrated.transfers(), (migrated.home("new") / "Config" / "server.json").read_bytes()
    reissue(migrated, SESSION, "--expiry", RENEWED, "--maintenance-expiry", RENEWED, "--seats", "12")
    before = migrated.everything()
    checked = must(migrated.play("renew", "--check"))
    assert migrated.everything() == before
    told = f"asks the authority for the newest files of {', '.join(NUMBERS)}. Only the authority knows"
    assert told in " ".join(checked.output.split())

    run = must(migrated.play("renew", "--diff"))
    renewed = license_of(migrated, "new", SESSION)
    assert (renewed["expiry"], renewed["maintenance_expiry"], renewed["seats"]) == (RENEWED, RENEWED, 12)
    assert f"License {SESSION}:" in run.output and f"12 seats, until {RENEWED}" in " ".join(run.output.split())
    assert migrated.held("new") == set(NUMBERS) and migrated.transfers() == spent
    assert (migrated.home("new") / "Config" / "server.json").read_bytes() == config
    assert run.recap()["old"]["changed"] == 0

    kept = files(migrated, "new")
    assert must(migrated.play("renew")).changed == 0
    assert files(migrated, "new") == kept


def test_what_is_about_to_end_is_told_until_it_is_renewed(migrated: Lab) -> None:
    soon = (datetime.now(timezone.utc).date() + timedelta(days=10)).isoformat()
    reissue(migrated, CLIENT, "--expiry", soon, "--maintenance-expiry", soon)
    must(migrated.play("renew"))
    told = f"License {CLIENT} ends on {soon}, in "
    for playbook in ("info", "migrate", "reconcile"):
        assert " ".join(must(migrated.play(playbook)).output.split()).count(told) == 1, playbook
    assert told not in must(migrated.play("info", "-e", "aims_license_server_warn_days=5")).output
    reissue(migrated, CLIENT, "--expiry", RENEWED, "--maintenance-expiry", RENEWED)
    must(migrated.play("renew"))
    assert "ends on" not in must(migrated.play("info")).output


def test_some_licenses_are_renewed_on_a_source_that_has_not_been_moved(prepared: Lab, tmp_path: Any) -> None:
    lab = prepared.copy_to(tmp_path / "lab")
    for number in (SERVER, CLIENT):
        reissue(lab, number, "--expiry", RENEWED)
    # Extra variables apply to all hosts; the target has no license server yet, and nothing to renew.
    digits = SERVER.replace(".", "")
    run = must(lab.play("renew", "-e", f'{{"aims_license_server_renew_licenses": ["{digits}"]}}'))
    assert license_of(lab, "old", SERVER)["expiry"] == RENEWED
    assert license_of(lab, "old", CLIENT)["expiry"] != RENEWED
    assert not lab.home("new").exists() and run.recap()["new"]["changed"] == 0


def test_offline_the_same_command_asks_waits_and_applies(migrated: Lab) -> None:
    migrated.go_offline()
    reissue(migrated, CLIENT, "--expiry", RENEWED, "--maintenance-expiry", RENEWED)
    within = [
        "-e",
        "aims_license_server_renew_within_days=400",
        "-e",
        f'{{"aims_license_server_renew_licenses": ["{CLIENT}"]}}',
    ]
    before = migrated.everything()
    must(migrated.play("renew", "--check", *within))
    assert migrated.everything() == before

    stopped = migrated.play("renew", *within)
    (request,) = (migrated.work / "offline").glob("*.request")
    assert stopped.code != 0 and request.name == f"{CLIENT.replace('.', '')}.request"
    assert request.name in stopped.output
    assert migrated.held("new") == set(NUMBERS)
    # Run again before there is a response, it waits for the same one.
    content = request.read_bytes()
    assert migrated.play("renew", *within).code != 0 and request.read_bytes() == content

    migrated.authority("process", str(request))
    must(migrated.play("renew", *within))
    assert license_of(migrated, "new", CLIENT)["expiry"] == RENEWED
    # What ends in two years is not due, so that nothing is asked any more; no more is it within 0 days.
    today = [*within[2:], "-e", "aims_license_server_renew_within_days=0"]
    assert must(migrated.play("renew", *today)).changed == 0
    wrong = migrated.play("renew", *within[2:], "-e", "aims_license_server_renew_within_days=-5")
    assert wrong.code != 0 and "is not a number of days" in wrong.output
    assert must(migrated.play("renew", *within)).changed == 0
    assert not list((migrated.work / "offline").glob("*.request"))


def test_mistakes_are_refused_before_a_host_is_touched(migrated: Lab) -> None:
    before = migrated.tree(migrated.folder / "hosts")
    migrated.target_vars["aims_license_server_licenses"][0]["number"] = "1.2.3"
    migrated.target_vars["aims_license_server_renew_license"] = [SERVER]
    migrated.target_vars["aims_license_server_renew_licenses"] = [SERVER, "015.120.099.099"]
    migrated.write_inventory()
    run = migrated.play("renew")
    assert run.code != 0 and "'1.2.3' is not a license number" in run.output
    assert "Did you mean aims_license_server_renew_licenses?" in run.output
    assert "License 015.120.099.099 is declared for no target." in run.output
    assert migrated.tree(migrated.folder / "hosts") == before
