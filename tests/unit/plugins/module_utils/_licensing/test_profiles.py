# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Profiles are named, ordered and re-pointed as declared, and no declaration leaves a home that cannot be read."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import (
    DeclaredLicense,
    Place,
    in_places,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import (
    Activation,
    Maintenance,
    ProfileChange,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Profile
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    CODES,
    NUMBERS,
    SERVER,
    SESSION,
    CoreLab,
    declared,
    names,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def declare(lab: CoreLab, *pairs: tuple[str, str | None], dry: bool = False, **options: Any) -> Any:
    some = [DeclaredLicense(number, CODES[number], profile) for number, profile in pairs]
    return lab.old.manager.activate(Activation(some, **options), lab.channel(), dry=dry)


def test_a_license_without_a_declared_profile_gets_an_abstract_name_which_it_keeps(lab: CoreLab) -> None:
    declare(lab, (SERVER, None), (SESSION, None))
    assert lab.old.profiles() == [("Profile1", SERVER), ("Profile2", SESSION)]
    assert not declare(lab, (SERVER, None), (SESSION, None)).changed


def test_declaring_the_old_names_renames_the_abstract_ones(lab: CoreLab) -> None:
    declare(lab, *[(number, None) for number in NUMBERS])
    assert lab.activate(lab.old).changed
    assert lab.old.profiles() == [("PROServer", SERVER), ("PROSession", SESSION), ("Client", CLIENT)]
    assert not lab.activate(lab.old).changed


def test_names_can_be_swapped_between_licenses(lab: CoreLab) -> None:
    declare(lab, (SERVER, "A"), (SESSION, "B"))
    declare(lab, (SERVER, "B"), (SESSION, "A"))
    assert lab.old.profiles() == [("B", SERVER), ("A", SESSION)]


def test_a_name_can_be_taken_from_a_license_that_declares_none(lab: CoreLab) -> None:
    declare(lab, (SERVER, "A"), (SESSION, "B"))
    declare(lab, (SERVER, "B"), (SESSION, None))
    profiles = dict(lab.old.profiles())
    assert profiles["B"] == SERVER
    assert SESSION in profiles.values()


def test_a_name_can_be_taken_from_a_license_that_had_two(lab: CoreLab) -> None:
    declare(lab, (SERVER, "A"), (SESSION, "B"))
    lab.old.manager.set_profiles(ProfileChange([Profile("A", SERVER), Profile("Z", SESSION), Profile("X", SESSION)]))
    declare(lab, (SERVER, "X"), (SESSION, "Y"))
    assert dict(lab.old.profiles())["X"] == SERVER
    assert dict(lab.old.profiles())["Y"] == SESSION


@pytest.mark.parametrize("how", ["declared", "further", "dry"])
def test_no_name_is_taken_from_a_license_that_is_here_and_not_declared(lab: CoreLab, how: str) -> None:
    lab.activate(lab.old, CLIENT)
    before, ledger = lab.old.files(), lab.ledger_path.read_bytes()
    options: dict[str, Any] = {"extra_profiles": [Profile("Client", SESSION)]} if how == "further" else {}
    told = f"Profile Client is declared for license {SESSION}, but is that of license {CLIENT} here"
    with pytest.raises(LicensingError, match=told):
        declare(lab, (SESSION, "Own" if how == "further" else "Client"), dry=how == "dry", **options)
    assert lab.old.files() == before and lab.ledger_path.read_bytes() == ledger


def test_a_name_of_a_license_whose_activation_is_pending_is_not_taken_either(lab: CoreLab) -> None:
    lab.old.manager.activate(Activation(declared(CLIENT), realm=lab.realm), lab.offline())
    assert lab.old.statuses() == {} and lab.old.profiles() == [("Client", CLIENT)]
    before = lab.old.files()
    with pytest.raises(LicensingError, match=f"but is that of license {CLIENT} here"):
        declare(lab, (SESSION, "Client"))
    assert lab.old.files() == before


def test_a_name_is_taken_from_a_license_that_left_and_from_one_that_was_given_another(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER, CLIENT)
    lab.old.manager.set_profiles(ProfileChange([Profile("Customer", CLIENT)], absent=["Client"]))
    lab.deactivate(lab.old, SERVER)
    declare(lab, (SESSION, "Client"), extra_profiles=[Profile("PROServer", SESSION)])
    assert lab.old.profiles() == [("Client", SESSION), ("PROServer", SESSION), ("Customer", CLIENT)]


def test_what_a_server_has_is_kept_and_only_what_it_lacks_is_made(lab: CoreLab) -> None:
    declare(lab, (SERVER, "A"), (SESSION, "B"))
    had = [Profile("X", SESSION, True), Profile("A", SERVER), Profile("B", SESSION)]
    lab.old.manager.set_profiles(ProfileChange(had))
    lab.deactivate(lab.old, SERVER, SESSION)
    pairs = [(CLIENT, "Own"), (SERVER, "New"), (SESSION, "A")]
    options: dict[str, Any] = {
        "keep_profiles": True,
        "extra_profiles": [Profile("More", CLIENT), Profile("B", CLIENT), Profile("Other", SERVER)],
    }
    assert declare(lab, *pairs, **options).changed
    kept = [(profile.name, profile.license) for profile in had]
    assert lab.old.profiles() == [*kept, ("Own", CLIENT), ("More", CLIENT)]
    assert lab.old.overview["profiles"][0]["default"] is True
    assert not declare(lab, *pairs, **options).changed


@pytest.mark.parametrize("profile", [None, "A"])
def test_a_kept_name_is_left_to_its_license_also_where_that_stays(lab: CoreLab, profile: str | None) -> None:
    declare(lab, (SERVER, "A"))
    declare(lab, (SESSION, profile), keep_profiles=True)
    assert lab.old.profiles() == [("A", SERVER), ("Profile1", SESSION)]


def test_profiles_are_added_ordered_re_pointed_and_removed(lab: CoreLab) -> None:
    lab.activate(lab.old)
    manager = lab.old.manager
    assert manager.set_profiles(ProfileChange([Profile("Extra", CLIENT), Profile("Client", CLIENT, True)])).changed
    assert names(lab.old.overview["profiles"]) == ["Extra", "Client", "PROServer", "PROSession"]
    assert not manager.set_profiles(ProfileChange([Profile("Extra", CLIENT), Profile("Client", CLIENT, True)])).changed
    manager.set_profiles(ProfileChange(absent=["Extra", "Unknown"]))
    assert names(lab.old.overview["profiles"]) == ["Client", "PROServer", "PROSession"]
    manager.set_profiles(ProfileChange([Profile("Client", SESSION)], purge=True))
    assert lab.old.profiles() == [("Client", SESSION)]
    assert set(lab.old.statuses().values()) == {"Active"}


def test_a_profile_of_a_license_that_is_not_installed_is_refused(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    before = lab.old.files()
    with pytest.raises(LicensingError, match=f"Profile Client names license {CLIENT}, which is not installed"):
        lab.old.manager.set_profiles(ProfileChange([Profile("PROServer", SERVER), Profile("Client", CLIENT)]))
    assert lab.old.files() == before


def test_a_profile_that_is_declared_twice_is_refused(lab: CoreLab) -> None:
    lab.activate(lab.old)
    before = lab.old.files()
    twice = [Profile("Same", SERVER), Profile("Same", CLIENT)]
    for call in (
        lambda: lab.old.manager.set_profiles(ProfileChange(twice)),
        lambda: lab.old.manager.set_profiles(ProfileChange(twice), dry=True),
        lambda: declare(lab, (SERVER, "Same"), (SESSION, "Same")),
        lambda: declare(lab, (SERVER, "Same"), extra_profiles=[Profile("Same", CLIENT)]),
    ):
        with pytest.raises(LicensingError, match="Profile Same is declared 2 times"):
            call()
    assert lab.old.files() == before


def test_what_is_wrong_with_profiles_or_users_is_said_before_anything_is_activated(lab: CoreLab) -> None:
    before, ledger = lab.old.files(), lab.ledger_path.read_bytes()
    calls: list[Any] = [
        lambda: lab.activate(lab.old, users=["CORP\\jane", "jane"]),
        lambda: lab.activate(lab.old, extra_profiles=[Profile("Client", SERVER)]),
    ]
    for call in calls:
        with pytest.raises(LicensingError):
            call()
        after = lab.old.files()
        after.pop("opt/aims-license-server/.lock", None)
        assert after == before
        assert lab.ledger_path.read_bytes() == ledger


def test_registered_users_are_replaced_as_a_whole_or_left_alone(lab: CoreLab) -> None:
    lab.activate(lab.old, users=["CORP\\jane", "CORP\\joe", "CORP\\jane"])
    assert lab.old.overview["users"] == ["CORP\\jane", "CORP\\joe"]
    assert not lab.activate(lab.old).changed
    assert lab.activate(lab.old, users=[]).changed
    assert lab.old.overview["users"] == []


profile_names = st.sampled_from(["A", "B", "Profile1", "Profile2", "X"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    current=st.lists(st.tuples(profile_names, st.sampled_from(NUMBERS)), max_size=5, unique_by=lambda pair: pair[0]),
    pairs=st.lists(
        st.tuples(st.sampled_from(NUMBERS), st.none() | profile_names), max_size=3, unique_by=lambda pair: pair[0]
    ),
    extra=st.lists(st.tuples(profile_names, st.sampled_from(NUMBERS)), max_size=2),
)
def test_no_declaration_leaves_a_home_that_cannot_be_read_or_a_run_that_never_settles(
    lab: CoreLab, current: Any, pairs: Any, extra: Any
) -> None:
    if not lab.old.statuses():
        lab.activate(lab.old)
    lab.old.manager.set_profiles(ProfileChange([Profile(*pair) for pair in current], purge=True))
    options = {"extra_profiles": [Profile(*pair) for pair in extra]}
    try:
        declare(lab, *pairs, **options)
    except LicensingError:
        assert lab.old.profiles() == current
        return
    shown = lab.old.profiles()
    claimed = {name for number, name in pairs if name} | {name for name, number in extra}
    assert claimed <= {name for name, number in shown}
    for number, name in pairs:
        assert name is None or (name, number) in shown
        assert number in [license for shown_name, license in shown]
    assert not declare(lab, *pairs, **options).changed


def test_a_maintenance_mark_survives_every_other_change(lab: CoreLab) -> None:
    lab.old.manager.set_maintenance(Maintenance(True))
    lab.activate(lab.old)
    lab.old.manager.set_profiles(ProfileChange(absent=["Client"]))
    lab.deactivate(lab.old)
    assert lab.old.overview["server"]["maintenance"] is True
    assert declared(SERVER)[0].profile in names(lab.old.overview["profiles"])


def test_licenses_of_one_source_take_their_places_among_those_of_others() -> None:
    places = [Place(SERVER, "PROServer"), Place(SESSION), Place(CLIENT, "Client"), Place(SERVER, "Night")]
    profiles = [
        Profile("Client", CLIENT),
        Profile("Night", SERVER),
        Profile("Other", "015.120.077.001"),
        Profile("Beside", SERVER),
        Profile("PROServer", SERVER),
        Profile("Profile1", SESSION),
    ]
    names = [profile.name for profile in in_places(profiles, places)]
    assert names == ["PROServer", "Beside", "Profile1", "Client", "Night", "Other"]
    assert in_places(profiles, ()) == tuple(profiles)
