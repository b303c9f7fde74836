# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a home is read anew, and what it lets be granted."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import read_fingerprint
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.nodelock import Installed
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import Home
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import (
    Activation,
    Deactivation,
    Maintenance,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.entitlements import Entitlements
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    HOME,
    NUMBERS,
    SESSION,
    CoreLab,
    declared,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.server.site import wait_until


def grants_of(lab: CoreLab) -> Entitlements:
    return Entitlements(Home(HOME, str(lab.old.root)), read_fingerprint(str(lab.old.root)), lab.clock)


def settle(lab: CoreLab) -> None:
    """Make the home look as if it was changed some time ago."""
    for name in ("Config/server.json", "Licenses", "Nodelocks", "Journal"):
        os.utime(lab.old.folder / name, (1_000_000_000, 1_000_000_000))


def served(grants: Entitlements) -> set[str]:
    return {number for number, grant in grants.current().licenses.items() if grant.problem is None}


def test_a_home_is_read_once_and_again_only_when_it_changes(lab: CoreLab) -> None:
    lab.activate(lab.old)
    settle(lab)
    grants = grants_of(lab)
    first = grants.current()
    assert all(grants.current() is first for _time in range(3))
    lab.old.manager.set_maintenance(Maintenance(True))
    assert grants.current().maintenance


def test_each_of_many_changes_within_a_moment_is_seen(lab: CoreLab) -> None:
    lab.activate(lab.old)
    grants = grants_of(lab)
    home = lab.old.home
    for at in range(100):
        config = home.config()
        home.save(replace(config, fenced={} if at % 2 else {SESSION: "2026-01-01T00:00:00Z"}))
        assert (SESSION in served(grants)) == bool(at % 2)


class Restless(Home):
    """A home whose configuration is replaced while it is read, the first few times; the last one fences a license."""

    left = 5

    def installed(self, unsettled: Mapping[str, Any]) -> dict[str, Installed]:
        found = super().installed(unsettled)
        if self.left:
            self.left -= 1
            # Longer than the times of two changes may be the same.
            time.sleep(0.05)
            config = self.config()
            self.save(config if self.left else replace(config, fenced={SESSION: "2026-01-01T00:00:00Z"}))
        return found


def test_a_fence_that_comes_while_a_restless_home_is_read_is_seen(lab: CoreLab) -> None:
    lab.activate(lab.old)
    settle(lab)
    home = Restless(HOME, str(lab.old.root))
    grants = Entitlements(home, read_fingerprint(str(lab.old.root)), lab.clock)
    grants.current()
    assert home.left == 0, "it was read less often"
    assert served(grants) == set(NUMBERS) - {SESSION}


def test_a_license_expires_at_the_end_of_its_last_day(lab: CoreLab) -> None:
    with lab.ledger.change():
        lab.ledger.put_license(lab.license(SESSION, "2026-01-01", "2026-01-31"), lab.clock.now)
    lab.activate(lab.old)
    settle(lab)
    grants = grants_of(lab)
    lab.clock.now = datetime(2026, 1, 31, 23, 59, 59, tzinfo=timezone.utc)
    assert served(grants) == set(NUMBERS)
    lab.clock.now = datetime(2026, 2, 1, tzinfo=timezone.utc)
    assert served(grants) == set(NUMBERS) - {SESSION}
    problem = grants.current().grant(SESSION).problem
    assert problem is not None
    assert "expired on 2026-01-31" in problem.what


def test_on_another_machine_nothing_is_granted(lab: CoreLab) -> None:
    lab.activate(lab.old)
    lab.old.set_machine_id("9" * 31 + "d")
    assert served(grants_of(lab)) == set()


def test_a_home_whose_realm_is_another_grants_nothing(lab: CoreLab) -> None:
    lab.activate(lab.old)
    config = lab.old.home.config()
    assert config.realm is not None
    lab.old.home.save(replace(config, realm=replace(config.realm, key="A" * 43 + "=")))
    assert served(grants_of(lab)) == set()


def test_a_pending_deactivation_ends_seats(lab: CoreLab) -> None:
    lab.activate(lab.old)
    lab.old.manager.deactivate(Deactivation([CLIENT]), lab.offline())
    grants = grants_of(lab)
    assert served(grants) == set(NUMBERS) - {CLIENT}
    assert grants.current().grant(CLIENT).ends


def test_a_pending_activation_grants_no_new_seats_and_ends_none(lab: CoreLab) -> None:
    lab.old.manager.activate(Activation(declared(CLIENT, nodelock="personal")), lab.channel())
    grants = grants_of(lab)
    assert served(grants) == {CLIENT}
    lab.old.manager.activate(Activation(declared(CLIENT)), lab.offline())
    assert served(grants) == set()
    assert not grants.current().grant(CLIENT).ends


def test_a_profile_without_its_license_is_told(lab: CoreLab) -> None:
    lab.activate(lab.old, SESSION)
    problem = grants_of(lab).current().grant(CLIENT).problem
    assert problem is not None
    assert problem.what == f"License {CLIENT} is not installed here."


def test_a_home_that_is_gone_or_damaged_grants_nothing_and_says_why(lab: CoreLab) -> None:
    lab.activate(lab.old)
    grants = grants_of(lab)
    assert served(grants) == set(NUMBERS)
    for name in ("Nodelocks/015120065016.ver", "Licenses/015120055014.lic", "Config/server.json"):
        kept = lab.old.read(name)
        (lab.old.folder / name).unlink()
        assert served(grants) == set()
        assert grants.current().problems
        lab.old.write(name, kept)
        assert served(grants) == set(NUMBERS)
    lab.old.folder.rename(lab.old.folder.with_name("moved"))
    assert served(grants) == set()
    assert grants.current().problems[0].what == "No license server is installed here."


def test_what_kept_a_home_from_being_read_may_pass_without_a_trace(lab: CoreLab) -> None:
    lab.activate(lab.old)
    settle(lab)
    grants = grants_of(lab)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        failed = [grants.current() for _time in range(100)]
        assert all("Too many open files" in one.problems[0].what for one in failed)
        # Reading may take long, and nobody is served meanwhile: it is not done for each who asks.
        assert len({id(one) for one in failed}) < 50
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    wait_until(lambda: served(grants) == set(NUMBERS))
    first = grants.current()
    time.sleep(0.3)
    assert grants.current() is first


def test_a_pending_update_changes_nothing_and_a_loaded_one_what_is_granted(lab: CoreLab) -> None:
    lab.activate(lab.old)
    grants = grants_of(lab)
    asked = lab.old.manager.update([SESSION], lab.offline())
    assert served(grants) == set(NUMBERS)
    with lab.ledger.change():
        lab.ledger.put_license(replace(lab.license(SESSION), seats=12), lab.clock.now)
    lab.old.manager.update([SESSION], lab.offline(lab.process(asked.requests)))
    assert served(grants) == set(NUMBERS)
    assert grants.current().grant(SESSION).seats == 12
