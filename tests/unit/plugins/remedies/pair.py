# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations of a pair without Ansible: what the roles have the hosts and the plan do, and what is told."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils import _licensing
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.config import Config
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation, Deactivation
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.plan import Plan, make_plan, plan_text
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    HOME,
    NUMBERS,
    CoreLab,
    Host,
    declared,
)
from support.plans import check_copies, pair_of


class Pair:
    """The hosts ``old`` and ``new`` of a laboratory as source and target of an inventory.

    :ivar reached: whether the source answers
    """

    def __init__(self, lab: CoreLab) -> None:
        self.lab, self.old, self.new = lab, lab.old, lab.new
        self.reached = True

    def look(self, name: str, host: Host, **more: Any) -> dict[str, Any]:
        """What aims_license_info returns of a host, as the plan takes it."""
        manager = host.manager
        found = {
            "overview": manager.overview().as_dict(),
            "fingerprint": manager.fingerprint(),
            "places": manager.places(),
        }
        return {"host": name, **found, "obstacles": [one.as_dict() for one in manager.obstacles()], **more}

    def plan(self, *numbers: str, back: bool = False, online: bool = True) -> Plan:
        """Look at both hosts, ask, and plan; refuse what the playbooks refuse."""
        asked = declared(*numbers)
        names = ("new", "old") if back else ("old", "new")
        hosts = (self.new, self.old) if back else (self.old, self.new)
        target = self.look(names[1], hosts[1], returns=back)
        source = self.look(names[0], hosts[0], reachable=self.reached)
        if not self.reached:
            nothing: dict[str, Any] = {"licenses": [], "profiles": [], "users": [], "files": [], "pending": []}
            source = {**source, "overview": {"server": {"realm": None}, **nothing}, "fingerprint": {}, "places": {}}
        if self.reached:
            check_copies(pair_of(source, target, asked, {}, None, self.lab.clock()))
        quotes = []
        if self.reached or target["overview"]["licenses"]:
            shown = source["overview"]["licenses"] + source["overview"]["pending"]
            released = ["*"] if not self.reached else sorted({one["holder"] for one in shown if one["holder"]})
            quotes = (
                hosts[1]
                .manager.activate(
                    Activation(asked, realm=self.lab.realm, released_by=released, keep_profiles=back),
                    self.channel(online),
                    dry=True,
                )
                .results
            )
        known = {one.number: one.as_dict() for one in quotes if one.quote}
        return make_plan(pair_of(source, target, asked, known, None, self.lab.clock(), kept=back))

    def channel(self, online: bool) -> Any:
        return self.lab.channel() if online else self.lab.offline()

    def run(self, *numbers: str, back: bool = False, online: bool = True) -> str:
        """Migrate, or roll back; return the plan as it is shown."""
        plan = self.plan(*numbers, back=back, online=online)
        hosts = (self.new, self.old) if back else (self.old, self.new)
        if plan.deactivate:
            hosts[0].manager.deactivate(Deactivation(plan.deactivate), self.channel(online))
        change = hosts[1].manager.activate(
            Activation(declared(*numbers), realm=self.lab.realm, keep_profiles=back, returned=plan.returned),
            self.channel(online),
        )
        assert not change.requests or not online
        return plan_text(plan, *(("new", "old") if back else ("old", "new")))

    def told(self, *numbers: str, **options: Any) -> str:
        """What a run that is refused tells."""
        with pytest.raises(LicensingError) as refused:
            self.run(*numbers, **options)
        return str(refused.value)

    def holds(self, host: Host, *numbers: str) -> bool:
        """Whether a host, and no other, has licenses active."""
        other = self.new if host is self.old else self.old
        here, there = (served(one) for one in (host, other))
        return here == set(numbers or NUMBERS) and not here & there

    def spent(self) -> list[int]:
        """The transfers that each license has spent."""
        return [self.lab.spent(number) for number in NUMBERS]


def served(host: Host) -> set[str]:
    """The licenses that a host serves: another machine's nodelock is no license."""
    shown = host.overview["licenses"]
    return {one["number"] for one in shown if one["status"] == "Active" and not one["fenced"]}


def install(lab: CoreLab, host: Host) -> None:
    """Give a home the commands of the package, on the core as it is here, and the laboratory's authority."""
    settled = host.home.config() if (host.folder / "Config/server.json").exists() else Config()
    host.home.save(replace(settled, authority=f"ledger:{lab.ledger_path}"))
    core = Path(str(_licensing.__file__)).parents[6]
    for name in ("licman", "authority"):
        command = host.folder / "Bin" / name
        command.parent.mkdir(exist_ok=True)
        own = f" --home {HOME} --root {shlex.quote(str(host.root))}" if name == "licman" else ""
        script = f"import sys; from {_licensing.__name__}.cli import main; sys.exit(main([{name!r}, *sys.argv[1:]]))"
        command.write_text(
            f"#!/bin/sh\nPYTHONPATH={shlex.quote(str(core))} exec {sys.executable} -B -c {shlex.quote(script)} "
            f'"$@"{own}\n',
            encoding="utf-8",
        )
        command.chmod(0o755)


def copy(source: Host, target: Host, *parts: str) -> None:
    """Copy a home to another host, or parts of it, as ``cp -a`` does."""
    for part in parts or (".",):
        place = source.folder / part
        if place.is_dir():
            shutil.copytree(place, target.folder / part, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy2(place, target.folder / part)


def commands(text: str, begin: str) -> list[str]:
    """The commands of a message that begin so: up to a semicolon that is followed by words, a bracket, or its end."""
    pattern = rf"(?<![\w/-])({begin}.*?)(?:\)|; then |\. |\.?$)"
    return list(dict.fromkeys(re.findall(pattern, text, re.MULTILINE)))


def execute(found: Sequence[str]) -> None:
    """Do what a message says, in a shell; there is something to do, and it works."""
    assert found
    for command in found:
        subprocess.run(["/bin/sh", "-eu", "-c", command], check=True, stdin=subprocess.DEVNULL, timeout=60)


def ledger_of(pair: Pair, command: str) -> str:
    """A command of a message, with the ledger in the place of what stands for it."""
    return command.replace(" PATH", f" {pair.lab.ledger_path}")
