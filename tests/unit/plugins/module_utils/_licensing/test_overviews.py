# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An overview comes back from a result or a bundle exactly; a damaged one is refused by the field that is wrong."""

from __future__ import annotations

import base64
import copy
import datetime
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import Listen
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import (
    Drift,
    LicenseView,
    ProfileView,
    Status,
    Transfers,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import ACTIVATE, DEACTIVATE, UPDATE
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import (
    ClientView,
    Overview,
    PendingRequest,
    ServerView,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.manifest import render
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import SERVER, CoreLab
from hypothesis import given, settings
from hypothesis import strategies as st

TEXTS = st.text(st.characters(exclude_categories=("C", "Z")), max_size=8)
WORDS = st.text("abcdefghij", min_size=1, max_size=8)
TIMES = st.datetimes(datetime.datetime(2026, 1, 1), datetime.datetime(2030, 1, 1)).map(
    lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ")
)
DATES = st.dates(datetime.date(2026, 1, 1), datetime.date(2030, 1, 1)).map(datetime.date.isoformat)
NUMBERS = st.integers(0, 999).map(lambda at: f"015.120.064.{at:03}")
COUNTS = st.integers(0, 10**9)
REALMS = st.builds(Realm, WORDS, st.binary(min_size=32, max_size=32).map(lambda key: base64.b64encode(key).decode()))
DRIFTS = st.builds(Drift, WORDS, st.lists(WORDS, max_size=3).map(tuple), TEXTS, TEXTS)
TRANSFERS = st.builds(Transfers, COUNTS, COUNTS, st.lists(TIMES, max_size=3).map(tuple), COUNTS, st.none() | TIMES)
LICENSES = st.builds(
    LicenseView,
    number=NUMBERS,
    status=st.sampled_from(Status),
    fenced=st.none() | TIMES,
    until=st.none() | TIMES,
    file=st.none() | WORDS,
    type=TEXTS,
    seats=COUNTS,
    start=DATES,
    expiry=DATES,
    maintenance_expiry=DATES,
    invalid=st.none() | TEXTS,
    protection=st.sampled_from(["None", "Machine Nodelock", "Personal Nodelock"]),
    var=st.booleans(),
    code_key=st.none() | WORDS,
    transfers=st.none() | TRANSFERS,
    serial=st.none() | st.integers(0, 1 << 63),
    holder=st.none() | WORDS,
    drift=st.none() | DRIFTS,
    in_use=st.none() | COUNTS,
) | st.builds(LicenseView, NUMBERS, st.sampled_from(Status), st.none() | TIMES, st.none() | TIMES)
PENDING = st.builds(
    PendingRequest,
    NUMBERS,
    st.sampled_from([ACTIVATE, DEACTIVATE, UPDATE]),
    WORDS,
    TIMES,
    WORDS,
    st.booleans(),
    st.none() | WORDS,
    st.none() | DRIFTS,
    st.none() | st.booleans(),
) | st.builds(PendingRequest, NUMBERS, st.just(ACTIVATE), st.none(), st.none(), WORDS)
OVERVIEWS = st.builds(
    Overview,
    st.builds(
        ServerView,
        installed=st.booleans(),
        version=st.none() | WORDS,
        digest=st.none() | WORDS,
        home=TEXTS,
        root=TEXTS,
        home_id=st.none() | WORDS,
        authority=st.none() | TEXTS,
        realm=st.none() | REALMS,
        maintenance=st.booleans(),
        running=st.none() | st.booleans(),
        listen=st.builds(Listen, st.sampled_from(["", "127.0.0.1", "::1"]), st.sampled_from(["127.0.0.1", "::1"])),
    ),
    st.lists(LICENSES, max_size=3).map(tuple),
    st.lists(st.builds(ProfileView, WORDS, NUMBERS, st.none() | COUNTS), max_size=3).map(tuple),
    st.lists(st.builds(ClientView, st.none() | TEXTS, st.none() | TEXTS, TEXTS, WORDS, NUMBERS, TIMES), max_size=2).map(
        tuple
    ),
    COUNTS,
    st.lists(TEXTS, max_size=3).map(tuple),
    st.lists(TEXTS, max_size=3).map(tuple),
    st.lists(PENDING, max_size=2).map(tuple),
)


@settings(deadline=None, max_examples=150)
@given(OVERVIEWS)
def test_an_overview_comes_back_as_it_was_given(overview: Overview) -> None:
    assert Overview.from_dict(overview.as_dict(), "here") == overview
    written = yaml.safe_load(render(overview.as_dict()))
    assert Overview.from_dict(written, "here").as_dict() == overview.as_dict()


def test_what_a_license_server_shows_comes_back_as_it_was_given(lab: CoreLab) -> None:
    lab.activate(lab.old)
    lab.deactivate(lab.old, SERVER)
    for host in (lab.old, lab.new):
        assert Overview.from_dict(host.overview, "here").as_dict() == host.overview


WHOLE: dict[str, Any] = Overview(
    ServerView(True, "1.0", "d", home_id="h", authority="offline", realm=Realm("lab", "A" * 43 + "=")),
    (
        LicenseView(
            "015.120.064.022",
            Status.ACTIVE,
            file="015120064022.lic",
            type="AIMMS",
            seats=5,
            start="2026-01-01",
            expiry="2027-01-01",
            maintenance_expiry="2027-01-01",
            transfers=Transfers(3, 31536000, ("2026-01-01T12:00:00Z",), 2, "2027-01-01T12:00:00Z"),
            serial=1,
            drift=Drift("drifted", ("machine-id",), "machine-id", "It counts as the same machine."),
            in_use=1,
        ),
    ),
    (ProfileView("PROServer", "015.120.064.022", 1, 3, True),),
    (ClientView("desk", "192.0.2.7", "CORP\\anna", "PROServer", "015.120.064.022", "2026-01-01T12:00:00Z"),),
    1,
    ("CORP\\anna",),
    ("ApplicationKeys/app.key",),
    (PendingRequest("015.120.064.022", UPDATE, "r", "2026-01-01T12:00:00Z", "f", True, "k", None, True),),
).as_dict()


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document, the whole of it included."""
    yield way
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        yield from places(part, (*way, key))


def damaged(way: tuple[Any, ...], value: Any) -> Any:
    """The document with another value in a place; without it where the value is ``...``."""
    if not way:
        return value
    document = copy.deepcopy(WHOLE)
    place = document
    for key in way[:-1]:
        place = place[key]
    if value is ...:
        del place[way[-1]]
    else:
        place[way[-1]] = value
    return document


def says(whole: Any, part: Any) -> bool:
    """Whether a document has all that another one has; null may be left out."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(value is None if key not in whole else says(whole[key], value) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(whole) == len(part) and all(map(says, whole, part))
    return type(whole) is type(part) and bool(whole == part)


@pytest.mark.parametrize("value", [None, "text", 7, [], {}, [None], [7], {"a": 1}, True, -1, -1.5, ...], ids=repr)
def test_a_damaged_field_is_refused_by_its_name_or_read_as_it_is(value: Any) -> None:
    refusals = 0
    for way in places(WHOLE):
        if value is ... and not way:
            continue
        document = damaged(way, value)
        try:
            overview = Overview.from_dict(document, "here")
        except LicensingError as error:
            (problem,) = error.problems
            names = [key for key in way if isinstance(key, str)]
            assert all(name in f"{problem.what} {problem.where}" for name in names[:1]), str(error)
            refusals += 1
        else:
            json.dumps(overview.as_dict())
            # The id follows from the key.
            assert says(overview.as_dict(), document) or way[-2:] == ("realm", "id") or value == {"a": 1}, way
    assert refusals


@pytest.mark.parametrize(
    ("way", "value", "name"),
    [
        (("licenses", 0, "seats"), "five", "licenses[0].seats is not a whole number"),
        (("licenses", 0, "seats"), 1 << 64, "licenses[0].seats is not a whole number"),
        (("licenses", 0, "status"), "Lost", "licenses[0].status is not the status of a license"),
        (("licenses", 0, "number"), ..., "licenses[0].number is not there"),
        (("licenses", 0, "transfers", "spent"), [7], "licenses[0].transfers.spent[0] is not a date or a time"),
        (("users",), [7], "users[0] is not a text"),
        (("users",), None, "users is not a list"),
        (("clients_total",), True, "clients_total is not a whole number"),
        (("server", "realm"), ..., "server.realm is not there"),
        (("server", "realm", "key"), ..., "server.realm.key is not there"),
        (("pending", 0, "answered"), "yes", "pending[0].answered is not true or false"),
        (("profiles", 0), 5, "profiles[0] is not a mapping"),
        ((), [], "it is not a mapping"),
    ],
)
def test_the_message_names_the_first_field_that_is_wrong(way: tuple[Any, ...], value: Any, name: str) -> None:
    with pytest.raises(LicensingError) as refused:
        Overview.from_dict(damaged(way, value), "here")
    (problem,) = refused.value.problems
    assert (problem.what, problem.where) == (f"This is not an overview: {name}.", "here")
    assert "aims_license_info" in problem.todo


def test_a_value_that_is_refused_is_not_repeated() -> None:
    with pytest.raises(LicensingError) as refused:
        Overview.from_dict(damaged(("licenses", 0, "holder"), ["PLANTED-key"]), "here")
    assert "PLANTED" not in str(refused.value)


def test_a_field_that_is_not_known_goes_no_further() -> None:
    whole = copy.deepcopy(WHOLE)
    whole["licenses"][0]["activation_code"] = whole["server"]["host_key"] = "PLANTED"
    assert Overview.from_dict(whole, "here").as_dict() == WHOLE


def test_dates_that_yaml_read_as_dates_are_read_as_they_are_written() -> None:
    whole = copy.deepcopy(WHOLE)
    zone = datetime.timezone(datetime.timedelta(hours=2))
    whole["licenses"][0]["expiry"] = datetime.date(2027, 1, 1)
    whole["licenses"][0]["transfers"]["returns"] = datetime.datetime(2027, 1, 1, 14, 0, tzinfo=zone)
    assert Overview.from_dict(whole, "here").as_dict() == WHOLE


@pytest.mark.parametrize(
    ("license", "held", "nodelock", "ended"),
    [
        (LicenseView("1", Status.ACTIVE), True, True, False),
        (LicenseView("1", Status.EXPIRED, "2026-01-01T12:00:00Z"), True, True, False),
        (LicenseView("1", Status.PENDING_DEACTIVATION, "2026-01-01T12:00:00Z"), False, True, False),
        (LicenseView("1", Status.INACTIVE, "2026-01-01T12:00:00Z"), False, False, True),
        (LicenseView("1", Status.INACTIVE, "2026-01-01T12:00:00Z", holder="another"), False, False, False),
        (LicenseView("1", Status.INACTIVE, until="2026-01-01T12:00:00Z", holder="another"), False, False, True),
        (LicenseView("1", Status.INACTIVE), False, False, False),
    ],
)
def test_what_ended_is_not_what_is_damaged(license: LicenseView, held: bool, nodelock: bool, ended: bool) -> None:
    overview = Overview(licenses=(license,))
    assert (overview.held, overview.with_nodelock, overview.ended) == tuple(
        {"1"} if is_so else set() for is_so in (held, nodelock, ended)
    )
