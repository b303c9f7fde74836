# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of the domain: any input is read or refused, what is read can be written, and reads the same again."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any, Callable

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import addresses, declared, model
from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import Listen
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel import base
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.config import Config
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Account, License
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.portal_options import check_email, check_portal
from ansible_collections.aims.licensing.tests.fuzz.counting import give, runs
from ansible_collections.aims.licensing.tests.fuzz.shapes import ANY, NUMBER, SELDOM, batch, mapping
from hypothesis import given
from hypothesis import strategies as st
from support.worked_example import CODE

_BATCH = 25
NOW = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
LICENSE = {
    "number": NUMBER,
    "type": "AIMMS - PRO Server",
    "seats": 8,
    "start": "2025-01-01",
    "expiry": "2099-12-31",
    "maintenance_expiry": "2099-12-31",
    "var": False,
    "code_key": "A" * 43 + "=",
}
REALM = {"name": "REHEARSAL test", "key": "A" * 43 + "="}
_TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)).map(
    lambda moment: model.render_time(moment.replace(tzinfo=timezone.utc))
)


def _account(data: Any) -> Account:
    found = Account.from_dict("machine", data, "here")
    assert found.left(NOW) == max(0, 3 - sum(moment > NOW - timedelta(days=365) for moment in found.times))
    assert Account.from_dict("machine", found.as_dict(NOW), "here").within(NOW) == found.within(NOW)
    return found


def _license(data: Any) -> License:
    found = License.from_dict(data if isinstance(data, dict) else {}, "here")
    found.problem_on(NOW.date())
    assert License.from_dict(dict(vars(found)), "here") == found
    return found


def _config(data: Any) -> Config:
    found = Config.from_dict(data if isinstance(data, dict) else {}, "here")
    assert Config.from_dict(json.loads(json.dumps(found.as_dict())), "here") == found
    json.dumps(found.as_dict(), ensure_ascii=False).encode()
    return found


def _realm(data: Any) -> Realm:
    found = Realm.from_dict(data, "here")
    assert Realm.from_dict(found.as_dict(), "here") == found
    json.dumps(found.as_dict(), ensure_ascii=False).encode()
    return found


def _listen(data: Any) -> Listen:
    found = Listen.from_dict(data, "here")
    assert Listen.from_dict(found.as_dict(), "here") == found
    assert f"{found.clients}{found.management}".isprintable()
    return found


def _again(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Read, and read again what was read: it is the same, and can be written into a file and a terminal."""

    def act(value: Any) -> Any:
        found = read(value)
        assert read(found) == found
        assert found.isprintable() and found.encode()
        return found

    return act


_NUMBERS = st.from_regex(r"[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}", fullmatch=True)
_CODES = st.from_regex(r"(?:[A-Za-z0-9]{5,6}-){4}[A-Za-z0-9]{5,6}", fullmatch=True)
_HOSTS = st.from_regex(r"[a-z0-9_-]{1,10}(\.[a-z0-9-]{1,10}){0,3}\.?", fullmatch=True) | st.ip_addresses().map(str)
_PLAIN = st.from_regex(r"[A-Za-z0-9 ._\u00e4\u2028-]{1,66}", fullmatch=True)
_ADDRESSES = st.builds(
    "https://{}{}".format, _HOSTS, st.sampled_from(["", ":8443", ":0", ":x", "/", "/p", "?q", ":99999"])
)
_WANTED = mapping(number=NUMBER, activation_code=CODE, profile="PROServer", default=True, nodelock="machine")
_PROFILE = mapping(name="PROServer", license=NUMBER, default=True)

FORMATS: dict[str, tuple[Callable[[Any], Any], st.SearchStrategy[Any]]] = {
    "license number": (_again(model.parse_number), SELDOM | _NUMBERS),
    "activation code": (_again(model.parse_code), SELDOM | _CODES),
    "profile name": (
        _again(model.parse_profile),
        SELDOM | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.\- ]{0,70}", fullmatch=True),
    ),
    "registered user": (_again(model.parse_user), SELDOM | st.builds("{}\\{}".format, _PLAIN, _PLAIN)),
    "date": (_again(lambda value: model.parse_date(value, "here")), SELDOM | st.dates().map(str)),
    "time": (_again(lambda value: model.render_time(model.parse_time(value, "here"))), SELDOM | _TIMES),
    "license particulars": (_license, mapping(**LICENSE)),
    "account of transfers": (
        _account,
        mapping(spent=["2026-01-01T12:00:00Z"]) | st.lists(_TIMES, max_size=5).map(lambda times: {"spent": times}),
    ),
    "declared licenses": (
        lambda value: declared.read_declared_licenses(value, "here"),
        st.lists(_WANTED, max_size=3) | ANY,
    ),
    "license numbers": (
        lambda value: declared.read_numbers(value, "here"),
        st.lists(SELDOM | _NUMBERS, max_size=4) | ANY,
    ),
    "declared profiles": (
        lambda value: declared.read_profiles(value, "here", [NUMBER]),
        st.lists(_PROFILE, max_size=3) | ANY,
    ),
    "realm": (_realm, mapping(**REALM, ca="-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")),
    "listening addresses": (_listen, mapping(clients="192.0.2.10", management="::1")),
    "authority's address": (
        _again(lambda value: base.check_authority(value if isinstance(value, str) else None)),
        SELDOM | _ADDRESSES,
    ),
    "host": (
        _again(lambda value: addresses.parse_host(str(value))),
        st.sampled_from(["a.b", "fe80::1%x y", "fe80::1%\r\nx"]) | _HOSTS | st.text(max_size=70),
    ),
    "request page's address": (_again(lambda value: check_portal(value, "here")), st.text(max_size=70) | _ADDRESSES),
    "e-mail address": (_again(lambda value: check_email(value, "here")), st.text(max_size=70) | st.emails()),
}


@pytest.mark.parametrize("format", FORMATS)
def test_any_value_is_read_or_refused(format: str) -> None:
    read, values = FORMATS[format]

    @runs(500, _BATCH)
    @given(batch(values, _BATCH))
    def check(inputs: list[Any]) -> None:
        for value in inputs:
            give(format, lambda value=value: read(value))

    check()


def test_what_is_no_value_is_refused_whatever_its_size() -> None:
    for value in (1 << 40000, "9" * (1 << 20), ["x"] * (1 << 16)):
        for read in (model.parse_number, model.parse_profile, model.parse_user):
            with pytest.raises(LicensingError) as refused:
                read(value)
            assert len(str(refused.value)) < 500
