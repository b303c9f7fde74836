# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dry call predicts is what the run then does, whatever the hosts and the authority went through before."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.release import release
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import Embedded
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.install import (
    Installation,
    Settings,
    install,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.package import Package
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import LicenseView
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager import maintenance
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.drain import Drained, DrainOptions
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import (
    Activation,
    Change,
    Deactivation,
    HomeFile,
    Maintenance,
    ProfileChange,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import QUOTE
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import ClientView, Overview
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    NUMBERS,
    SERVER,
    SESSION,
    CoreLab,
    Host,
    declared,
)
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

SETTINGS = settings(
    max_examples=100,
    # A failure is not made smaller: the time of the test is bounded so.
    phases=[Phase.generate],
    deadline=timedelta(seconds=60),
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
WHY = "The machine is lost."


@dataclass(frozen=True)
class Event:
    """A call that is predicted and made, or something that happens between calls.

    :ivar online: whether the authority is a call away; else a person carries files
    :ivar flag: an emergency activation, a purge of profiles, maintenance mode on, or a newer package
    :ivar drain: whether seats are waited for first, and whether they are given up by force; None where nobody waits
    :ivar in_use: how many seats clients do not give back
    """

    kind: str
    host: str
    numbers: tuple[str, ...]
    online: bool = True
    flag: bool = False
    drain: bool | None = None
    in_use: int = 0
    users: tuple[str, ...] | None = None
    file: bytes | None = None
    has_codes: bool = True


KINDS = (
    *("activate", "activate", "activate", "deactivate", "deactivate"),
    *("update", "maintenance", "profiles", "install", "fence", "release", "respond", "respond", "wait"),
)
EVENTS = st.builds(
    Event,
    kind=st.sampled_from(KINDS),
    host=st.sampled_from(["old", "new"]),
    numbers=st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=2, unique=True).map(tuple),
    online=st.booleans(),
    flag=st.booleans(),
    drain=st.sampled_from([None, None, False, True]),
    in_use=st.sampled_from([0, 0, 2]),
    users=st.sampled_from([None, None, ("CORP\\anna",), ("CORP\\anna", "CORP\\bert")]),
    file=st.sampled_from([None, None, b"a key\n", b"a newer key\n"]),
    has_codes=st.sampled_from([True, True, True, False]),
)


def known(license: LicenseView, is_open: bool) -> tuple[Any, ...]:
    """What a dry call can tell of a license; its file, its serial and its account come with the response.

    :param is_open: whether a request was open for it, whose response says when it ends
    """
    return license.number, license.status, bool(license.fenced), is_open or license.until is not None


def shown(overview: Overview, requested: Collection[str] = ()) -> dict[str, Any]:
    return {
        "licenses": sorted(known(license, license.number in requested) for license in overview.licenses),
        "pending": sorted((request.number, request.action) for request in overview.pending),
        "profiles": overview.profiles,
        "users": overview.users,
        "files": overview.files,
        "maintenance": overview.server.maintenance,
    }


def package(version: str) -> Package:
    """Return a package that prints its version."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py"), f"print({version!r})\n")
    return Package(version, stream.getvalue())


@contextmanager
def seats(in_use: int) -> Iterator[None]:
    """Let clients hold seats that they do not give back."""

    def drain(*_given: Any, **_more: Any) -> Drained:
        clients = (ClientView("pc", None, "anna", "PROSession", SESSION, "now"),) if in_use else ()
        return Drained(0.0, in_use, clients)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maintenance, "drain", drain)
        yield


class Walk:
    """A lab, and the request files that wait, as a person carries them."""

    def __init__(self, folder: Path, ledger: bytes) -> None:
        self.lab = CoreLab(folder, ledger)
        self.lab.activate(self.lab.old, *NUMBERS[:2])
        self.waiting: dict[str, dict[str, bytes]] = {"old": {}, "new": {}}
        self.answers: dict[str, dict[str, bytes]] = {"old": {}, "new": {}}
        self.refusals: list[str] = []

    def step(self, event: Event) -> None:
        lab, host = self.lab, getattr(self.lab, event.host)
        lab.clock.forward(minutes=1)
        if event.kind == "respond":
            self.answers[event.host] = lab.process(self.waiting[event.host])
        elif event.kind == "fence":
            config = host.home.config()
            fenced = {**config.fenced, **dict.fromkeys(event.numbers, "2026-01-01T12:00:00Z")}
            host.home.save(replace(config, fenced=fenced))
        elif event.kind == "wait":
            lab.clock.forward(days=8)
        elif event.kind == "release":
            for number in event.numbers:
                holding = lab.ledger.holding(number)
                if holding is not None and holding.live:
                    release(lab.ledger, number, WHY, lab.clock())
        elif event.kind == "install":
            self.compare_installation(host, event)
        else:
            with seats(event.in_use):
                self.compare(host, event)

    def call(self, host: Host, event: Event) -> Callable[[bool], Change]:
        online = event.online
        channel = self.watched(self.lab.channel()) if online else self.lab.offline(self.answers[event.host])
        drain = None if event.drain is None else DrainOptions(0, event.drain)
        licenses = declared(*event.numbers)
        if not event.has_codes:
            licenses = [replace(license, activation_code=None) for license in licenses]
        activation = Activation(
            licenses,
            realm=self.lab.realm,
            users=event.users,
            files=[] if event.file is None else [HomeFile("ApplicationKeys/model.key", 0o600, True, event.file)],
            emergency=event.numbers if event.flag else (),
            source=None if event.file is None else "source",
        )
        names = [profile.profile for profile in host.manager.overview().profiles][::-1]
        calls: dict[str, Callable[[bool], Change]] = {
            "activate": lambda dry: host.manager.activate(activation, channel, dry=dry),
            "deactivate": lambda dry: host.manager.deactivate(Deactivation(event.numbers, drain), channel, dry=dry),
            "update": lambda dry: host.manager.update(event.numbers, channel, dry=dry),
            "maintenance": lambda dry: host.manager.set_maintenance(Maintenance(event.flag, drain), dry=dry),
            "profiles": lambda dry: host.manager.set_profiles(ProfileChange(names[:1], purge=event.flag), dry=dry),
        }
        return calls[event.kind]

    def watched(self, channel: Embedded) -> Embedded:
        """Note what the authority refuses when it is asked in earnest."""
        exchange = channel.exchange

        def watch(number: str, request: bytes) -> bytes | None:
            response = exchange(number, request)
            body = json.loads(response or b"{}").get("body", {})
            if body.get("action") != QUOTE and body.get("outcome") != "granted":
                self.refusals.append(number)
            return response

        channel.exchange = watch  # type: ignore[method-assign]
        return channel

    def compare(self, host: Host, event: Event) -> None:
        self.refusals.clear()
        call = self.call(host, event)
        before = host.files()
        was_closed = host.home.config().is_closed()
        requested = {request.number for request in host.manager.overview().pending}
        foretold = outcome(lambda: call(True), requested)
        assert host.files() == before
        done: list[Change] = []

        def run() -> Change:
            done.append(call(False))
            return done[-1]

        result = outcome(run, requested)
        if result[0] == "refused" and result[1][0].startswith(f"{event.in_use} seats are still in use"):
            # Whether clients give their seats back in time is known by then only; the server is as it was.
            assert event.in_use and event.drain is False, event
            assert host.home.config().is_closed() == was_closed
            return
        # Only activations are quoted. Whether it refuses anything else, the authority says when it is asked in earnest.
        is_unquoted = bool(requested) or event.kind in ("update", "deactivate")
        is_for_authority = is_unquoted and bool(self.refusals)
        assert result == foretold or is_for_authority, event
        for change in done:
            self.waiting[event.host].update(change.requests)

    def compare_installation(self, host: Host, event: Event) -> None:
        content = package("0.0.2" if event.flag else "0.0.1")
        options = Settings(authority="offline", realm=self.lab.realm if event.online else None)
        before = host.files()
        foretold = installed(lambda: install(host.home, content, settings=options, dry=True))
        assert host.files() == before
        assert installed(lambda: install(host.home, content, settings=options)) == foretold, event


def outcome(call: Callable[[], Change], requested: Collection[str]) -> Any:
    try:
        change = call()
    except LicensingError as error:
        return "refused", [problem.what for problem in error.problems]
    return change.changed, [(result.number, result.action) for result in change.results], shown(change.after, requested)


def installed(call: Callable[[], Installation]) -> Any:
    try:
        done = call()
    except LicensingError as error:
        return "refused", [problem.what for problem in error.problems]
    # The id of a home is made with it.
    return done.words, shown(done.after), replace(done.after.server, home_id=None)


@SETTINGS
@given(events=st.lists(EVENTS, min_size=8, max_size=12))
def test_what_a_dry_call_predicts_is_what_the_run_does(new_ledger: bytes, events: list[Event]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        walk = Walk(Path(folder), new_ledger)
        try:
            for event in events:
                walk.step(event)
        finally:
            walk.lab.close()


def test_what_an_installation_predicts_on_a_bare_machine_is_what_it_does(tmp_path: Path, new_ledger: bytes) -> None:
    walk = Walk(tmp_path, new_ledger)
    bare = Host(tmp_path / "bare", "3" * 31 + "c", walk.lab.clock)
    try:
        for flag, online in ((False, True), (False, True), (True, True), (False, False), (True, False)):
            walk.compare_installation(bare, Event("install", "bare", (), online=online, flag=flag))
        assert bare.home.package()["version"] == "0.0.2" and bare.home.config().realm == walk.lab.realm
    finally:
        walk.lab.close()


def test_a_fence_does_not_hide_what_is_finished_for_another_license(tmp_path: Path, new_ledger: bytes) -> None:
    walk = Walk(tmp_path, new_ledger)
    try:
        walk.step(Event("update", "old", (SESSION,), online=False))
        walk.step(Event("fence", "old", (SERVER,)))
        walk.step(Event("activate", "old", (SERVER,)))
        assert not walk.lab.old.manager.overview().pending
    finally:
        walk.lab.close()


def test_a_call_without_codes_is_refused_where_a_deactivation_ends_first(tmp_path: Path, new_ledger: bytes) -> None:
    walk = Walk(tmp_path, new_ledger)
    try:
        walk.step(Event("deactivate", "old", (SERVER,), online=False))
        walk.step(Event("activate", "old", (SERVER,), has_codes=False))
        walk.step(Event("activate", "old", (SERVER,)))
        assert walk.lab.old.statuses()[SERVER] == "Active"
    finally:
        walk.lab.close()


def test_a_drain_reports_what_was_pending_and_ended_before_it(tmp_path: Path, new_ledger: bytes) -> None:
    walk = Walk(tmp_path, new_ledger)
    try:
        walk.step(Event("deactivate", "old", (SERVER,), online=False))
        walk.step(Event("deactivate", "old", (SERVER,), drain=False))
        assert walk.lab.old.statuses()[SERVER] == "Inactive Nodelock"
    finally:
        walk.lab.close()
