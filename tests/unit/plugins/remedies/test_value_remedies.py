# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A value that is wrong is put right as its message shows it, and the same call succeeds."""

from __future__ import annotations

import gc
import json
import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultSecret
from ansible_collections.aims.licensing.plugins.module_utils._licensing import cli
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.http import service
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel import base
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server import listening
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.vault import RunVault
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory import pairs
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import TARGETS, HostVariables
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.portal_options import check_realm, portal_problems
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.realms import realm_problems
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.service_lab import (
    service_lab,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import SERVER, declared
from ansible_collections.aims.licensing.tests.unit.plugins.remedies.pair import Pair
from ansible_collections.aims.licensing.tests.unit.plugins.remedies.printed import CHECKOUT
from support.plans import pair_of

VARIABLE = "aims_license_server_realm"


def told(call: Any) -> str:
    """What a call that is refused tells."""
    with pytest.raises(LicensingError) as refused:
        call()
    return str(refused.value)


@pytest.fixture
def shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the command that a message names as the one that prints a realm; return what it prints."""

    made: dict[str, Any] = {}

    def run(text: str) -> dict[str, Any]:
        command = re.findall(r"as '(authority init)'", text)[0]
        # A ledger is made but once.
        if not made:
            assert cli.main([*command.split(), "--ledger", str(tmp_path / "made.db"), "--json"]) == 0
            made.update(json.loads(capsys.readouterr().out))
        return dict(made)

    return run


def test_each_form_of_an_authority_that_the_message_shows_is_one() -> None:
    text = told(lambda: base.check_authority("/var/lib/authority.db"))
    assert "(variable aims_license_server_authority)" in text
    forms = re.findall(r"'(\S+)'", text.partition(" Use ")[2])
    assert [base.check_authority(form) for form in forms] == forms and len(forms) == 3


def test_what_is_no_realm_is_given_as_the_authority_printed_it(shown: Any) -> None:
    text = told(lambda: Realm.from_dict({"name": "x", "key": "x"}, VARIABLE))
    names = re.findall(r"(\w+): \.\.\.", text)
    printed = shown(text)
    assert Realm.from_dict({name: printed[name] for name in names}, VARIABLE).id == printed["id"]


def test_a_ca_that_is_no_certificate_is_given_as_the_authority_printed_it(shown: Any) -> None:
    realm = shown("as 'authority init'")
    text = told(lambda: Realm.from_dict({**realm, "ca": "x"}, VARIABLE))
    (name,) = re.findall(r"Use (\w+) as 'authority init' printed it: one certificate", text)
    assert Realm.from_dict({**realm, "ca": "x", name: shown(text)[name]}, VARIABLE).ca


def test_a_realm_without_a_ca_is_given_as_the_authority_prints_it(shown: Any) -> None:
    bare = Realm("REHEARSAL x", "A" * 43 + "=")
    text = told(lambda: base.check_realm("https://localhost:8443", bare))
    assert f"({VARIABLE})" in text
    assert base.check_realm("https://localhost:8443", Realm.from_dict(shown(text), VARIABLE))


def test_a_request_pages_realm_is_given_as_the_authority_printed_it(shown: Any) -> None:
    realm = shown("as 'authority init'")
    text = told(lambda: check_realm({**realm, "ca": None}, VARIABLE))
    (names,) = re.findall(rf"Declare {{(.*?)}} as 'authority init' printed them \({VARIABLE}\)", text)
    given = {name: realm[name] for name in names.split(", ")}
    assert check_realm(given, VARIABLE).ca
    (problem,) = portal_problems("https://localhost", None, None, str)
    (names,) = re.findall(r"Declare {(.*?)} as 'authority init' printed them", problem.todo)
    assert problem.where == VARIABLE
    assert not portal_problems("https://localhost", None, {name: realm[name] for name in names.split(", ")}, str)


def test_an_authority_of_another_realm_is_corrected(pair: Pair) -> None:
    pair.lab.deactivate(pair.old)
    config = pair.new.home.config()
    other = replace(pair.lab.realm, name="REHEARSAL other", key=Realm("x", "B" * 43 + "=").key)
    pair.new.home.save(replace(config, realm=pair.lab.realm))
    channel = base.Embedded(other, "another", pair.lab.desk().answer, pair.lab.ledger.check_writable)
    text = told(lambda: pair.new.manager.activate(Activation(declared(SERVER)), channel))
    assert "Correct aims_license_server_authority; a license server does not change its realm." in text
    pair.new.manager.activate(Activation(declared(SERVER)), pair.lab.channel())
    assert pair.new.statuses() == {SERVER: "Active"}


def test_a_declared_realm_that_a_host_does_not_honour_is_corrected_to_the_hosts(pair: Pair) -> None:
    sides = pair_of(
        pair.look("old", pair.old, reachable=True), pair.look("new", pair.new), declared(), {}, None, pair.lab.clock()
    )
    (problem,) = realm_problems(Realm("x", "B" * 43 + "="), sides.source, sides.target, True)
    assert re.findall(r"Correct (\w+),", problem.todo) == [VARIABLE]
    (honoured,) = re.findall(r"honours realm (\w+)", problem.what)
    assert pair.lab.realm.id == honoured
    assert not realm_problems(pair.lab.realm, sides.source, sides.target, True)


def test_an_address_to_listen_at_is_corrected_to_one_of_this_host() -> None:
    text = told(lambda: listening.bind("192.0.2.1", 0))
    assert "Use an address of this host (aims_license_server_listen)." in text
    with warnings.catch_warnings():
        # Tornado leaves the socket that it could not bind to the collector.
        warnings.simplefilter("ignore", ResourceWarning)
        text = told(lambda: service._sockets("192.0.2.1", 0))
        gc.collect()
    assert "Use an address of this machine for --listen." in text
    for made in (*listening.bind("127.0.0.1", 0), *service._sockets("127.0.0.1", 0)):
        made.close()


def test_a_vault_id_to_encrypt_with_is_given_as_the_message_names_it() -> None:
    secrets = [("dev", VaultSecret(b"of the tests"))]
    problem = RunVault(secrets, "prod").problem()
    assert problem is not None
    (name,) = re.findall(r"Run with --vault-id (\w+)@FILE", problem.todo)
    assert RunVault([*secrets, (name, VaultSecret(b"another"))], "prod").problem() is None
    assert "or correct vault_encrypt_identity" in problem.todo and RunVault(secrets, "dev").problem() is None


def test_the_new_hosts_are_put_into_the_group_with_the_variable_that_the_message_names() -> None:
    def host(name: str, **values: Any) -> HostVariables:
        values["aims_license_server_authority"] = "ledger:/var/lib/authority.db"
        return HostVariables(name, values, values.__getitem__, values.__getitem__, lambda part: part)

    text = told(lambda: pairs.read_pairs([], {"old": host("old")}))
    ((group, variable),) = re.findall(r"Put the new hosts into the group (\w+), each with (\w+)\.", text)
    license = {"number": SERVER, "activation_code": "K7QXM-R2ZTB-9WPHC-4NDVF-G8SJL"}
    new = host("new", **{variable: "old", "aims_license_server_licenses": [license]})
    groups = {group: ["new"]}
    assert set(pairs.read_pairs(groups[TARGETS], {"old": host("old"), "new": new})) == {"new"}


@pytest.mark.parametrize("name", ["authority", "backup", "info"])
def test_a_host_is_put_into_the_group_that_the_playbook_names(name: str) -> None:
    from jinja2.nativetypes import NativeEnvironment

    plays = yaml.safe_load((CHECKOUT / f"playbooks/{name}.yml").read_text(encoding="utf-8"))
    check = plays[0]["tasks"][0]["ansible.builtin.assert"]
    holds = NativeEnvironment(autoescape=False).compile_expression(check["that"])  # noqa: S701 - no page is made
    assert holds(groups={}) is False
    named = re.findall(r"aims_license_\w+", check["fail_msg"])
    assert named
    for group in named:
        assert holds(groups={group: ["old"]}) is True


def test_a_service_is_reached_once_its_address_and_its_ca_are_right(
    tmp_path: Path, shown: Any, other_name: str
) -> None:
    with service_lab(tmp_path) as lab:
        running = lab.serve()
        text = told(lambda: running.channel(address="https://localhost:1").probe())
        assert "Check its address, that 'authority serve' runs there" in text
        running.channel().probe()
        other = replace(lab.realm, ca=shown("as 'authority init'")["ca"])
        for refused in (
            lambda: running.channel(address=f"https://{other_name}:{running.port}").probe(),
            lambda: running.channel(other).probe(),
        ):
            text = told(refused)
            assert "Correct the address (it must be one of the service's --host names)" in text
            (file,) = re.findall(r"content of (\S+\.pem) of 'authority serve'", text)
            ca = (tmp_path / f"authority.db.tls/{file}").read_text(encoding="utf-8")
            running.channel(replace(lab.realm, ca=ca)).probe()
