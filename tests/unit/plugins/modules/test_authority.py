# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Issuing rehearsal licenses: what the ledger's host is handed of a code, and what another run does meanwhile."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.action.aims_license_authority import ActionModule, _activation
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents, faults
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.command import authority
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import ProfileView
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.modules.aims_license_authority import issue
from support import worked_example
from support.worked_example import CLIENT, SERVER, SESSION

NUMBERS = (SERVER, CLIENT)
CODES = (worked_example.CODES[SERVER], worked_example.CODES[SESSION])
PATTERN = "AAAAA-BBBBB-CCCCC-DDDDD-22222"
# As a difference shows them.
ALL = "".join(f"{number}\n" for number in sorted(NUMBERS))


class Task(ActionModule):  # type: ignore[misc]  # action plugins carry no types
    """A task of the module, whose host is this process.

    :ivar sent: what the host was handed, call by call
    :ivar changed_to: what the host says of its realm, if that is not the ledger's
    """

    def __init__(self, path: Path, *codes: str, check: bool = False, **more: Any) -> None:
        licenses = [{"number": number, "activation_code": code, **more} for number, code in zip(NUMBERS, codes)]
        arguments = {"authority": f"ledger:{path}", "name": "lab", "licenses": licenses}
        action = "aims.licensing.aims_license_authority"
        self._task = SimpleNamespace(
            args=arguments, check_mode=check, delegate_to="authority", action=action, resolved_action=action
        )
        self._connection, self._play_context = None, SimpleNamespace(remote_addr=None)
        self.sent: list[dict[str, Any]] = []
        self.changed_to: dict[str, str] | None = None

    def _execute_module(self, module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        params = json.loads(json.dumps(dict(module_args)))
        self.sent.append(params)
        try:
            result = issue(SimpleNamespace(params=completed(params), check_mode=self._task.check_mode))
        except LicensingError as error:
            return {"failed": True, "msg": str(error)}
        return {**result, "realm": self.changed_to or result["realm"]}

    def done(self) -> dict[str, Any]:
        result: dict[str, Any] = self.act({"inventory_hostname": "new"})
        # What is sent is what the whole of this is about.
        assert not any(code.replace("-", "") in json.dumps(self.sent).replace("-", "") for code in (*CODES, PATTERN))
        assert "activation_code" not in json.dumps(self.sent)
        return result


def completed(params: dict[str, Any]) -> dict[str, Any]:
    """Arguments of the module with its defaults."""
    common = {"code_key": None, "type": "Rehearsal license", "seats": 10, "days": 365}
    return {
        "look": False,
        "realm_id": None,
        **params,
        "licenses": [{**common, **license} for license in params["licenses"]],
    }


def keys_of(path: Path) -> dict[str, str]:
    with Ledger(str(path)) as ledger:
        return {license.number: license.code_key for license in ledger.licenses()}


def verifier(realm: str, at: int) -> str:
    return documents.public_half(documents.key_from_code(NUMBERS[at], CODES[at], realm))


def test_the_host_of_the_ledger_is_handed_what_proves_the_codes_there(tmp_path: Path) -> None:
    path = tmp_path / "authority.db"
    task = Task(path, *CODES)
    result = task.done()
    assert result["changed"] and result["issued"] == list(NUMBERS) and result["licenses"] == sorted(NUMBERS)
    assert result["diff"] == {"before": "", "after": ALL}
    with Ledger(str(path)) as ledger:
        assert result["realm"] == ledger.realm.as_dict()
    assert keys_of(path) == {number: verifier(result["realm"]["key"], at) for at, number in enumerate(NUMBERS)}
    again = Task(path, *CODES)
    assert again.done() == {**result, "changed": False, "issued": [], "diff": {"before": ALL, "after": ALL}}
    assert (len(task.sent), len(again.sent)) == (3, 1)


def test_the_command_of_the_ledger_makes_the_same_of_a_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, other = tmp_path / "authority.db", tmp_path / "other.db"
    assert Task(path).done()["changed"]
    shutil.copy(path, other)
    assert Task(path, CODES[0]).done()["issued"] == [NUMBERS[0]]
    monkeypatch.setattr(sys, "stdin", io.StringIO(CODES[0] + "\n"))
    grants = ["--type", "Rehearsal license", "--seats", "10"]
    assert authority(["issue", NUMBERS[0], "--ledger", str(other), "--activation-code", "-", *grants]) == 0
    assert keys_of(path) == keys_of(other)


def test_a_ledger_of_an_earlier_version_gets_keys_as_it_knows_them(tmp_path: Path) -> None:
    path = tmp_path / "authority.db"
    with Ledger.create(str(path), "lab") as ledger:
        plain = documents.public_half(documents.load_private_key(ledger._private_key, "key"))
        ledger._rows("UPDATE realm SET public_key = ?", plain)
    assert Task(path, *CODES).done()["realm"]["key"] == plain
    assert keys_of(path) == {number: verifier("", at) for at, number in enumerate(NUMBERS)}


def test_the_source_of_a_rehearsal_gets_what_is_declared_or_what_its_bundle_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "authority.db"
    made = Task(path, *CODES).done()["activation"]
    plain = {"profile": None, "default": False, "nodelock": "machine"}
    assert made == {"licenses": [{"number": number, **plain} for number in NUMBERS], "profiles": [], "users": None}
    profiles = (ProfileView("Own", SERVER, default=True), ProfileView("Else", SESSION))
    overview = Overview(profiles=profiles, users=("AIMS\\anna",))
    bundle = SimpleNamespace(overview=overview, doubt=lambda vault: None)
    monkeypatch.setattr(f"{ActionModule.__module__}.read_bundle", lambda path: bundle)
    monkeypatch.setattr(Task, "vault", None)
    of_bundle = Task(path, *CODES)
    of_bundle._task.args["bundle"] = str(tmp_path)
    made = of_bundle.done()["activation"]
    assert made["profiles"] == [{"name": "Own", "license": SERVER, "default": True}]
    assert made["users"] == ["AIMS\\anna"]


def test_declared_names_give_way_to_those_of_a_bundle() -> None:
    declared = [DeclaredLicense(SERVER, CODES[0], "PROServer", default=True)]
    assert _activation(declared, None)["licenses"][0]["profile"] == "PROServer"
    (license,) = _activation(declared, Overview())["licenses"]
    assert (license["profile"], license["default"]) == (None, True)


@pytest.mark.parametrize("there", [False, True])
def test_check_mode_predicts_what_is_issued_and_derives_nothing(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "authority.db"
    if there:
        Ledger.create(str(path), "lab").close()
    before = [(place.name, place.read_bytes()) for place in tmp_path.iterdir()]
    monkeypatch.setattr(documents, "key_from_code", None)
    result = Task(path, *CODES, check=True).done()
    assert result["changed"] and result["issued"] == list(NUMBERS) and (result["realm"] is None) == (not there)
    assert [(place.name, place.read_bytes()) for place in tmp_path.iterdir()] == before


@pytest.mark.parametrize("check", [False, True])
def test_what_cannot_be_issued_is_refused_before_there_is_a_ledger(check: bool, tmp_path: Path) -> None:
    with pytest.raises(LicensingError, match="follows a pattern") as refused:
        Task(tmp_path / "authority.db", PATTERN, PATTERN, check=check).done()
    assert len(refused.value.problems) == 2
    assert "number of seats" in Task(tmp_path / "authority.db", *CODES, check=check, seats=0).done()["msg"]
    assert list(tmp_path.iterdir()) == []


def test_a_license_that_has_a_code_with_a_pattern_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "authority.db"
    Task(path, CODES[0]).done()
    issued = keys_of(path)
    for code in (CODES[1], PATTERN):
        result = Task(path, code).done()
        assert not result["changed"] and result["issued"] == []
    added = Task(path, PATTERN, CODES[1]).done()
    assert added["issued"] == [NUMBERS[1]] and keys_of(path)[NUMBERS[0]] == issued[NUMBERS[0]]


def test_a_key_of_another_realm_is_not_issued(tmp_path: Path) -> None:
    """The ledger is another by then, or its host says so: nobody could activate such a license, for good."""
    path = tmp_path / "authority.db"
    Ledger.create(str(path), "lab").close()
    task = Task(path, *CODES)
    with Ledger.create(str(tmp_path / "other.db"), "lab") as other:
        task.changed_to = other.realm.as_dict()
    result = task.done()
    assert result["failed"] and "The ledger belongs to realm" in result["msg"] and keys_of(path) == {}
    task = Task(path, *CODES)
    task.changed_to = {**other.realm.as_dict(), "key": "AAAA"}
    with pytest.raises(LicensingError, match="This is not a realm"):
        task.done()


@pytest.mark.parametrize("key", [None, "", "no key", "A" * 42 + "==", "A" * 44 + "===="])
def test_a_license_without_a_key_is_not_issued(key: str | None, tmp_path: Path) -> None:
    path = tmp_path / "authority.db"
    params = completed({"authority": f"ledger:{path}", "name": "lab", "licenses": [{"number": NUMBERS[0]}]})
    params["licenses"][0]["code_key"] = key
    with pytest.raises(LicensingError, match="lacks the key that verifies its activation code"):
        issue(SimpleNamespace(params=params, check_mode=False))
    assert not path.exists()


def test_a_license_that_another_run_issues_meanwhile_keeps_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "authority.db"
    Ledger.create(str(path), "lab").close()
    code_keys: list[str] = []

    def another_run(point: str, statement: str) -> None:
        if point == "ledger.statement" and statement.startswith("BEGIN") and not code_keys:
            monkeypatch.setattr(faults, "hook", None)
            Task(path, CODES[1]).done()
            code_keys.extend(keys_of(path).values())

    monkeypatch.setattr(faults, "hook", another_run)
    result = Task(path, *CODES).done()
    issued = keys_of(path)
    assert issued[NUMBERS[0]] == code_keys[0] and set(issued) == set(NUMBERS)
    assert result["changed"] and result["issued"] == [NUMBERS[1]] and result["licenses"] == sorted(NUMBERS)
