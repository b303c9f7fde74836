# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook that adds the target to clients' lists before a move, and removes the source from them after it."""

from __future__ import annotations

import socket
from pathlib import Path

from support.lab import Lab
from support.runs import must

REMOVE = ("-e", "aims_license_client_remove_source=true")
# As its list names it; one client has two profiles of the source, one has its own way to write them.
LISTS = {
    "desk1": b"1\tnetwork\told.example.com:3400,Client\r\n1\tlocal\t015120001005.lic\r\n",
    "desk2": b"# ours\n1 network OLD.example.com:3400 PROSession\n1 network old.example.com:3400 Client\n",
}


def clients(lab: Lab, target: str) -> dict[str, Path]:
    """Declare clients whose lists name the source, and where they reach the license servers."""
    groups = lab.inventory["all"]["children"]
    groups["aims_license_sources"]["hosts"]["old"] = {"aims_license_client_address": "old.example.com"}
    lab.target_vars["aims_license_client_address"] = target
    places = {}
    for name, content in LISTS.items():
        places[name] = lab.folder / "clients" / name / "licenses.cfg"
        places[name].parent.mkdir(parents=True)
        places[name].write_bytes(content)
    groups["aims_license_clients"] = {
        "hosts": {name: {"aims_license_client_path": str(place)} for name, place in places.items()}
    }
    lab.write_inventory()
    return places


def test_the_target_is_added_before_the_move_and_the_source_removed_once_the_target_answers(lab: Lab) -> None:
    with socket.create_server(("127.0.0.9", 0)) as server:
        target = f"127.0.0.9:{server.getsockname()[1]}"
    places = clients(lab, target)
    copied = {name: content.replace(b"OLD", b"old") for name, content in LISTS.items()}
    copied = {name: content.replace(b"old.example.com:3400", target.encode()) for name, content in copied.items()}
    first, local = LISTS["desk1"].splitlines(keepends=True)
    ours = LISTS["desk2"].splitlines(keepends=True)[0]
    both = {
        "desk1": first + copied["desk1"].replace(local, b"") + local,
        "desk2": LISTS["desk2"] + copied["desk2"].removeprefix(ours),
    }

    foreseen = must(lab.play("cut_over", "--check", "--diff"))
    assert foreseen.changed == 2
    assert f"+1\tnetwork\t{target},Client" in foreseen.output and f"+1 network {target} PROSession" in foreseen.output
    assert {name: place.read_bytes() for name, place in places.items()} == LISTS

    assert must(lab.play("cut_over")).changed == 2
    assert {name: place.read_bytes() for name, place in places.items()} == both

    # Nobody answers at the target yet.
    refused = lab.play("cut_over", *REMOVE)
    assert refused.code != 0 and "Traceback" not in refused.output
    assert f"{target} does not answer, and the entries that it replaces stay in the list" in refused.output
    assert {name: place.read_bytes() for name, place in places.items()} == both

    host, _colon, port = target.partition(":")
    with socket.create_server((host, int(port))):
        removed = must(lab.play("cut_over", "--diff", *REMOVE))
    assert removed.changed == 2 and "-1\tnetwork\told.example.com:3400,Client" in removed.output
    assert {name: place.read_bytes() for name, place in places.items()} == copied
    # Once the source is removed, nobody has to answer.
    assert must(lab.play("cut_over", *REMOVE)).changed == 0
    assert {name: place.with_name("licenses.cfg.aims-original").read_bytes() for name, place in places.items()} == LISTS


def test_mistakes_are_told_at_once_and_a_list_without_the_license_servers_is_refused(lab: Lab) -> None:
    places = clients(lab, "new.example.com")
    desks = lab.inventory["all"]["children"]["aims_license_clients"]["hosts"]
    desks["desk1"].update(aims_license_client_pth="/x", aims_license_client_entries=["new example.com"])
    desks["desk2"]["aims_license_client_path"] = "licenses.cfg"
    lab.write_inventory()
    run = lab.play("cut_over")
    assert run.code != 0
    assert "There is no variable aims_license_client_pth." in run.output
    assert "Did you mean aims_license_client_path?" in run.output
    assert "'new example.com' is not an entry of a client's list." in run.output
    assert "'licenses.cfg' is not the whole path of a file." in run.output

    desks["desk1"] = {"aims_license_client_path": str(places["desk1"])}
    desks["desk2"] = {
        "aims_license_client_path": str(places["desk2"]),
        "aims_license_client_entries": ["new.example.com:3400,Client"],
        "aims_license_client_first": True,
    }
    lab.write_inventory()
    places["desk1"].write_bytes(b"1\tnetwork\tother:3400\n")
    run = lab.play("cut_over")
    assert run.code != 0
    assert "The list names none of old.example.com:3400" in run.output
    assert "set aims_license_client_address for the license servers" in run.output
    desks["desk1"]["aims_license_client_entries"] = ["new.example.com:3400,Client"]
    lab.write_inventory()
    must(lab.play("cut_over", "--limit", "desk1"))
    assert places["desk1"].read_bytes() == b"1\tnetwork\tother:3400\n1\tnetwork\tnew.example.com:3400,Client\n"
    ours, *others = LISTS["desk2"].splitlines(keepends=True)
    assert places["desk2"].read_bytes() == ours + b"1\tnetwork\tnew.example.com:3400,Client\n" + b"".join(others)
