# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever an inventory declares, and whatever state a pair is in: it is read or told, without a secret."""

from __future__ import annotations

import copy
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import Home
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Account
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.manifest import read_mapping
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.hosts import read_hosts
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.pairs import read_pairs
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import (
    SOURCES,
    TARGETS,
    VARIABLES,
    HostVariables,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.plan import make_plan, plan_text
from ansible_collections.aims.licensing.tests.fuzz.counting import give, runs
from ansible_collections.aims.licensing.tests.fuzz.shapes import EDIT, SELDOM, as_yaml, batch, mostly, rewritten
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    CODES,
    NUMBERS,
    PROFILES,
    SERVER,
    SESSION,
    WRONG_CODE,
    CoreLab,
    entries,
)
from hypothesis import given
from hypothesis import strategies as st
from support.plans import pair_of

_BATCH = 25
NOW = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
PASSWORD = "hunter2hunter2"


INVENTORY: dict[str, dict[str, Any]] = {
    "new1": {
        "aims_license_migrate_source": "old1",
        "aims_license_server_licenses": entries(SERVER, SESSION),
        "aims_license_server_profiles": [{"name": "Second", "license": SERVER}],
        "aims_license_server_users": ["DOMAIN\\anna"],
        "aims_license_server_listen": {"clients": "192.0.2.10"},
        "aims_license_server_authority": "ledger:/srv/authority.db",
        "aims_license_server_realm": {"name": "REHEARSAL test", "key": "A" * 43 + "="},
        "aims_license_server_service": "systemd",
        "aims_license_server_root": "/srv/root",
        "aims_license_server_home": "/opt/home",
        "aims_license_server_backend": "bundled",
    },
    "new2": {
        "aims_license_migrate_source": "old2",
        "aims_license_server_licenses": entries(CLIENT),
        "aims_license_server_authority": "offline",
    },
    "old1": {"aims_license_server_authority": "offline"},
    "old2": {"aims_license_server_authority": "offline"},
}
HOSTS = list(INVENTORY)
# Secrets in places that they do not belong into, as somebody pastes them.
PASTED = [
    CODES[SERVER],
    CODES[CLIENT].lower(),
    [CODES[SERVER]],
    {CODES[SERVER]: CODES[SERVER]},
    [{CODES[SERVER]: 1}],
    [{"name": CODES[SERVER], "license": CODES[SERVER]}, {"name": CODES[SERVER], "license": SERVER}],
    f"https://user:{PASSWORD}@host/",
    f"HTTPS://user:{PASSWORD}@host:99999",
    f"ledger:{CODES[SERVER]}",
    "{{ 1 }} " + CODES[SERVER],
    f"D\\{CODES[SERVER]}\n",
    f"{CODES[SERVER]}@",
]
NAMES = sorted({*VARIABLES, "aims_license_server_licence", "aims_license_x", "aims_license_" + "y" * 3000, "other"})


def variables(host: str, values: dict[str, Any]) -> HostVariables:
    """The variables of a host; what has a template in it cannot be resolved, and the error repeats it."""

    def resolve(value: Any) -> Any:
        if isinstance(value, str) and "{{" in value:
            raise ValueError(f"cannot resolve {value!r}")
        return value

    def read(name: str) -> Any:
        if any("{{" in text for text in texts(values[name])):
            raise ValueError(f"{name} has a template {values[name]!r}"[:5000])
        return values[name]

    return HostVariables(host, values, read, values.__getitem__, resolve)


def texts(value: Any, depth: int = 50) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = [*value.values(), *value] if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [text for one in inner for text in texts(one, depth - 1)] if depth else []


def read_all(inventory: dict[str, dict[str, Any]], pairs: bool) -> Any:
    hosts = {name: variables(name, values) for name, values in inventory.items()}
    found = read_pairs(["new1", "new2"], hosts) if pairs else read_hosts(HOSTS, hosts)
    json.dumps(found, ensure_ascii=False).encode()
    return found


def check_secrets(outcome: Any) -> None:
    if isinstance(outcome, LicensingError):
        told = str(outcome).upper()
        assert not [code for code in CODES.values() if code in told], told
        assert PASSWORD.upper() not in told, told


EDITS = st.lists(
    st.tuples(
        st.sampled_from(HOSTS[:1] * 3 + HOSTS),
        st.sampled_from(sorted(INVENTORY["new1"]) * 2 + NAMES),
        st.sampled_from([0, 1, 1, 2]),
        SELDOM,
        EDIT,
        st.integers(0, len(PASTED) - 1),
    ),
    min_size=1,
    max_size=3,
)


def test_the_inventory_is_in_order() -> None:
    found = read_all(INVENTORY, True)
    moves = {target: pair["migrate"] for target, (pair,) in found.items()}
    assert {target: (move["source"]["host"], move["target"]["host"]) for target, move in moves.items()} == {
        "new1": ("old1", "new1"),
        "new2": ("old2", "new2"),
    }
    assert {TARGETS, SOURCES} == {"aims_license_targets", "aims_license_sources"}


def test_whatever_is_declared_it_is_read_or_told_without_its_secrets() -> None:
    @runs(750, _BATCH)
    @given(batch(EDITS, _BATCH))
    def check(inputs: list[Any]) -> None:
        for at, edits in enumerate(inputs):
            inventory = copy.deepcopy(INVENTORY)
            for host, name, kind, value, edit, pasted in edits:
                values = inventory[host]
                if kind == 0:
                    values[name] = value
                elif kind == 1 and name in values:
                    values[name] = rewritten({"": values[name]}, edit).get("")
                else:
                    values[name] = PASTED[pasted]
            outcome = give("inventory", lambda inventory=inventory, at=at: read_all(inventory, at % 4 > 0))
            check_secrets(outcome)
            if not isinstance(outcome, LicensingError):
                assert all(one["home"].isprintable() and one["home"].startswith("/") for one in servers(outcome))

    check()


def servers(found: Any) -> list[dict[str, Any]]:
    if all(isinstance(row, dict) for row in found.values()):
        return list(found.values())
    return [server for pairs in found.values() for pair in pairs for server in pair["migrate"].values()]


PLACES = st.tuples(
    st.text("/.ab\0\n\ud800", max_size=6)
    | st.sampled_from(["/opt/x", "/", "", "opt", "/a/../b", "/\ud800", "/\udcff"]),
    st.text("/.ab\0\ud800", max_size=4)
    | st.sampled_from(["", "", "", "/tmp", "tmp", "/no", "/\ud800", "/proc/1/root"]),
)


@runs(500, _BATCH)
@given(batch(PLACES, _BATCH))
def test_any_place_of_a_home_is_looked_at_or_refused(places: list[Any]) -> None:
    for home, root in places:
        give("home and root", lambda home=home, root=root: Home(home, root).state())


# -- plans


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory, new_ledger: bytes) -> Any:
    """Overviews and fingerprints of a host that holds the licenses, and of one that holds none."""
    lab = CoreLab(tmp_path_factory.mktemp("sides"), new_ledger)
    lab.activate(lab.old)
    found = [
        {"host": name, "overview": host.overview, "fingerprint": host.manager.fingerprint(), "obstacles": []}
        for name, host in (("old", lab.old), ("new", lab.new))
    ]
    lab.close()
    return json.loads(json.dumps(found))


_LIVE = ("active", "expired")
STATES = ["active", "fenced", "expired", "pending", "pending here", "inactive", "bridged", "absent"]
PAIRS = st.fixed_dictionaries(
    {
        number: st.tuples(
            st.sampled_from(STATES),
            st.sampled_from(["absent"] * 4 + STATES),
            st.none() | st.tuples(st.booleans(), st.sampled_from([0, 1]), st.none() | st.just("2026-12-01T00:00:00Z")),
            st.integers(0, 4),
            mostly(True, st.just(False), 20),
        )
        for number in NUMBERS
    }
)


def put(side: dict[str, Any], number: str, state: str, template: dict[str, Any], spent: int) -> None:
    """Let a side show a license in a state."""
    if state == "absent":
        return
    shown = copy.deepcopy(template)
    status = {"expired": "Expired", "inactive": "Inactive Nodelock", "pending": "Pending Activation"}
    shown["status"] = {**status, "pending here": "Pending Deactivation"}.get(state, "Active")
    shown["fenced"] = "2026-11-21T12:00:00Z" if state in ("fenced", "pending here") else None
    shown["until"] = "2026-11-25T12:00:00Z" if state == "bridged" else None
    times = tuple(NOW.replace(day=1 + at) for at in range(spent))
    shown["transfers"] = Account("machine", times).as_dict(NOW)
    shown["expiry"] = "2026-01-01" if state == "expired" else shown["expiry"]
    side["overview"]["licenses"].append(shown)
    if state.startswith("pending"):
        action = "activate" if state == "pending" else "deactivate"
        side["overview"]["pending"].append({"number": number, "action": action})


def test_a_plan_gives_up_what_the_source_holds_and_nothing_else_or_says_what_stands_against_it(sides: Any) -> None:
    template = {one["number"]: one for one in sides[0]["overview"]["licenses"]}
    held = {"active", "fenced", "expired", "bridged"}

    @runs(750, _BATCH)
    @given(batch(st.tuples(PAIRS, st.booleans(), st.booleans()), _BATCH))
    def check(cases: list[Any]) -> None:
        for states, lost, reachable in cases:
            source, target = copy.deepcopy(sides)
            source["overview"]["licenses"], source["reachable"] = [], reachable
            quotes, wanted = {}, []
            for number, (given_state, taken, quote, spent, knows) in states.items():
                put(source, number, given_state, template[number], spent)
                put(target, number, taken, template[number], spent)
                code = CODES[number] if knows else WRONG_CODE
                wanted.append(DeclaredLicense(number, code, *PROFILES[number]))
                if quote:
                    account = Account("machine", ()).as_dict(NOW)
                    quotes[number] = {"live": quote[0], "spends": quote[1], "until": quote[2], "transfers": account}
            before = json.dumps([source, target])
            bundle = source["overview"] if lost else None
            pair = pair_of(source, target, wanted, quotes, bundle, NOW, lost=lost, emergency=lost and reachable)
            made = give("plan", lambda pair=pair: make_plan(pair))
            assert json.dumps([source, target]) == before
            if isinstance(made, LicensingError):
                check_secrets(made)
                continue
            plan = made.as_dict()
            there = {n for n, one in states.items() if one[0] in held or one[0].startswith("pending")}
            # an emergency activation ends where the license is live again
            ended = {n for n, one in states.items() if not lost and one[0] == "bridged" and one[1] in _LIVE}
            here = {n for n, one in states.items() if one[1] in _LIVE} - ended
            assert set(plan["deactivate"]) <= (set() if lost else there - here)
            assert plan["settled"] is all(row["step"] == "keep" for row in plan["licenses"])
            assert here == {row["number"] for row in plan["licenses"] if row["step"] == "keep"}
            assert all(row["spends"] in (None, 0, 1) for row in plan["licenses"])
            assert not (lost or not reachable) or not plan["deactivate"]
            if plan["deactivate"]:
                assert all(states[n][4] for n in plan["deactivate"]), "the code is not known"
                moved = [n for n in plan["deactivate"] if states[n][0] in held and n not in quotes]
                assert all(states[n][3] < 3 for n in moved if states[n][1] == "absent")
            json.dumps(plan, ensure_ascii=False).encode()
            assert all(row["number"] in plan_text(made, "old", "new") for row in plan["licenses"])

    check()


@pytest.mark.usefixtures("quick_yaml")
def test_any_overview_that_a_bundle_may_hold_can_be_planned_with(sides: Any, tmp_path: Path) -> None:
    """What :func:`read_bundle` takes, a plan for a lost source is made of, or refused in words."""
    wanted = [DeclaredLicense(number, CODES[number], *PROFILES[number]) for number in NUMBERS]
    original = sides[0]["overview"]
    quotes = {number: {"live": True, "spends": 1, "until": None} for number in NUMBERS}

    def plan(text: bytes) -> None:
        overview = read_mapping(Folder(tmp_path), "overview.yml", text)
        lost = pair_of(sides[0], sides[1], wanted, quotes, overview, NOW, lost=True, emergency=True)
        for pair in (lost, pair_of(sides[0], sides[1], wanted, {}, overview, NOW)):
            made = make_plan(pair)
            json.dumps(made.as_dict(), ensure_ascii=False).encode()
            plan_text(made, "old", "new")

    @runs(500, _BATCH)
    @given(batch(EDIT, _BATCH))
    def check(edits: list[Any]) -> None:
        for edit in edits:
            text = as_yaml(rewritten(original, edit)).encode()
            give("plan: overview of a bundle", lambda text=text: plan(text))

    check()
