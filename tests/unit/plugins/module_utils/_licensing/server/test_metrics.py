# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the license server exposes to Prometheus."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from datetime import date, datetime, timezone

from ansible_collections.aims.licensing.plugins.module_utils._licensing import VERSION
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Maintenance
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.demand import PATIENCE, Demand
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.metrics import labels, render
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    SERVER,
    SESSION,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.server.site import (
    Site,
    take,
    why,
)
from prometheus_client.parser import text_string_to_metric_families
from support.licsrv import Server
from support.needs import needs_command


def metrics(server: Server) -> dict[tuple[str, str], float]:
    """Return the metrics by name and label, as Prometheus itself reads them."""
    status, text = server.ask("GET", "/metrics", port=3401)
    assert status == 200
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_count_what_was_answered(site: Site) -> None:
    server = site.serve()
    assert metrics(server)["licsrv_build_info", VERSION] == 1
    seats = [take(server)["seat"] for _seat in range(8)]
    assert why(take, server) == "no_seat"
    server.seats.heartbeat(seats[0])
    server.seats.release(seats[0])
    server.seats.release(seats[0])
    assert why(server.seats.heartbeat, seats[0]) == "gone"
    expected: Mapping[tuple[str, str], float] = {
        ("licsrv_ready", ""): 1,
        ("licsrv_maintenance_mode", ""): 0,
        ("licsrv_clients", ""): 7,
        ("licsrv_license_seats_granted", SESSION): 8,
        ("licsrv_license_seats_in_use", SESSION): 7,
        ("licsrv_license_seats_in_use", CLIENT): 0,
        ("licsrv_profile_seats_granted", f"{SESSION},PROSession"): 8,
        ("licsrv_profile_seats_in_use", f"{SESSION},PROSession"): 7,
        ("licsrv_takes_total", "granted"): 8,
        ("licsrv_takes_total", "no_seat"): 1,
        ("licsrv_heartbeats_total", "kept"): 1,
        ("licsrv_heartbeats_total", "gone"): 1,
        ("licsrv_releases_total", "released"): 1,
        ("licsrv_releases_total", "not_held"): 1,
        ("licsrv_commit_changes_sum", ""): 9,
        ("licsrv_commit_changes_count", ""): 9,
        ("licsrv_commit_failures_total", ""): 0,
    }
    found = metrics(server)
    assert {key: found[key] for key in expected} == expected
    site.fence(SESSION)
    site.host.manager.set_maintenance(Maintenance(True))
    assert why(server.seats.heartbeat, seats[1]) == "gone"
    found = metrics(server)
    assert found["licsrv_license_seats_granted", SESSION] == 0
    assert (found["licsrv_maintenance_mode", ""], found["licsrv_revoked_total", ""]) == (1, 1)


def test_a_client_that_was_refused_waits_until_it_gets_a_seat(site: Site) -> None:
    server = site.serve()
    by = f"{SESSION},PROSession"
    assert (metrics(server)["licsrv_seats_denied_total", by], metrics(server)["licsrv_clients_waiting", by]) == (0, 0)
    seats = [take(server)["seat"] for _seat in range(8)]
    for user in ("AIMS\\ben", "AIMS\\ben", "AIMS\\cleo"):
        assert why(take, server, user=user) == "no_seat"
    assert (metrics(server)["licsrv_seats_denied_total", by], metrics(server)["licsrv_clients_waiting", by]) == (3, 2)
    server.seats.release(seats[0])
    take(server, user="AIMS\\ben")
    assert (metrics(server)["licsrv_seats_denied_total", by], metrics(server)["licsrv_clients_waiting", by]) == (3, 1)
    assert metrics(server)["licsrv_seats_denied_total", f"{CLIENT},Client"] == 0


def test_a_client_that_gave_up_waits_no_longer() -> None:
    now = [0.0]
    demand = Demand(lambda: now[0])
    for at, user in ((0.0, "anna"), (30.0, "ben"), (31.0, "anna")):
        now[0] = at
        demand.refuse(SESSION, "PROSession", user=user, client="workstation-1")
    now[0] = 30.0 + PATIENCE
    assert demand.waiting() == {(SESSION, "PROSession"): 1}
    now[0] = 31.0 + PATIENCE
    assert demand.waiting() == {}
    assert demand.denied[SESSION, "PROSession"] == 3


def test_each_license_tells_its_dates_and_its_transfers(site: Site) -> None:
    found = metrics(site.serve())
    for license in site.host.overview["licenses"]:
        number, transfers = license["number"], license["transfers"]
        for name, last in (("expiry", "expiry"), ("maintenance_expiry", "maintenance_expiry")):
            end = datetime.fromtimestamp(found[f"licsrv_license_{name}_timestamp_seconds", number], timezone.utc)
            # The last day is valid to its end.
            assert (end.date() - date.fromisoformat(license[last])).days == 1
            assert (end.hour, end.minute, end.second) == (0, 0, 0)
        assert found["licsrv_license_transfers_left", number] == transfers["left"]
        if transfers["returns"]:
            back = datetime.strptime(transfers["returns"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
            assert found["licsrv_license_transfer_return_timestamp_seconds", number] == back.timestamp()
        assert found["licsrv_license_info", f"{number},{license['type']}"] == 1
        assert found["licsrv_license_seats", number] == license["seats"]
        assert found["licsrv_license_served", number] == 1
        assert found["licsrv_license_fenced", number] == 0
        assert found["licsrv_license_drifted_components", number] == 0


def test_a_license_that_is_given_back_is_fenced_then_pending_then_gone(site: Site) -> None:
    server = site.serve()
    site.fence(SESSION)
    found = metrics(server)
    assert found["licsrv_license_fenced", SESSION] == 1
    assert found["licsrv_license_served", SESSION] == 0
    assert found["licsrv_license_seats", SESSION] == 8
    assert [found["licsrv_pending_requests", action] for action in ("activate", "deactivate", "update")] == [0, 1, 0]
    assert found["licsrv_pending_request_timestamp_seconds", f"{SESSION},deactivate"] == site.lab.clock.now.timestamp()
    site.lab.deactivate(site.host, SESSION)
    found = metrics(server)
    assert found["licsrv_pending_requests", "deactivate"] == 0
    assert not [name for name, by in found if name.startswith("licsrv_license_") and by == SESSION]


def test_a_machine_that_has_changed_shows_how_much(site: Site) -> None:
    site.host.set_machine_id("f" * 32)
    found = metrics(site.serve())
    assert found["licsrv_license_drifted_components", SERVER] >= 1


def test_a_home_that_cannot_be_read_leaves_the_servers_own_metrics(site: Site) -> None:
    server = site.serve()
    site.put("Config/server.json", b"{")
    found = metrics(server)
    assert found["licsrv_ready", ""] == 0
    assert not [name for name, _by in found if name.startswith("licsrv_license_")]


def test_labels_may_have_any_characters() -> None:
    name = 'Zeichen "\\n" \\ \n {x="y"}, #'
    text = render([("licsrv_clients", "gauge", "Clients.", [(labels(profile=name, license=SESSION), 1_795_670_401)])])
    (family,) = text_string_to_metric_families(text)
    (sample,) = family.samples
    assert sample.labels == {"profile": name, "license": SESSION}
    assert sample.value == 1_795_670_401


@needs_command("promtool", "prometheus")
def test_promtool_has_nothing_to_say_about_the_metrics(site: Site) -> None:
    server = site.serve()
    seats = [take(server)["seat"] for _seat in range(8)]
    assert why(take, server) == "no_seat"
    server.seats.release(seats[0])
    site.fence(CLIENT)
    _status, text = server.ask("GET", "/metrics", port=3401)
    judged = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert (judged.returncode, judged.stdout, judged.stderr) == (0, "", "")
