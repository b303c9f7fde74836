# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the controller only: checks what the inventory declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible import context
from ansible.utils.display import Display
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import (
    LicensingError,
    Problem,
    problems_of,
    quoted,
    redact,
    refuse,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._action import LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.clients import read_clients
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.holders import read_holders
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.hosts import read_hosts
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.moves import has_vendors, read_moves
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.pairs import check_names, read_pairs
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import (
    CLIENTS,
    TARGETS,
    HostVariables,
    variables_of,
)

COLLECTION = "aims.licensing."
display = Display()


class ActionModule(LicensingAction):
    """Returns the declared pairs, or fails with everything that is wrong."""

    options = frozenset(
        {"pairs", "hosts", "vault", "rehearsal", "runbook", "clients", "names", "holders", "groups", "checked"}
    )

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        if "checked" in self._task.args:
            return {"changed": False, **_left_out(self.flag("checked"), task_vars)}
        hostvars = task_vars["hostvars"]
        hosts = {str(name): variables_of(str(name), hostvars, self._templar) for name in hostvars}
        problems: list[Problem] = []
        lacking = self.vault.problem() if self.flag("vault") else None
        if lacking is not None:
            problems.append(lacking)
        problems += _limited([str(group) for group in self._task.args.get("groups") or ()], task_vars)
        declared: dict[str, Any] = {}
        try:
            declared = self._read(hosts, {name: [str(host) for host in at] for name, at in task_vars["groups"].items()})
        except LicensingError as error:
            problems.extend(error.problems)
        if problems:
            raise LicensingError(problems)
        return {"changed": False, **declared}

    def _read(self, hosts: Mapping[str, HostVariables], groups: Mapping[str, list[str]]) -> dict[str, Any]:
        """Return what the task asks for; refuse with everything that is wrong."""
        args, targets = self._task.args, groups.get(TARGETS, [])
        if self.flag("runbook"):
            return {"moves": read_moves(targets, hosts, required=True)}
        if self.flag("clients"):
            return {"client_servers": read_clients(groups.get(CLIENTS, []), targets, hosts)}
        if args.get("holders") is not None:
            return {"holders": read_holders([str(name) for name in args["holders"]], targets, hosts)}
        if self.flag("pairs", True):
            return _read_declared(targets, hosts, self.flag("rehearsal"))
        if args.get("names") is not None:
            check_names([str(name) for name in args["names"]], hosts)
            return {}
        return {"servers": read_hosts([str(name) for name in args.get("hosts", [])], hosts)}


def _read_declared(targets: Sequence[str], hosts: Mapping[str, HostVariables], rehearsal: bool) -> dict[str, Any]:
    """Return the pairs of bundled license servers, and the moves of the vendor's."""
    vendors = [] if rehearsal else [target for target in targets if has_vendors(hosts[target])]
    bundled = [target for target in targets if target not in vendors]
    declared: dict[str, Any] = {"pairs": {}, "moves": {}}

    def read(key: str, reader: Callable[[], dict[str, Any]]) -> None:
        declared[key] = reader()

    problems = problems_of(
        (
            lambda: read("moves", lambda: read_moves(vendors, hosts)),
            lambda: read("pairs", lambda: read_pairs(bundled, hosts, rehearsal)) if bundled or not vendors else None,
        )
    )
    if problems:
        raise LicensingError(problems)
    return declared


def _limited(groups: Sequence[str], task_vars: Mapping[str, Any]) -> list[Problem]:
    """Return the problem of a limit that excludes every host of the playbook's groups."""
    members = list(dict.fromkeys(str(name) for group in groups for name in task_vars["groups"].get(group, [])))
    if not members or set(members) & {str(name) for name in task_vars["ansible_play_hosts_all"]}:
        return []
    limit = quoted(str(context.CLIARGS.get("subset") or ""))
    known = ", ".join(members[:10]) + (", ..." if len(members) > 10 else "")
    names = " and ".join(groups)
    todo = f"Limit the run to hosts of {names}: {known}."
    if groups == [TARGETS]:
        todo += " Each includes its source."
    return [Problem(f"The limit {limit} excludes every host of the group {names}.", "command line", todo)]


def _left_out(checked: bool, task_vars: Mapping[str, Any]) -> dict[str, Any]:
    """Fail if the tags skip the whole playbook, or warn if another playbook imports it."""
    if checked:
        return {}
    tags = ", ".join(str(tag) for tag in task_vars.get("ansible_run_tags", []))
    skipped = ", ".join(str(tag) for tag in task_vars.get("ansible_skip_tags", []))
    options = " ".join(filter(None, [f"--tags {tags}", f"--skip-tags {skipped}" if skipped else ""]))
    error = refuse(
        f"The tags of this run ({redact(options)}) skip the whole playbook: nothing was done.",
        "command line",
        "Run it without these tags. The collection has only the tag prepare, in the playbook rehearse.",
    )
    # A playbook that imports ours may select other parts of itself.
    if any(str(name).startswith(COLLECTION) for name in context.CLIARGS.get("args") or ()):
        raise error
    display.warning(str(error))
    return {"skipped": True}
