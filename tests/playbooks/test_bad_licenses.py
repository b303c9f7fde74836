# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Licenses, codes, machines and authorities that do not allow a migration: told before the first change."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import new_machine_id
from playbooks.bad_input import CLIENT, MISSING, SERVER, SESSION, Rehearsal
from support.lab import Lab

WRONG_CODE = "ABCDE-FGHIJ-KLMNO-PQRST-UVWXY"
INSTALLED = "installed"
MOVED = "moved"
RELEASED = "released"


@pytest.fixture(scope="module")
def shared(prepared: Lab, tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    """A rehearsed pair for the whole module."""
    return Rehearsal(prepared, tmp_path_factory.mktemp("licenses"))


@pytest.fixture
def pair(shared: Rehearsal) -> Rehearsal:
    """The rehearsed pair as it was made: everything active on the source."""
    return shared.back_to()


@pytest.fixture
def installed(pair: Rehearsal) -> Rehearsal:
    """The rehearsed pair with a license server on the target, which holds nothing yet."""
    if not pair.has(INSTALLED):
        pair.succeeds(pair.task("new", "server_install"))
        pair.keep(INSTALLED)
    return pair.back_to(INSTALLED)


@pytest.fixture
def released(installed: Rehearsal) -> Rehearsal:
    """The same with license 015.120.065.016 live nowhere."""
    if not installed.has(RELEASED):
        installed.licman("old", "--nodelock-deactivate", SESSION)
        installed.keep(RELEASED)
    return installed.back_to(RELEASED)


@pytest.fixture
def moved(pair: Rehearsal) -> Rehearsal:
    """The worked example moved to the host ``new``, and ``third`` declared as the one target of ``old``."""
    if not pair.has(MOVED):
        pair.succeeds("migrate")
        pair.make_root("third")
        pair.keep(MOVED)
    pair.back_to(MOVED)
    with pair.declaring():
        declared = pair.inventory["all"]["children"]["aims_license_targets"]["hosts"].pop("new")
        pair.add_host("third", "aims_license_targets", **declared)
        pair.inventory["all"]["children"]["spare"] = {"hosts": {"new": {}}}
    return pair


def wanted(pair: Rehearsal, number: str, code: str = "") -> dict[str, Any]:
    """A license as the modules take it; its code is a variable of the vault unless given."""
    declared = next((one for one in pair.declared if one["number"] == number), {"profile": "Other"})
    return {**declared, "number": number, **({"activation_code": code} if code else {})}


def test_wrong_activation_code_online(pair: Rehearsal) -> None:
    with pair.declaring():
        pair.declared[1]["activation_code"] = WRONG_CODE
    refusal = pair.refused(secret=WRONG_CODE)
    assert refusal.problem
    assert refusal.tells(
        f"no license {SESSION} with this activation code", f"license {SESSION}", "Check the license number"
    )


def test_wrong_activation_code_offline(pair: Rehearsal) -> None:
    with pair.declaring():
        pair.declared[1]["activation_code"] = WRONG_CODE
    pair.offline()
    refusal = pair.refused(secret=WRONG_CODE)
    assert refusal.problem
    assert refusal.tells(f"code declared for license {SESSION}", f"license {SESSION}", "Check the license number")


def test_activation_codes_that_were_swapped(pair: Rehearsal) -> None:
    with pair.declaring():
        one, two = pair.declared[0], pair.declared[1]
        one["activation_code"], two["activation_code"] = two["activation_code"], one["activation_code"]
    refusal = pair.refused()
    for number in (SERVER, SESSION):
        assert refusal.tells(f"no license {number} with this activation code", number, "Check the license number")


def test_activation_code_is_not_told_at_any_verbosity(pair: Rehearsal) -> None:
    with pair.declaring():
        pair.declared[1]["activation_code"] = WRONG_CODE
    assert pair.refused("migrate", "-vvvv", secret=WRONG_CODE).problem


def test_unknown_license(pair: Rehearsal) -> None:
    with pair.declaring():
        pair.declared.append(wanted(pair, MISSING, WRONG_CODE))
    refusal = pair.refused(secret=WRONG_CODE)
    assert refusal.problem
    assert refusal.tells(f"knows no license {MISSING}", f"license {MISSING}", "Check the license number")


def test_license_that_is_live_on_a_third_host(moved: Rehearsal) -> None:
    refusal = moved.refused()
    assert len(refusal.problems) == 3
    for number in (SERVER, SESSION, CLIENT):
        assert refusal.tells(f"License {number} is live on another", f"license {number}", "Deactivate it there first")


def test_license_that_the_source_lost_though_it_is_live(pair: Rehearsal) -> None:
    for kind in ("lock", "ver"):
        (pair.home("old") / "Nodelocks" / f"{SESSION.replace('.', '')}.{kind}").unlink()
    refusal = pair.refused()
    assert refusal.problem
    assert refusal.tells(f"License {SESSION} is live", f"license {SESSION}", "restore its nodelock")


def test_expired_license_online(pair: Rehearsal) -> None:
    expiry = pair.expire(SESSION)
    refusal = pair.refused()
    assert refusal.problem
    assert refusal.tells(f"License {SESSION} expired on {expiry}", f"license {SESSION}", "renewed license")


def test_expired_license_offline(pair: Rehearsal) -> None:
    expiry = pair.expire_on(pair.source, SESSION)
    pair.offline()
    refusal = pair.refused()
    assert refusal.problem
    assert refusal.tells(f"License {SESSION} expired on {expiry}", f"license {SESSION}", "renewed license")


def test_spent_budget_online(pair: Rehearsal) -> None:
    returns = pair.spend_transfers(SESSION)
    refusal = pair.refused()
    assert refusal.problem
    assert refusal.tells(f"License {SESSION} has spent its 3 transfers", f"license {SESSION}", f"returns at {returns}")


def test_spent_budget_of_all_licenses_is_told_for_each(pair: Rehearsal) -> None:
    for number in (SERVER, SESSION, CLIENT):
        pair.spend_transfers(number)
    refusal = pair.refused("migrate", "--check")
    assert len(refusal.problems) == 3
    for number in (SERVER, SESSION, CLIENT):
        assert refusal.tells("has spent its 3 transfers", f"license {number}", "The next one returns at")


def test_spent_budget_offline_is_known_from_the_nodelock_of_the_source(pair: Rehearsal) -> None:
    pair.licman("old", "--nodelock-deactivate", SESSION)
    returns = pair.spend_transfers(SESSION)
    # On the machine that gave it back it may be activated again; the answer tells what was spent.
    pair.succeeds("rehearse", "--tags", "prepare")
    assert pair.licenses_are("old", "Active")
    pair.offline()
    pair.ledger.unlink()
    refusal = pair.refused()
    assert refusal.problem
    assert refusal.tells(f"License {SESSION} has spent its 3 transfers", f"license {SESSION}", f"returns at {returns}")


@pytest.mark.parametrize("channel", ["online", "offline"])
def test_machine_id_that_source_and_target_share(pair: Rehearsal, channel: str) -> None:
    shutil.copy(pair.root("old") / "etc" / "machine-id", pair.root("new") / "etc" / "machine-id")
    if channel == "offline":
        pair.offline()
    refusal = pair.refused()
    root = pair.root("new")
    mend = f"On new, as root: {new_machine_id(str(root))}; then run this again."
    assert refusal.problem
    assert refusal.tells("old and new have the same machine-id", f"{root}/etc/machine-id", mend)


@pytest.mark.parametrize("host", ["old", "new"])
@pytest.mark.parametrize("content", [None, "", "uninitialized\n", f"{'0' * 31}x\n", f"{'0' * 32}\n"])
def test_machine_id_that_is_missing_or_malformed(pair: Rehearsal, host: str, content: str | None) -> None:
    file = pair.root(host) / "etc" / "machine-id"
    file.unlink()
    if content is not None:
        file.write_text(content, encoding="utf-8")
    refusal = pair.refused()
    assert refusal.problem
    assert refusal.tells("no valid machine-id", str(file), new_machine_id(str(pair.root(host))))


def missing(file: Path) -> None:
    file.unlink()


def text(file: Path) -> None:
    file.write_text("number: 015.120.064.022\n" * 99, encoding="utf-8")


def empty(file: Path) -> None:
    file.write_bytes(b"")


def directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:4096])


@pytest.mark.parametrize(
    ("spoil", "what", "todo"),
    [
        (missing, "no ledger of an authority here", "authority init"),
        (directory, "no ledger of an authority here", "authority init"),
        (text, "The ledger cannot be", "Check"),
        (half, "The ledger cannot be", "Check"),
        (empty, "not a ledger", "authority init"),
    ],
)
def test_ledger_that_is_none(pair: Rehearsal, spoil: Callable[[Path], None], what: str, todo: str) -> None:
    spoil(pair.ledger)
    refusal = pair.refused()
    assert refusal.problem
    assert refusal.tells(what, str(pair.ledger), todo)


def test_ledger_that_may_not_be_read(pair: Rehearsal) -> None:
    pair.ledger.chmod(0)
    refusal = pair.refused(owner=True)
    assert refusal.tells("The ledger cannot be", str(pair.ledger), "Check")


def test_ledger_of_another_realm(pair: Rehearsal) -> None:
    pair.ledger.rename(pair.folder / "first.db")
    pair.authority("init", "--name", "Elsewhere")
    refusal = pair.refused()
    assert refusal.tells("REHEARSAL Elsewhere", "", "aims_license_server_authority")


# Modules that are called without the roles, which would catch these earlier.


def test_module_wrong_activation_code(installed: Rehearsal) -> None:
    refusal = installed.refused_task("new", "activate", licenses=[wanted(installed, SESSION, WRONG_CODE)])
    assert WRONG_CODE not in refusal.output
    assert refusal.tells(f"no license {SESSION} with this activation code", SESSION, "Check the license number")


def test_module_wrong_activation_code_of_an_installed_license(pair: Rehearsal) -> None:
    refusal = pair.refused_task("old", "activate", licenses=[wanted(pair, SESSION, WRONG_CODE)])
    assert WRONG_CODE not in refusal.output
    assert refusal.tells(f"code declared for license {SESSION}", SESSION, "Check the license number")


def test_module_license_that_is_live_elsewhere(installed: Rehearsal) -> None:
    licenses = "{{ aims_license_server_licenses }}"
    refusal = installed.refused_task("new", "activate", licenses=licenses)
    assert len(refusal.problems) == 3
    for number in (SERVER, SESSION, CLIENT):
        assert refusal.tells(f"License {number} is live on another", f"license {number}", "Deactivate it there first")


def test_module_expired_license(released: Rehearsal) -> None:
    expiry = released.expire(SESSION)
    refusal = released.refused_task("new", "activate", licenses=[wanted(released, SESSION)])
    assert refusal.tells(f"License {SESSION} expired on {expiry}", f"license {SESSION}", "renewed license")


def test_module_spent_budget(released: Rehearsal) -> None:
    returns = released.spend_transfers(SESSION)
    refusal = released.refused_task("new", "activate", licenses=[wanted(released, SESSION)])
    assert refusal.tells(f"License {SESSION} has spent its 3 transfers", f"license {SESSION}", f"returns at {returns}")


def test_module_ledger_that_is_missing(installed: Rehearsal) -> None:
    installed.ledger.unlink()
    refusal = installed.refused_task("new", "activate", licenses=[wanted(installed, SESSION)])
    assert refusal.tells("no ledger of an authority here", str(installed.ledger), "authority init")


def test_module_offline_without_a_realm(installed: Rehearsal) -> None:
    refusal = installed.refused_task("new", "activate", licenses=[wanted(installed, SESSION)], authority="offline")
    assert refusal.tells("not known whose responses", str(installed.home("new")), "aims_license_server_realm")


def test_module_personal_nodelock_offline(installed: Rehearsal) -> None:
    license = {**wanted(installed, SESSION), "nodelock": "personal"}
    refusal = installed.refused_task("new", "activate", licenses=[license], authority="offline")
    assert refusal.tells("cannot be activated offline", SESSION, "machine nodelock, or go online")


def told(pair: Rehearsal) -> list[str]:
    """What the newest report says of licenses that the target holds and does not serve as they are."""
    report = json.loads((pair.work / "reports" / "old-to-new.json").read_text(encoding="utf-8"))
    return [str(note) for note in report["plan"]["limits"]]


def test_what_expires_after_it_was_moved_is_told_and_is_no_failure_of_the_migration(pair: Rehearsal) -> None:
    pair.succeeds("migrate")
    expiry = pair.expire_on("new", SESSION)
    note = f"License {SESSION} is not served on new: it is valid from "
    run = pair.succeeds("migrate")
    assert "expired on new" in run.output and note in run.output
    assert any(one.startswith(note) and f" to {expiry}." in one for one in told(pair))
    assert note in (pair.work / "reports" / "old-to-new.html").read_text(encoding="utf-8")
    before = pair.everything()
    for options in (["--check"], []):
        run = pair.succeeds("migrate", *options)
        assert run.changed == 0 and "Nothing is left to do." in run.output and note in run.output
        assert pair.everything() == before


def test_an_update_that_waits_on_the_target_is_told_and_keeps_nothing_from_ending(pair: Rehearsal) -> None:
    pair.succeeds("migrate")
    pair.go_offline()
    offline = ["--nodelock-update", SESSION, "--authority", "offline", "--request-dir", str(pair.work / "offline")]
    (pair.work / "offline").mkdir()
    pair.licman("new", *offline)
    waiting = pair.work / "offline" / f"{SESSION.replace('.', '')}.request"
    asked = waiting.read_bytes()
    note = f"License {SESSION} is served on new as it was; its update is pending."
    assert note in pair.succeeds("migrate").output
    assert any(one.startswith(note) for one in told(pair))
    before = pair.everything()
    for playbook in ("migrate", "reconcile"):
        assert pair.succeeds(playbook).changed == 0
        assert pair.everything() == before
    assert waiting.read_bytes() == asked
    # Its response may come with the next run of whatever kind.
    pair.authority("process", str(waiting))
    pair.succeeds("migrate")
    assert pair.licenses_are("new", "Active") and not waiting.exists()
    assert told(pair) == []
