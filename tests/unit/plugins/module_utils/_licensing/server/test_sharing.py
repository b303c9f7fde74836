# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client seats: a user on a device takes one for any number of sessions (docs/domain.md#profiles)."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fields import Fields, Kind
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import ProfileView
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import digits, is_counted_by_device
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import CLIENT, SESSION
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.server.site import Site, why
from support.licsrv import Server

ANNA, BERT = "AIMS\\anna", "AIMS\\bert"


def take(server: Server, profile: str, user: str = ANNA, device: str = "pc1") -> str:
    seat = server.seats.new_id()
    server.seats.take(seat, profile, user, device)
    return seat


def used(server: Server, profile: str) -> tuple[Any, Any, Any]:
    """Return what the overview shows: in use by license and by profile, and the reuse."""
    seen = server.management.overview()
    shown = next(one for one in seen["profiles"] if one["name"] == profile)
    license = next(one for one in seen["licenses"] if one["number"] == shown["license"])
    return license["in_use"], shown["in_use"], shown["reuse"]


def test_sessions_of_a_user_on_a_device_share_a_seat(site: Site) -> None:
    server = site.serve()
    first = take(server, "Client")
    sessions = [take(server, "Client", user) for user in (ANNA, ANNA.upper(), ANNA)]
    assert used(server, "Client") == (1, 1, 3)
    take(server, "Client", device="pc2")
    take(server, "Client", BERT)
    assert used(server, "Client") == (3, 3, 3)
    # The seat goes with its last session, whichever that is.
    server.seats.release(first)
    assert used(server, "Client") == (3, 3, 2)
    for session in sessions:
        server.seats.release(session)
    assert used(server, "Client") == (2, 2, 0)


def test_who_has_a_seat_gets_further_sessions_where_all_are_in_use(site: Site) -> None:
    server = site.serve()
    granted = server.management.overview()["licenses"]
    seats = next(one["seats"] for one in granted if one["number"] == CLIENT)
    for number in range(seats):
        take(server, "Client", device=f"pc{number}")
    assert why(take, server, "Client", device="another") == "no_seat"
    take(server, "Client", device="pc0")
    assert used(server, "Client") == (seats, seats, 1)


def test_sessions_of_prosession_and_proserver_take_a_seat_each(site: Site) -> None:
    server = site.serve()
    for _session in range(2):
        take(server, "PROSession")
        take(server, "PROServer")
    assert used(server, "PROSession") == used(server, "PROServer") == (2, 2, None)


def test_two_profiles_of_a_license_share_its_seat(site: Site) -> None:
    site.profiles(("Client", CLIENT, True), ("Night", CLIENT, False), ("PROSession", SESSION, False))
    server = site.serve()
    take(server, "Client")
    take(server, "Night")
    assert used(server, "Client") == (1, 1, 0) and used(server, "Night") == (1, 1, 0)


def test_shared_seats_outlast_the_server(site: Site) -> None:
    server = site.serve()
    sessions = [take(server, "Client") for _session in range(3)]
    server.stop()
    server = site.serve()
    assert used(server, "Client") == (1, 1, 2)
    assert all(server.seats.heartbeat(session) is not None for session in sessions)
    for session in sessions:
        server.seats.release(session)
    assert used(server, "Client") == (0, 0, 0)


def test_metrics_show_who_shares(site: Site) -> None:
    server = site.serve()
    for _session in range(3):
        take(server, "Client")
    _status, text = server.ask("GET", "/metrics", port=3401)
    lines = text.splitlines()
    assert f'licsrv_profile_seats_in_use{{license="{CLIENT}",profile="Client"}} 1' in lines
    assert f'licsrv_profile_sessions_reused{{license="{CLIENT}",profile="Client"}} 2' in lines
    assert not [line for line in lines if line.startswith("licsrv_profile_sessions_reused") and "PROSession" in line]


@pytest.mark.parametrize(
    ("kind", "counted"),
    [
        ("AIMMS Network - PRO Client", True),
        ("aimms network - pro client", True),
        ("AIMMS Network - PRO Session", False),
    ],
)
def test_the_type_decides_how_a_license_is_counted(kind: str, counted: bool) -> None:
    assert is_counted_by_device(kind) is counted


def test_an_overview_of_an_earlier_version_shows_no_reuse() -> None:
    row = {"name": "Client", "license": CLIENT, "in_use": 1, "reuse": False, "default": True}
    assert ProfileView.read(Fields.of(row, Kind("a profile", ""), "")).reuse is None


def test_shared_seats_outlast_a_start_at_which_the_home_cannot_be_read(site: Site) -> None:
    server = site.serve()
    sessions = [take(server, "Client") for _session in range(3)]
    server.stop()
    name = f"Licenses/{digits(CLIENT)}.lic"
    license = site.host.read(name)
    site.put(name, b"{")
    server.start()
    assert why(server.seats.heartbeat, sessions[0]) == "not_served"
    site.put(name, license)
    assert why(server.seats.heartbeat, sessions[0]) == "granted"
    assert used(server, "Client") == (1, 1, 2)


def test_each_session_counts_as_a_client_of_its_license(site: Site) -> None:
    server = site.serve()
    sessions = [take(server, "Client") for _session in range(3)]
    take(server, "PROSession")
    usage = server.management.usage().of_licenses([CLIENT])
    assert (usage.licenses, usage.clients_total, len(usage.clients)) == ({CLIENT: 1}, 3, 3)
    for session in sessions:
        assert server.management.usage().of_licenses([CLIENT]).clients_total
        server.seats.release(session)
    assert server.management.usage().of_licenses([CLIENT]).clients_total == 0
