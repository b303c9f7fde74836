# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the license server exposes to Prometheus. docs/api.md lists the metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timezone
from typing import Callable

from .. import VERSION
from ..license_view import LicenseView
from ..model import ACTIVATE, DEACTIVATE, UPDATE, parse_time
from ..overview import Overview
from .allocator import SeatAllocator
from .metrics import Family, Metrics, Sample, histogram_samples, labelled, labels, render

_DAY = 86_400


def exposition(overview: Overview | None, allocator: SeatAllocator, started: str) -> str:
    """Return all metrics in the text format of Prometheus.

    :param overview: the overview without clients; None if the home cannot be read
    :param started: the time of the server's start, UTC
    """
    families = [*_server(allocator, started), *_counters(allocator.metrics)]
    if overview is not None:
        families += [*_licenses(overview, allocator), *_profiles(overview, allocator), *_requests(overview)]
    return render(families)


def _server(allocator: SeatAllocator, started: str) -> Iterator[Family]:
    snapshot = allocator.entitlements.current()
    yield "licsrv_build_info", "gauge", "The running version.", [(labels(version=VERSION), 1)]
    yield "process_start_time_seconds", "gauge", "The start of the server.", [("", _moment(started))]
    yield "licsrv_ready", "gauge", "Whether the home can be read.", [("", not snapshot.problems)]
    yield (
        "licsrv_maintenance_mode",
        "gauge",
        "Whether all new seats are refused because of maintenance mode or a drain of the whole server.",
        [("", snapshot.maintenance)],
    )
    yield "licsrv_clients", "gauge", "Clients that hold a seat.", [("", len(allocator.pool))]


def _counters(counted: Metrics) -> Iterator[Family]:
    yield "licsrv_takes_total", "counter", "Answers to takes by result.", labelled("result", counted.takes)
    yield (
        "licsrv_heartbeats_total",
        "counter",
        "Answers to heartbeats by result.",
        labelled("result", counted.heartbeats),
    )
    yield "licsrv_releases_total", "counter", "Answers to releases by result.", labelled("result", counted.releases)
    yield "licsrv_expired_total", "counter", "Seats that ended without a heartbeat.", [("", counted.expired)]
    yield "licsrv_revoked_total", "counter", "Seats that ended with their license.", [("", counted.revoked)]
    yield "licsrv_commit_failures_total", "counter", "Batches that could not be recorded.", [("", counted.failures)]
    yield (
        "licsrv_usage_log_failures_total",
        "counter",
        "Writes of the usage log that failed.",
        [("", counted.usage_failures)],
    )
    yield "licsrv_commit_changes", "histogram", "Changes per recorded batch.", histogram_samples(counted.sizes)
    yield "licsrv_commit_seconds", "histogram", "Seconds to record a batch.", histogram_samples(counted.seconds)


def _licenses(overview: Overview, allocator: SeatAllocator) -> Iterator[Family]:
    """Yield what is known by license. A license that was given back is no longer the server's."""
    snapshot, pool = allocator.entitlements.current(), allocator.pool
    licenses = [license for license in overview.licenses if not license.is_given_back]
    granted = {license.number: snapshot.grant(license.number) for license in licenses}

    def each(value: Callable[[LicenseView], float | None]) -> Iterator[Sample]:
        values = {license.number: value(license) for license in licenses}
        return labelled("license", {number: known for number, known in values.items() if known is not None})

    yield (
        "licsrv_license_info",
        "gauge",
        "The type of a license.",
        [(labels(license=license.number, type=license.type or ""), 1) for license in licenses],
    )
    gauges: Iterable[tuple[str, str, Callable[[LicenseView], float | None]]] = (
        ("served", "Whether seats of a license are granted.", lambda one: granted[one.number].problem is None),
        (
            "draining",
            "Whether a drain keeps new seats of a license from being granted.",
            lambda one: granted[one.number].draining,
        ),
        ("fenced", "Whether a license is about to be given back.", lambda one: one.is_fenced),
        (
            "drifted_components",
            "Components of this machine that differ from those that a license was activated on.",
            lambda one: len(one.drift.changed) if one.drift else 0,
        ),
        ("seats", "Seats of a license, by its license file.", lambda one: one.seats),
        (
            "seats_granted",
            "Seats that a license grants here.",
            lambda one: granted[one.number].seats if granted[one.number].problem is None else 0,
        ),
        (
            "expiry_timestamp_seconds",
            "The end of the last valid day of a license.",
            lambda one: _end_of_day(one.expiry),
        ),
        (
            "maintenance_expiry_timestamp_seconds",
            "The end of the last day of a license's maintenance.",
            lambda one: _end_of_day(one.maintenance_expiry),
        ),
        (
            "emergency_end_timestamp_seconds",
            "The end of an emergency activation.",
            lambda one: _moment(one.until) if one.until else None,
        ),
        (
            "transfers_left",
            "Transfers that a license has left.",
            lambda one: one.transfers.left if one.transfers else None,
        ),
        (
            "transfer_return_timestamp_seconds",
            "When the next spent transfer of a license returns.",
            lambda one: _moment(one.transfers.returns) if one.transfers and one.transfers.returns else None,
        ),
    )
    for name, text, value in gauges:
        yield f"licsrv_license_{name}", "gauge", text, each(value)
    # Seats may be held of a license that is not installed any more, for a moment.
    used = {**{license.number: 0 for license in licenses}, **pool.licenses()}
    yield "licsrv_license_seats_in_use", "gauge", "Seats in use by license.", labelled("license", used)


def _profiles(overview: Overview, allocator: SeatAllocator) -> Iterator[Family]:
    snapshot, demand = allocator.entitlements.current(), allocator.metrics.demand
    gone = {license.number for license in overview.licenses if license.is_given_back}
    known = {profile.name: profile.license for profile in overview.profiles if profile.license not in gone}
    grants = {name: snapshot.grant(license) for name, license in known.items()}
    used = {**dict.fromkeys(known, 0), **allocator.pool.profiles()}
    none = dict.fromkeys([(license, name) for name, license in known.items()], 0)
    yield (
        "licsrv_profile_seats_granted",
        "gauge",
        "Seats that the license of a profile grants here; profiles may share a license.",
        [(_by(known[name], name), grant.seats if grant.problem is None else 0) for name, grant in grants.items()],
    )
    yield (
        "licsrv_profile_seats_in_use",
        "gauge",
        "Seats in use by profile.",
        [(_by(known.get(name, ""), name), seats) for name, seats in used.items()],
    )
    shared = [name for name, grant in grants.items() if grant.by_device]
    reused = {**dict.fromkeys(shared, 0), **allocator.pool.reused()}
    yield (
        "licsrv_profile_sessions_reused",
        "gauge",
        "Sessions that share the seat of another session of their user and device.",
        [(_by(known.get(name, ""), name), sessions) for name, sessions in reused.items()],
    )
    yield (
        "licsrv_seats_denied_total",
        "counter",
        "Takes that were refused because all seats were in use.",
        [(_by(*key), count) for key, count in {**none, **demand.denied}.items()],
    )
    yield (
        "licsrv_clients_waiting",
        "gauge",
        "Clients that were refused for lack of a seat in the last minute and have got none since.",
        [(_by(*key), count) for key, count in {**none, **demand.waiting()}.items()],
    )


def _requests(overview: Overview) -> Iterator[Family]:
    counts = {**dict.fromkeys((ACTIVATE, DEACTIVATE, UPDATE), 0), **Counter(one.action for one in overview.pending)}
    yield (
        "licsrv_pending_requests",
        "gauge",
        "Requests to the authority without an applied response.",
        labelled("action", counts),
    )
    yield (
        "licsrv_pending_request_timestamp_seconds",
        "gauge",
        "When a pending request was made.",
        [(labels(license=one.number, action=one.action), _moment(one.made)) for one in overview.pending if one.made],
    )


def _by(license: str, profile: str) -> str:
    return labels(license=license, profile=profile)


def _moment(text: str) -> float:
    return parse_time(text, "time").timestamp()


def _end_of_day(day: str | None) -> float | None:
    """Return the end of a day, UTC, by which the server judges licenses."""
    if day is None:
        return None
    # The day after may be beyond Python's last year.
    return datetime.combine(date.fromisoformat(day), time(), timezone.utc).timestamp() + _DAY
