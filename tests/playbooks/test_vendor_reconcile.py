# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing the vendor's license server on Linux to what is declared, with a stand-in for licman."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.lab import Lab
from support.runs import Run, must
from support.vendor_licman import NAMED, calls, make_licman
from support.vendor_tree import CLIENT, NUMBERS, SERVER, SESSION, make_tree, put, stem


@pytest.fixture
def vendor(lab: Lab) -> Lab:
    """The vendor's license server on the target, installed and without licenses."""
    lab.target_vars["aims_license_server_backend"] = "vendor"
    lab.target_vars["aims_license_server_license_files"] = str(lab.folder / "files")
    lab.target_vars["aims_license_server_users"] = ["AIMS\\dora"]
    lab.write_inventory()
    put(lab.folder / "files", f"{stem(SERVER)}.cpx", b"composite\n")
    make_licman(aimms(lab))
    put(aimms(lab), "Bin/licsrv", b"#!/bin/sh\n")
    for name in ("Licenses", "Nodelocks", "Config"):
        (aimms(lab) / name).mkdir()
    return lab


def aimms(lab: Lab, host: str = "new") -> Path:
    return lab.root(host) / "usr" / "local" / "Aimms"


def flat(run: Run) -> str:
    return " ".join(run.output.split())


def everything(lab: Lab) -> dict[str, Any]:
    """All files but the record of the stand-in's calls, which has licman's help too."""
    return {name: state for name, state in lab.everything().items() if not name.endswith(".calls")}


def marked(run: Run) -> list[str]:
    """The lines that a run with ``--diff`` changes."""
    return [line for line in run.output.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def test_a_host_is_brought_to_what_is_declared_once_and_check_mode_predicts_it(vendor: Lab) -> None:
    vendor.target_vars["aims_license_server_vendor_commands"] = {"register_user": NAMED["register_user"]}
    vendor.write_inventory()
    before = everything(vendor)
    predicted = must(vendor.play("reconcile", "--check", "--diff"))
    assert predicted.changed == 1
    assert set(calls(aimms(vendor))) == {"--help"} and everything(vendor) == before
    run = must(vendor.play("reconcile", "--diff", "-vvvv"))
    assert run.changed == 1 and marked(run)[:5] == marked(predicted)[:5] != []
    asked = [call.split() for call in calls(aimms(vendor)) if call != "--help"]
    assert [words[1] for words in asked if words[0] == "--nodelock-activate"] == list(NUMBERS)
    assert [words[1] for words in asked if words[0] == "--profile-add"] == ["PROServer", "PROSession", "Client"]
    assert asked[-1] == ["--register", "AIMS\\dora"]
    assert (aimms(vendor) / f"Licenses/{stem(SERVER)}.cpx").read_bytes() == b"composite\n"
    # What no file shows is a note, and no failure.
    assert "No file shows profiles: compare with those of the license manager, in this order: PROServer of" in flat(run)
    assert "No file shows registered users" not in flat(run)
    settled = everything(vendor)
    again = must(vendor.play("reconcile"))
    assert again.changed == 0 and everything(vendor) == settled
    # One that lost its nodelock is activated again, alone.
    for kind in ("lock", "ver"):
        (aimms(vendor) / f"Nodelocks/{stem(CLIENT)}.{kind}").unlink()
    asked_before = len(calls(aimms(vendor)))
    assert must(vendor.play("reconcile")).changed == 1
    news = calls(aimms(vendor))[asked_before:]
    assert [call.split()[1] for call in news if call.startswith("--nodelock")] == [CLIENT]
    assert not any(code.lower() in (run.output + again.output).lower() for code in vendor.codes.values())


def test_what_cannot_be_done_is_left_in_words_and_the_rest_is_done(vendor: Lab) -> None:
    vendor.inventory["all"]["children"]["aims_license_sources"]["hosts"]["old"] = {
        "aims_license_server_backend": "vendor",
    }
    vendor.target_vars["aims_license_server_licenses"][2]["nodelock"] = "personal"
    vendor.write_inventory()
    make_tree(aimms(vendor, "old"))
    for number in (SESSION, CLIENT):
        for kind in ("lock", "ver"):
            (aimms(vendor, "old") / f"Nodelocks/{stem(number)}.{kind}").unlink()
    before = vendor.everything()
    checked = must(vendor.play("reconcile", "--check"))
    assert checked.changed == 1 and vendor.everything() == before and calls(aimms(vendor)) == []
    run = vendor.play("reconcile")
    assert run.code != 0
    for told in (flat(checked), flat(run)):
        # The source still has it: activating it here would be a move without its safeguards.
        assert f"License {SERVER} has a nodelock or a pending exchange on old. Move it by the playbook migrate." in told
        assert f"Install and activate license {CLIENT}" in told and "this license is declared as personal" in told
        assert "No file shows registered users: compare with those of the license manager: AIMS" in told
    assert [call.split()[1] for call in calls(aimms(vendor)) if call.startswith("--nodelock")] == [SESSION]
    again = vendor.play("reconcile")
    assert again.code != 0 and again.changed == 0 and flat(again).count("Move it by the playbook migrate.") >= 1
    # Once the source cannot be looked at, nobody knows.
    vendor.inventory["all"]["children"]["aims_license_sources"]["hosts"]["old"]["ansible_python_interpreter"] = "/no"
    vendor.write_inventory()
    lost = vendor.play("reconcile")
    assert lost.code != 0 and f"Whether old still has license {SERVER} is not known" in flat(lost)
    # What was named is done: the source is gone for good, and a machine nodelock is enough.
    del vendor.target_vars["aims_license_migrate_source"]
    del vendor.target_vars["aims_license_server_licenses"][2]["nodelock"]
    vendor.write_inventory()
    assert must(vendor.play("reconcile")).changed == 1
    assert must(vendor.play("reconcile")).changed == 0
