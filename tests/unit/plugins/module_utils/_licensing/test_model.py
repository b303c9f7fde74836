# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is declared is read whole: it is valid, or everything that is wrong with it is said at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import (
    DeclaredLicense,
    read_declared_licenses,
    read_numbers,
    read_profiles,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import (
    License,
    Profile,
    arrange_profiles,
    digits,
    parse_code,
    parse_date,
    parse_number,
    parse_profile,
    parse_time,
    parse_user,
    parse_version,
    render_time,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CODES,
    SERVER,
    account,
    at,
    problems_of,
)


@pytest.mark.parametrize("text", ["015.120.064.022", "015120064022", " 015.120.064.022\n"])
def test_a_license_number_has_one_form(text: str) -> None:
    assert parse_number(text) == "015.120.064.022"
    assert digits(parse_number(text)) == "015120064022"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "015.120.064",
        "015.120.064.022.001",
        "15.120.064.022",
        "015.120.064.02x",
        "015-120-064-022",
        "015.120.064.022\n015.120.064.022",
        "\u0660\u0661\u0665.120.064.022",
        15120064022,
        15.12,
        None,
        True,
        ["015.120.064.022"],
        {"number": "015.120.064.022"},
        "../../etc/passwd",
    ],
)
def test_what_is_no_license_number_is_refused_and_shown(text: object) -> None:
    with pytest.raises(LicensingError, match="is not a license number") as refused:
        parse_number(text, "licenses[0]")
    assert refused.value.problems[0].where == "licenses[0]"
    assert "015.120.064.022" in refused.value.problems[0].todo


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("AAAAA-BBBBB-CCCCC-DDDDD-22222", "AAAAA-BBBBB-CCCCC-DDDDD-22222"),
        ("aaaaaa-bbbbbb-cccccc-dddddd-222222", "AAAAAA-BBBBBB-CCCCCC-DDDDDD-222222"),
        (" AAAAA-BBBBB-CCCCC-DDDDD-22222\n", "AAAAA-BBBBB-CCCCC-DDDDD-22222"),
    ],
)
def test_codes_of_linux_and_of_windows_are_accepted(text: str, code: str) -> None:
    assert parse_code(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "SECRT-SECRT-SECRT-SECRT",
        "SECRT-SECRT-SECRT-SECRT-SECRT-SECRT",
        "SECRET-SECRT-SECRET-SECRET-SECRET",
        "SECRT SECRT SECRT SECRT SECRT",
        "SECRT-SECRT-SECRT-SECRT-SECR!",
        "SECRT-SECRT-SECRT-SECRT-SECRÉ",
        "SECRT-SECRT-SECRT-SECRT-SECRT\nSECRT",
        ["SECRT-SECRT-SECRT-SECRT-SECRT"],
        {"SECRT": 1},
        None,
        12345,
    ],
)
def test_a_malformed_code_is_refused_without_being_repeated(text: object) -> None:
    with pytest.raises(LicensingError) as refused:
        parse_code(text)
    assert "SECR" not in str(refused.value)
    assert "12345" not in str(refused.value)


def test_a_declared_license_does_not_show_its_code() -> None:
    assert CODES[SERVER] not in repr(DeclaredLicense(SERVER, CODES[SERVER], "PROServer"))


@pytest.mark.parametrize("name", ["PROServer", "Client 2", "a", "9.x-y_z", "P" * 64])
def test_profile_names_are_kept_as_they_are(name: str) -> None:
    assert parse_profile(name) == name


@pytest.mark.parametrize("name", ["", " a", "a ", "-a", ".a", "a/b", "a\nb", "a\n", "P" * 65, "Profil€", None, 5])
def test_what_is_no_profile_name_is_refused(name: object) -> None:
    with pytest.raises(LicensingError, match="is not a profile name"):
        parse_profile(name)


@pytest.mark.parametrize("user", ["CORP\\jane", "CORP\\jane doe", "corp.example\\j.doe"])
def test_users_are_registered_with_their_domain(user: str) -> None:
    assert parse_user(user) == user


@pytest.mark.parametrize("user", ["jane", "\\jane", "CORP\\", "CORP\\a\\b", "CORP/jane", "CO RP\\j", "A\\b\n", 7, None])
def test_users_without_a_domain_are_refused(user: object) -> None:
    with pytest.raises(LicensingError, match="is not a registered user"):
        parse_user(user)


@pytest.mark.parametrize(
    "text", ["2026-02-29", "2026-13-01", "01.02.2026", "20260101", "2026-W01-1", "", None, 20260101]
)
def test_what_is_no_date_is_refused_on_every_python(text: object) -> None:
    with pytest.raises(LicensingError, match="is not a date"):
        parse_date(text, "expiry")


def test_times_are_read_as_they_were_written() -> None:
    moment = at("2026-11-21 19:00:00")
    assert render_time(moment) == "2026-11-21T19:00:00Z"
    assert parse_time(render_time(moment), "here") == moment
    with pytest.raises(LicensingError, match="is not a time"):
        parse_time("2026-11-21 19:00", "here")


@pytest.mark.parametrize(
    ("newer", "older"), [("1.10.0", "1.9.9"), ("0.2", "0.1.9"), ("1.0.1", "1.0"), ("2.0.0-rc1", "1.9")]
)
def test_versions_compare_by_their_numbers(newer: str, older: str) -> None:
    assert parse_version(newer) > parse_version(older)


def test_every_problem_of_the_declared_licenses_is_listed_at_once() -> None:
    entries = [
        {"number": SERVER, "activation_code": CODES[SERVER], "profile": "PROServer"},
        {"number": "15.120", "activation_code": "SECRT", "profile": "a/b", "nodelock": "floating", "default": "yes"},
        {"number": SERVER, "activation_code": CODES[SERVER], "profile": "PROServer", "seats": 3},
        {"number": SERVER, "activation_code": CODES[SERVER], "profile": "PROServer"},
        "015.120.055.014",
        {},
    ]
    with pytest.raises(LicensingError) as refused:
        read_declared_licenses(entries, "licenses")
    places = {problem.where for problem in refused.value.problems}
    assert {f"licenses[1].{key}" for key in ("number", "activation_code", "profile", "nodelock", "default")} <= places
    said = problems_of(refused)
    assert "Unknown key seats." in said
    assert f"License {SERVER} is declared 2 times." in said
    assert "Profile PROServer is claimed by licenses 2 times." in said
    assert "A declared license is not a mapping." in said
    assert {"licenses[5].number", "licenses[5].activation_code"} <= places
    assert "SECRT" not in str(refused.value)


@pytest.mark.parametrize("entries", [None, "015.120.064.022", {"number": SERVER}, 5])
def test_declared_licenses_that_are_no_list_are_refused(entries: object) -> None:
    with pytest.raises(LicensingError, match="not a list"):
        read_declared_licenses(entries, "licenses")


def test_what_is_left_undeclared_has_its_documented_default() -> None:
    (one,) = read_declared_licenses([{"number": "015120064022", "activation_code": CODES[SERVER].lower()}], "licenses")
    assert one == DeclaredLicense(SERVER, CODES[SERVER], None, False, "machine")
    assert read_declared_licenses([], "licenses") == ()


def test_every_problem_of_a_list_of_numbers_is_listed_at_once() -> None:
    with pytest.raises(LicensingError) as refused:
        read_numbers([SERVER, "x", SERVER, None], "numbers")
    assert [problem.where for problem in refused.value.problems] == ["numbers[1]", "numbers[3]", "numbers"]
    assert read_numbers("015120064022", "numbers") == (SERVER,)


def test_every_problem_of_declared_profiles_is_listed_at_once() -> None:
    entries: list[Any] = [
        {"name": "PROServer", "license": SERVER},
        {"name": "PROServer", "license": SERVER},
        {"name": "x/", "license": SERVER},
        {"name": "Client", "license": "015"},
        {"name": "Client", "license": "015.120.055.014"},
        None,
    ]
    with pytest.raises(LicensingError) as refused:
        read_profiles(entries, "profiles", known=[SERVER])
    said = " ".join(problems_of(refused))
    assert "'x/' is not a profile name" in said
    assert "'015' is not a license number" in said
    assert "Profile Client names license 015.120.055.014, which is not installed." in said
    assert "Profile PROServer is declared 2 times." in said
    assert "None is not a profile name" in said


SPENT = [at("2026-01-01 00:00:00"), at("2026-01-01 01:00:00"), at("2026-01-01 02:00:00")]


@pytest.mark.parametrize(("nodelock", "window"), [("machine", timedelta(days=365)), ("personal", timedelta(hours=24))])
def test_a_transfer_returns_when_its_window_is_exactly_over(nodelock: str, window: timedelta) -> None:
    spent = account(nodelock, *SPENT)
    second = timedelta(seconds=1)
    assert spent.left(SPENT[2]) == 0
    assert spent.left(SPENT[0] + window - second) == 0
    assert spent.returns(SPENT[0] + window - second) == SPENT[0] + window
    assert spent.left(SPENT[0] + window) == 1
    assert spent.returns(SPENT[0] + window) == SPENT[1] + window
    assert spent.left(SPENT[2] + window - second) == 2
    assert spent.left(SPENT[2] + window) == 3
    assert spent.returns(SPENT[2] + window) is None


def test_an_account_over_its_limit_has_nothing_left_rather_than_less() -> None:
    spent = account("machine", *SPENT, SPENT[2] + timedelta(hours=1))
    assert spent.left(SPENT[2] + timedelta(days=1)) == 0
    shown = spent.as_dict(SPENT[2] + timedelta(days=1))
    assert (shown["limit"], shown["left"], shown["window_seconds"]) == (3, 0, 365 * 86400)
    assert shown["spent"][0] == "2026-01-01T00:00:00Z"
    assert shown["returns"] == "2027-01-01T00:00:00Z"


def test_wanted_profiles_come_first_in_their_order_and_rename_those_of_their_license() -> None:
    current = [Profile("Profile1", "1"), Profile("Mine", "9"), Profile("Profile2", "2", True)]
    wanted = [Profile("Client", "2", True), Profile("PROServer", "1")]
    assert arrange_profiles(current, wanted) == (*wanted, Profile("Mine", "9"))
    assert arrange_profiles(current, wanted, purge=True) == tuple(wanted)
    assert arrange_profiles(current, []) == tuple(current)


def test_a_profile_that_is_wanted_for_another_license_is_pointed_there() -> None:
    assert arrange_profiles([Profile("Client", "1")], [Profile("Client", "2")]) == (Profile("Client", "2"),)


def test_a_license_is_valid_from_its_first_to_the_end_of_its_last_day() -> None:
    license = License(SERVER, "AIMMS - PRO Server", 100, "2026-01-02", "2026-12-30", "2026-12-30", False, "")
    assert license.problem_on(at("2026-01-01 23:59:59").date()) == "is not valid before 2026-01-02"
    assert license.problem_on(at("2026-01-02 00:00:00").date()) is None
    assert license.problem_on(at("2026-12-30 23:59:59").date()) is None
    assert license.problem_on(at("2026-12-31 00:00:00").date()) == "expired on 2026-12-30"


@pytest.mark.parametrize(
    "wrong",
    [
        {"seats": 0},
        {"seats": True},
        {"seats": "8"},
        {"seats": 1_000_001},
        {"type": ""},
        {"type": "a\x1b[31m"},
        {"type": "t" * 101},
        {"start": "2027-01-01"},
        {"expiry": "soon"},
        {"maintenance_expiry": None},
        {"number": "015"},
    ],
)
def test_a_license_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    right = {"number": SERVER, "type": "AIMMS - PRO Server", "seats": 8, "start": "2026-01-01", "expiry": "2026-12-31"}
    right["maintenance_expiry"] = "2026-12-31"
    assert License.from_dict(right, "license").seats == 8
    with pytest.raises(LicensingError):
        License.from_dict({**right, **wrong}, "license")
