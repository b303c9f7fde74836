# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rehearsals: an authority and a source of one's own, from the inventory or from a bundle of the real server."""

from __future__ import annotations

from pathlib import Path

from playbooks.hostile import turn_hostile
from support.lab import GRANTS, NUMBERS, USERS, Lab
from support.leaks import disguises, secrets_of
from support.runs import must
from support.vendor_tree import make_tree


def test_from_the_inventory_to_the_end(lab: Lab) -> None:
    must(lab.play("rehearse"))
    assert lab.held("old") == set() and lab.held("new") == set(NUMBERS)
    assert lab.transfers() == dict.fromkeys(NUMBERS, 1)
    for one in lab.overview("new")["licenses"]:
        assert {key: one[key] for key in ("type", "seats")} == GRANTS[one["number"]]
    realm = lab.overview("new")["server"]["realm"]
    assert realm["name"].startswith("REHEARSAL ")

    before = lab.everything()
    assert must(lab.play("rehearse")).changed == 0
    assert lab.everything() == before


def test_a_target_that_serves_another_license_is_prepared_and_one_that_had_these_is_not(lab: Lab) -> None:
    licenses = lab.target_vars["aims_license_server_licenses"]

    lab.make_root("older")
    lab.inventory["all"]["children"]["aims_license_sources"]["hosts"]["older"] = {}

    def declare(source: str, *at: int) -> None:
        lab.target_vars["aims_license_migrate_source"] = source
        lab.target_vars["aims_license_server_licenses"] = [licenses[one] for one in at]
        grants = {NUMBERS[one]: GRANTS[NUMBERS[one]] for one in at}
        lab.target_vars["aims_license_migrate_rehearse_licenses"] = grants
        lab.write_inventory()

    declare("older", 2)
    must(lab.play("rehearse"))
    declare("old", 0, 1)
    must(lab.play("rehearse"))
    assert lab.held("old") == set() and lab.held("new") == set(NUMBERS)
    assert lab.transfers() == dict.fromkeys(NUMBERS, 1)

    for number in NUMBERS[:2]:
        lab.licman("new", "--nodelock-deactivate", number)
    before = lab.everything()
    assert must(lab.play("rehearse", "--tags", "prepare")).changed == 0
    assert lab.everything() == before


def test_preparing_twice_changes_nothing_and_moves_nothing(lab: Lab) -> None:
    must(lab.play("rehearse", "--tags", "prepare"))
    assert lab.held("old") == set(NUMBERS) and not lab.home("new").exists()
    before = lab.everything()
    assert must(lab.play("rehearse", "--tags", "prepare")).changed == 0
    assert lab.everything() == before
    assert lab.transfers() == dict.fromkeys(NUMBERS, 0)


def test_from_a_bundle(rehearsed: Lab, tmp_path: Path) -> None:
    # What the inventory does not say: a profile more, another order, other names, and users.
    rehearsed.licman("old", "--profile-remove", "Client")
    rehearsed.licman("old", "--profile-add", "Customer", "--license", NUMBERS[2])
    rehearsed.licman("old", "--profile-add", "Nightly", "--license", NUMBERS[1], "--default")
    must(rehearsed.play("backup"))
    real = rehearsed.overview("old")

    other = Lab(tmp_path / "rehearsal")
    variables = other.target_vars
    del variables["aims_license_migrate_rehearse_licenses"]
    variables["aims_license_migrate_rehearse_bundle"] = str(rehearsed.work / "bundles" / "old" / "latest")
    other.write_inventory()
    # The bundle is vouched for by the vault password that it was made with; without it nothing begins.
    run = other.play("rehearse", "--tags", "prepare")
    assert run.code != 0 and "No vault password of this run opens this file of the bundle." in run.output
    assert not other.ledger.exists()
    prepare = ("rehearse", "--tags", "prepare", "--vault-id", f"real@{rehearsed.folder / 'vault-password'}")
    must(other.play(*prepare, ANSIBLE_VAULT_ENCRYPT_IDENTITY="default"))
    seen = other.overview("old")
    assert [(one["number"], one["type"], one["seats"]) for one in seen["licenses"]] == [
        (one["number"], one["type"], one["seats"]) for one in real["licenses"]
    ]
    assert [(one["name"], one["license"], one["default"]) for one in seen["profiles"]] == [
        (one["name"], one["license"], one["default"]) for one in real["profiles"]
    ]
    assert seen["users"] == real["users"] == USERS
    assert {one["number"]: one["seats"] for one in other.authority("list")} == {
        number: GRANTS[number]["seats"] for number in NUMBERS
    }
    # The authority is the rehearsal's own, and so are the licenses.
    assert seen["server"]["realm"]["key"] != real["server"]["realm"]["key"]

    before = other.everything()
    assert must(other.play(*prepare, ANSIBLE_VAULT_ENCRYPT_IDENTITY="default")).changed == 0
    assert other.everything() == before


def test_from_a_bundle_of_the_vendors_server(lab: Lab, tmp_path: Path) -> None:
    sources = lab.inventory["all"]["children"]["aims_license_sources"]["hosts"]
    sources["old"] = {"aims_license_server_backend": "vendor"}
    lab.write_inventory()
    make_tree(lab.root("old") / "usr" / "local" / "Aimms")
    must(lab.play("backup"))
    # Not on the vendor's server itself; the message names the way.
    run = lab.play("rehearse")
    told = " ".join(run.output.split())
    assert run.code != 0 and "a rehearsal runs on bundled ones" in told and "host old" in told
    assert "(aims_license_migrate_rehearse_bundle)" in told and not lab.ledger.exists()

    other = Lab(tmp_path / "rehearsal")
    other.target_vars["aims_license_migrate_rehearse_bundle"] = str(lab.work / "bundles" / "old" / "latest")
    # The declaration has another name since the backup, one number has no grants, and another is left out.
    other.target_vars["aims_license_server_licenses"][1]["profile"] = "Renamed"
    del other.target_vars["aims_license_server_licenses"][2]
    grants = {NUMBERS[0]: GRANTS[NUMBERS[0]]}
    other.target_vars["aims_license_migrate_rehearse_licenses"] = grants
    other.target_vars["aims_license_server_users"] = USERS
    # The inventory of the move serves too, if the command line says bundled.
    other.inventory["all"]["vars"]["aims_license_server_backend"] = "vendor"
    other.write_inventory()
    identity = ("-e", "aims_license_server_backend=bundled", "--vault-id", f"real@{lab.folder / 'vault-password'}")
    run = must(other.play("rehearse", "--tags", "prepare", *identity, ANSIBLE_VAULT_ENCRYPT_IDENTITY="default"))
    assert f"Not rehearsed, because the inventory does not declare it: {NUMBERS[2]}." in " ".join(run.output.split())
    seen = other.overview("old")
    # No file of the vendor's shows type and seats: they are declared for the rehearsal, or the defaults.
    assert [(one["number"], one["type"], one["seats"]) for one in seen["licenses"]] == [
        (NUMBERS[0], *(GRANTS[NUMBERS[0]][key] for key in ("type", "seats"))),
        (NUMBERS[1], "Rehearsal license", 10),
    ]
    assert [(one["name"], one["license"]) for one in seen["profiles"]] == [
        ("PROServer", NUMBERS[0]),
        ("PROSession", NUMBERS[1]),
    ]
    assert seen["users"] == []
    for changed in (True, False):
        run = must(other.play("rehearse", *identity, ANSIBLE_VAULT_ENCRYPT_IDENTITY="default"))
        assert (run.changed > 0) is changed
    assert other.held("new") == set(NUMBERS[:2]) and other.held("old") == set()
    assert [one["name"] for one in other.overview("new")["profiles"]] == ["PROServer", "Renamed"]
    assert other.overview("new")["users"] == USERS


def test_check_of_a_rehearsal_that_is_not_prepared_ends_after_the_preparation(lab: Lab) -> None:
    before = lab.everything()
    run = must(lab.play("rehearse", "--check"))
    assert lab.everything() == before and not lab.ledger.exists()
    told = " ".join(run.output.split())
    assert "Check mode ends here for new" in told and f"issues 3 license(s) in ledger:{lab.ledger}" in told
    assert "Plan old -> new" not in told and run.changed > 0

    must(lab.play("rehearse", "--tags", "prepare"))
    before = lab.everything()
    run = must(lab.play("rehearse", "--check"))
    assert lab.everything() == before and run.changed == 0
    assert "Plan old -> new" in run.output and "Check mode ends here" not in run.output

    # Half of a preparation: the licenses are issued, but one is not on the source.
    lab.licman("old", "--nodelock-deactivate", NUMBERS[0])
    run = must(lab.play("rehearse", "--check"))
    assert "Check mode ends here" in run.output and "Plan old -> new" not in run.output
    must(lab.play("rehearse"))
    assert lab.held("new") == set(NUMBERS)
    assert "Check mode ends here" not in must(lab.play("rehearse", "--check")).output


def test_grants_are_found_by_twelve_digits_too(lab: Lab) -> None:
    grants = "aims_license_migrate_rehearse_licenses"
    lab.target_vars[grants] = {number.replace(".", ""): granted for number, granted in GRANTS.items()}
    lab.write_inventory()
    must(lab.play("rehearse", "--tags", "prepare"))
    for one in lab.overview("old")["licenses"]:
        assert {key: one[key] for key in ("type", "seats")} == GRANTS[one["number"]]


def test_grants_that_no_license_would_get_are_an_error_of_the_rehearsal(lab: Lab) -> None:
    lab.target_vars["aims_license_migrate_rehearse_licenses"] = {
        **GRANTS,
        "015.120.055.015": {"seats": 10},
        "015.120": {"seats": 10},
        NUMBERS[0]: {"seat": 10},
    }
    # Those of another pair may be in the same variable.
    lab.make_root("far")
    far = {**lab.target_vars, "aims_license_migrate_source": "older", "aims_license_server_licenses": []}
    far["aims_license_server_licenses"] = [lab.target_vars["aims_license_server_licenses"].pop()]
    lab.inventory["all"]["children"]["aims_license_targets"]["hosts"]["far"] = far
    lab.inventory["all"]["children"]["aims_license_sources"]["hosts"]["older"] = {}
    lab.write_inventory()
    before = lab.everything()
    run = lab.play("rehearse")
    assert run.code != 0 and "Traceback" not in run.output and lab.everything() == before
    where = "[inventory host {}, aims_license_migrate_rehearse_licenses"
    for host in ("new", "far"):
        assert "'015.120' is not a license number. " + where.format(host) in run.output
        assert f"Unknown key seat. {where.format(host)} of license {NUMBERS[0]}]" in run.output

    for target in (lab.target_vars, far):
        target["aims_license_migrate_rehearse_licenses"] = {**GRANTS, "015.120.055.015": {"seats": 10}}
    lab.write_inventory()
    run = lab.play("rehearse")
    assert run.code != 0 and lab.everything() == before
    for host in ("new", "far"):
        told = f"License 015.120.055.015 is declared for no target. {where.format(host)}] Did you mean {NUMBERS[2]}?"
        assert told in run.output
    assert NUMBERS[1] not in run.output


def test_the_host_of_the_ledger_is_sent_no_code(lab: Lab) -> None:
    lab.make_root("third")
    lab.inventory["all"]["children"]["aims_license_authorities"] = {
        "hosts": {"third": {"aims_license_authority_ledger": str(lab.ledger)}}
    }
    lab.target_vars["aims_license_migrate_rehearse_authority"] = "third"
    sent = turn_hostile(lab, "third", "")

    def check_what_was_sent() -> None:
        content = sent.read_bytes()
        # What is not seen here proves nothing, so something of the same arguments has to be.
        assert any(form in content for form in disguises(GRANTS[NUMBERS[0]]["type"].encode()))
        codes = {name: forms for name, forms in secrets_of(lab).items() if name.startswith("code of")}
        assert set(codes) == {f"code of {number}" for number in NUMBERS}
        assert [name for name, forms in codes.items() if any(form in content for form in forms)] == []
        sent.unlink()

    before = lab.everything()
    must(lab.play("rehearse", "--tags", "prepare", "--check"))
    check_what_was_sent()
    assert lab.everything() == before

    # Half of what is declared, then the rest, into the ledger that is there by then.
    licenses = lab.target_vars["aims_license_server_licenses"]
    grants = lab.target_vars["aims_license_migrate_rehearse_licenses"]
    for count in (1, len(NUMBERS)):
        lab.target_vars["aims_license_server_licenses"] = licenses[:count]
        lab.target_vars["aims_license_migrate_rehearse_licenses"] = {key: grants[key] for key in NUMBERS[:count]}
        lab.write_inventory()
        must(lab.play("rehearse", "--tags", "prepare"))
        check_what_was_sent()
        # The codes are the licenses' all the same.
        assert lab.held("old") == set(NUMBERS[:count])

    before = lab.everything()
    assert must(lab.play("rehearse", "--tags", "prepare")).changed == 0
    check_what_was_sent()
    assert lab.everything() == before
    must(lab.play("rehearse"))
    check_what_was_sent()
    assert lab.held("new") == set(NUMBERS)
