# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dry call predicts is what the run then does, whatever the hosts and the authority went through before."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import LicenseView
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import (
    Activation,
    Change,
    Deactivation,
    ProfileChange,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    NUMBERS,
    SERVER,
    SESSION,
    CoreLab,
    Host,
    wanted,
)
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

SETTINGS = settings(
    max_examples=200,
    # A failure is not made smaller: the time of the test is bounded so.
    phases=[Phase.generate],
    deadline=timedelta(seconds=30),
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
CALLS = st.tuples(
    st.sampled_from(["activate", "deactivate", "update", "fence", "respond", "profiles", "wait"]),
    st.sampled_from(["old", "new"]),
    st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=2, unique=True),
    st.booleans(),
    st.booleans(),
)


def known(license: LicenseView, is_open: bool) -> tuple[Any, ...]:
    """What a dry call can tell of a license; its file, its serial and its account come with the response.

    :param is_open: whether a request was open for it, whose response says when it ends
    """
    return license.number, license.status, bool(license.fenced), is_open or license.until is not None


def shown(overview: Overview, requested: Collection[str]) -> dict[str, Any]:
    return {
        "licenses": sorted(known(license, license.number in requested) for license in overview.licenses),
        "pending": sorted((request.number, request.action) for request in overview.pending),
        "profiles": overview.profiles,
        "users": overview.users,
        "files": overview.files,
        "maintenance": overview.server.maintenance,
    }


def outcome(call: Callable[[], Change], requested: Collection[str]) -> Any:
    try:
        change = call()
    except LicensingError as error:
        return "refused", [problem.what for problem in error.problems]
    return change.changed, [(result.number, result.action) for result in change.results], shown(change.after, requested)


class Walk:
    """A lab, and the request files that wait, as a person carries them."""

    def __init__(self, folder: Path, ledger: bytes) -> None:
        self.lab = CoreLab(folder, ledger)
        self.lab.activate(self.lab.old, *NUMBERS[:2])
        self.waiting: dict[str, dict[str, bytes]] = {"old": {}, "new": {}}
        self.answers: dict[str, dict[str, bytes]] = {"old": {}, "new": {}}

    def step(self, kind: str, name: str, numbers: list[str], online: bool, emergency: bool) -> None:
        lab, host = self.lab, getattr(self.lab, name)
        lab.clock.forward(minutes=1)
        if kind == "respond":
            self.answers[name] = lab.process(self.waiting[name])
        elif kind == "fence":
            config = host.home.config()
            host.home.save(replace(config, fenced={**config.fenced, **dict.fromkeys(numbers, "2026-01-01T12:00:00Z")}))
        elif kind == "wait":
            lab.clock.forward(days=8)
        else:
            self.compare(host, name, self.call(kind, host, numbers, name, online, emergency), (kind, name, online))

    def call(
        self, kind: str, host: Host, numbers: list[str], name: str, online: bool, emergency: bool
    ) -> Callable[[bool], Change]:
        def channel() -> Any:
            return self.lab.channel() if online else self.lab.offline(self.answers[name])

        bridged = numbers if emergency else []
        profiles = [profile.profile for profile in host.manager.overview().profiles][::-1]
        calls: dict[str, Callable[[bool], Change]] = {
            "activate": lambda dry: host.manager.activate(
                Activation(wanted(*numbers), realm=self.lab.realm, emergency=bridged), channel(), dry=dry
            ),
            "deactivate": lambda dry: host.manager.deactivate(Deactivation(numbers), channel(), dry=dry),
            "update": lambda dry: host.manager.update(numbers, channel(), dry=dry),
            "profiles": lambda dry: host.manager.set_profiles(ProfileChange(profiles[:1], purge=emergency), dry=dry),
        }
        return calls[kind]

    def compare(self, host: Host, name: str, call: Callable[[bool], Change], what: Any) -> None:
        before = host.files()
        requested = {request.number for request in host.manager.overview().pending}
        foretold = outcome(lambda: call(True), requested)
        assert host.files() == before
        done: list[Change] = []

        def run() -> Change:
            done.append(call(False))
            return done[-1]

        result = outcome(run, requested)
        # Only activations are quoted. Whether it refuses anything else, the authority says when it is asked in earnest.
        kind, _host, online = what
        unquoted = bool(requested) or kind in ("update", "deactivate")
        is_for_authority = online and unquoted and result[0] == "refused"
        assert result == foretold or is_for_authority, what
        for change in done:
            self.waiting[name].update(change.requests)


@SETTINGS
@given(calls=st.lists(CALLS, min_size=6, max_size=10))
def test_what_a_dry_call_predicts_is_what_the_run_does(new_ledger: bytes, calls: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        walk = Walk(Path(folder), new_ledger)
        try:
            for call in calls:
                walk.step(*call)
        finally:
            walk.lab.close()


def test_a_fence_does_not_hide_what_is_finished_for_another_license(tmp_path: Path, new_ledger: bytes) -> None:
    walk = Walk(tmp_path, new_ledger)
    try:
        walk.step("update", "old", [SESSION], online=False, emergency=False)
        walk.step("fence", "old", [SERVER], online=False, emergency=False)
        walk.step("activate", "old", [SERVER], online=True, emergency=False)
        assert not walk.lab.old.manager.overview().pending
    finally:
        walk.lab.close()
