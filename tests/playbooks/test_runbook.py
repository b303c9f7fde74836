# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook that prints the runbook of a move of the vendor's server: from the declaration, and step by step."""

from __future__ import annotations

import json
import shutil
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
from support.lab import Lab
from support.licsrv import free_address
from support.runs import Run, must
from support.worked_example import HOME, NUMBERS, SERVER

DEACTIVATE = f"old/deactivate/{SERVER}"


def declare(lab: Lab, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Declare the worked example on two of the vendor's servers, which nothing can reach."""
    variables = lab.inventory["all"]["vars"]
    for name in ("server_home", "server_root", "server_authority"):
        del variables[f"aims_license_{name}"]
    variables["aims_license_server_backend"] = "vendor"
    variables["ansible_connection"] = "ssh"
    sources = lab.inventory["all"]["children"]["aims_license_sources"]["hosts"]
    sources["old"] = {"ansible_host": "192.0.2.1", **old}
    del lab.target_vars["aims_license_migrate_rehearse_licenses"]
    lab.target_vars.update({"ansible_host": "127.0.0.9", **new})
    lab.write_inventory()


@pytest.fixture
def vendor(lab: Lab) -> Lab:
    """The move of the worked example from Windows to Linux."""
    declare(lab, {"ansible_shell_type": "cmd"}, {})
    return lab


def folder(lab: Lab) -> Path:
    return lab.work / "runbooks"


def runbook(lab: Lab) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder(lab) / "old-to-new.json").read_text(encoding="utf-8"))
    return read


def confirm(lab: Lab, *ids: str, **variables: Any) -> Run:
    return lab.play("runbook", "-e", json.dumps({"aims_license_migrate_confirmed": list(ids), **variables}))


def test_it_is_printed_and_written_from_the_declaration_alone_without_a_code(vendor: Lab) -> None:
    run = must(vendor.play("runbook", "-vvv"))
    assert "Runbook old -> new (windows to linux, online)" in run.output
    assert "the value of vault_proserver" in run.output
    assert runbook(vendor)["due"][0] == "old/screenshot"
    files = [path for path in folder(vendor).rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == ["old-to-new.html", "old-to-new.json", "old-to-new.json"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    for code in vendor.codes.values():
        assert code not in run.output
        assert all(code not in path.read_text(encoding="utf-8") for path in files)


def test_a_second_run_changes_nothing_and_check_mode_writes_nothing(vendor: Lab) -> None:
    foreseen = must(vendor.play("runbook", "--check"))
    assert foreseen.changed == 1 and not folder(vendor).exists()
    assert must(vendor.play("runbook")).changed == 1
    before = vendor.tree(folder(vendor))
    assert must(vendor.play("runbook")).changed == 0
    assert must(vendor.play("runbook", "--check")).changed == 0
    assert vendor.tree(folder(vendor)) == before


def copied(lab: Lab) -> Path:
    """A copy of the source with the nodelocks of the worked example, for a move that nothing of is reached."""
    copy = lab.folder / "copies" / "old"
    for name in ("Licenses", "Nodelocks"):
        (copy / name).mkdir(parents=True)
    for number in NUMBERS:
        stem = number.replace(".", "")
        (copy / "Licenses" / f"{stem}.lic").write_text("a license", encoding="utf-8")
        (copy / "Nodelocks" / f"{stem}.lock").write_text("a nodelock", encoding="utf-8")
    declare(lab, {"aims_license_server_copy": str(copy)}, {})
    return copy


def test_a_script_carries_out_the_whole_move_by_the_json_alone(lab: Lab) -> None:
    copy = copied(lab)
    must(lab.play("runbook"))
    done: list[str] = []
    while not runbook(lab)["done"]:
        due = [step for step in runbook(lab)["steps"] if step["state"] == "due"]
        assert due and not {step["id"] for step in due} & set(done)
        for step in due:
            if "".join(step["commands"][:1]).startswith("ansible-playbook"):
                must(lab.play(step["commands"][0].removeprefix("ansible-playbook aims.licensing.")))
            elif step["evidence"] == "nodelock changed":
                # What the person does on the host, and copies.
                (copy / "Nodelocks" / f"{step['values'][0]['text'].replace('.', '')}.lock").unlink()
        shown = ("nodelock changed", "file present")
        must(confirm(lab, *(step["id"] for step in due if step["evidence"] not in shown)))
        done += [step["id"] for step in due]
    assert done == [step["id"] for step in runbook(lab)["steps"]]
    assert [row["left"] for row in runbook(lab)["transfers"]] == [2, 2, 2]
    before = lab.tree(folder(lab))
    assert must(lab.play("runbook")).changed == 0
    assert lab.tree(folder(lab)) == before


def test_a_step_that_is_not_due_is_refused_and_nothing_is_recorded(vendor: Lab) -> None:
    must(vendor.play("runbook"))
    before = vendor.tree(folder(vendor))
    run = confirm(vendor, DEACTIVATE, "old/screenshot")
    assert run.code != 0 and "Traceback" not in run.output
    assert "cannot be confirmed: the step is not due yet" in run.output
    assert vendor.tree(folder(vendor)) == before


def test_a_license_without_a_transfer_left_has_no_runbook_unless_it_is_overridden(vendor: Lab) -> None:
    today = runbook_day(vendor)
    vendor.target_vars["aims_license_server_licenses"][0]["transfers_spent"] = [today, "2026-11-01", "2026-10-01"]
    vendor.write_inventory()
    run = vendor.play("runbook")
    assert run.code != 0 and f"License {SERVER} has no transfer left" in run.output
    must(vendor.play("runbook", "-e", '{"aims_license_migrate_exceed_transfers": true}'))
    assert runbook(vendor)["transfers"][0]["left"] == 0


def runbook_day(lab: Lab) -> str:
    """The day of a runbook that is made now."""
    must(lab.play("runbook"))
    return str(runbook(lab)["made"])[:10]


def test_a_damaged_record_is_not_written_over(vendor: Lab) -> None:
    must(vendor.play("runbook"))
    record = folder(vendor) / "records" / "old-to-new.json"
    record.write_text("{", encoding="utf-8")
    run = vendor.play("runbook")
    assert run.code != 0 and "The record of the pair is damaged" in run.output
    assert record.read_text(encoding="utf-8") == "{"
    record.rename(record.with_name("damaged.json"))
    must(vendor.play("runbook"))


def test_the_copy_of_a_source_contradicts_what_was_not_done_and_a_newer_copy_shows_what_was(rehearsed: Lab) -> None:
    must(rehearsed.play("backup"))
    copy = rehearsed.folder / "copies" / "old"
    shutil.copytree(rehearsed.root("old") / HOME.lstrip("/"), copy)
    (copy / ".aims-licensing.json").unlink()
    declare(rehearsed, {"aims_license_server_copy": str(copy)}, {})
    must(rehearsed.play("runbook"))
    assert state(rehearsed, "old/backup") == "done"
    while DEACTIVATE not in runbook(rehearsed)["due"]:
        must(confirm(rehearsed, *runbook(rehearsed)["due"]))
    run = must(confirm(rehearsed, DEACTIVATE))
    assert f"The confirmation of {DEACTIVATE} is void: the nodelock is as it was in the bundle." in run.output
    assert state(rehearsed, DEACTIVATE) == "due"

    for nodelock in copy.glob("Nodelocks/*"):
        nodelock.unlink()
    must(rehearsed.play("runbook"))
    assert [state(rehearsed, f"old/deactivate/{number}") for number in NUMBERS] == ["done"] * 3


def test_nodelocks_on_linux_hosts_are_looked_at(lab: Lab) -> None:
    declare(lab, {}, {})
    lab.inventory["all"]["vars"].update(
        ansible_connection="local", aims_license_server_root=f"{lab.folder}/hosts/{{{{ inventory_hostname }}}}"
    )
    lab.write_inventory()
    homes = {host: lab.root(host) / "usr" / "local" / "Aimms" for host in ("old", "new")}
    for home in homes.values():
        for folder_name in ("Licenses", "Nodelocks"):
            (home / folder_name).mkdir(parents=True)
    for number in NUMBERS:
        (homes["old"] / "Licenses" / f"{number.replace('.', '')}.lic").write_text("a license", encoding="utf-8")
        (homes["old"] / "Nodelocks" / f"{number.replace('.', '')}.lock").write_text("a nodelock", encoding="utf-8")
    must(lab.play("backup"))
    must(lab.play("runbook"))
    deactivate = [f"old/deactivate/{number}" for number in NUMBERS]
    assert [step["verdict"] for step in runbook(lab)["steps"] if step["id"] in deactivate] == ["not done"] * 3
    assert state(lab, "old/backup") == "done"

    for lock in homes["old"].glob("Nodelocks/*"):
        lock.unlink()
    (homes["new"] / "Nodelocks" / f"{SERVER.replace('.', '')}.lock").write_text("of its own", encoding="utf-8")
    must(lab.play("runbook"))
    assert [state(lab, id) for id in [*deactivate, "old/maintenance"]] == ["done"] * 4
    assert state(lab, f"new/activate/{SERVER}") == "done"
    assert [row["left"] for row in runbook(lab)["transfers"]] == [2, 3, 3]


def test_a_picture_shows_that_the_screenshot_was_taken(vendor: Lab) -> None:
    picture = vendor.folder / "old.png"
    vendor.target_vars["aims_license_migrate_screenshot"] = str(picture)
    vendor.write_inventory()
    must(vendor.play("runbook"))
    assert state(vendor, "old/screenshot") == "due"
    picture.write_bytes(b"a picture")
    must(vendor.play("runbook"))
    assert state(vendor, "old/screenshot") == "done"
    kept = folder(vendor) / "records" / f"old-to-new-screenshot{picture.suffix}"
    assert kept.read_bytes() == picture.read_bytes() and stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert must(vendor.play("runbook")).changed == 0


def state(lab: Lab, id: str) -> str:
    return next(str(step["state"]) for step in runbook(lab)["steps"] if step["id"] == id)


def test_pros_nodes_try_the_target_themselves_and_pros_log_shows_its_settings(vendor: Lab) -> None:
    address = free_address()
    vendor.target_vars["ansible_host"] = address
    log = vendor.folder / "configurator.log"
    vendor.inventory["all"]["children"]["pro"] = {"hosts": {"pro1": {"ansible_connection": "local"}}}
    variables = {"aims_license_pro_nodes": ["pro1"], "aims_license_pro_log": str(log)}
    vendor.inventory["all"]["vars"].update(variables)
    vendor.write_inventory()
    must(vendor.play("runbook"))
    assert (state(vendor, "PRO/reach"), state(vendor, "PRO/strings")) == ("due", "later")
    log.write_text(f"DEBUG proLicenseProfile={address}:3400,PROServer\n", encoding="utf-16")
    with socket.create_server((address, 3400)):
        must(vendor.play("runbook"))
    assert (state(vendor, "PRO/reach"), state(vendor, "PRO/strings")) == ("done", "done")
    log.write_text("DEBUG proLicenseProfile=192.0.2.1:3400,PROServer\n", encoding="utf-8")
    must(vendor.play("runbook"))
    assert (state(vendor, "PRO/reach"), state(vendor, "PRO/strings")) == ("due", "later")


def test_a_read_only_nodelock_is_made_writable_before_licenses_are_given_up(lab: Lab) -> None:
    copy = copied(lab)
    lock = copy / "Nodelocks" / f"{SERVER.replace('.', '')}.lock"
    lock.chmod(0o444)
    must(lab.play("runbook"))
    step = next(step for step in runbook(lab)["steps"] if step["id"] == "old/read-only")
    assert [value["text"] for value in step["values"]] == [f"Nodelocks/{lock.name}"]
    lock.chmod(0o644)
    must(lab.play("runbook"))
    assert "old/read-only" not in {step["id"] for step in runbook(lab)["steps"]}


def test_where_clients_are_in_the_inventory_their_lists_are_the_playbooks_to_keep(vendor: Lab) -> None:
    vendor.inventory["all"]["children"]["aims_license_clients"] = {"hosts": {"desk": {"ansible_connection": "local"}}}
    vendor.write_inventory()
    run = must(vendor.play("runbook"))
    assert "Add the target to the clients' lists, below the source (playbook, due)" in run.output
    assert "Run:       ansible-playbook aims.licensing.cut_over" in run.output
    commands = {step["id"]: step["commands"] for step in runbook(vendor)["steps"] if step["ours"]}
    assert commands["clients/remove-source"] == [
        "ansible-playbook aims.licensing.cut_over -e aims_license_client_remove_source=true"
    ]


def test_a_rehearsal_refuses_the_vendors_server_and_names_what_moves_it(vendor: Lab) -> None:
    run = vendor.play("rehearse")
    assert run.code != 0
    assert "aims_license_server_backend: bundled for source and target of the rehearsal" in " ".join(run.output.split())


def test_an_inventory_of_bundled_servers_has_no_runbook(lab: Lab) -> None:
    run = lab.play("runbook")
    assert run.code != 0
    assert "No host of aims_license_targets has the vendor's license server." in run.output
