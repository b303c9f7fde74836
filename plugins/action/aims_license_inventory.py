# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the controller only: checks what the inventory declares."""

from __future__ import annotations

from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, Problem
from ansible_collections.aims.licensing.plugins.plugin_utils._action import LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory import (
    TARGETS,
    HostVariables,
    check_names,
    read_hosts,
    read_pairs,
)


class ActionModule(LicensingAction):
    """Returns the declared pairs, or everything that is wrong."""

    options = frozenset({"pairs", "hosts", "vault", "rehearsal", "names"})

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        hostvars = task_vars["hostvars"]
        hosts = {str(name): self._variables(str(name), hostvars) for name in hostvars}
        problems: list[Problem] = []
        lacking = self.vault.problem() if self.flag("vault") else None
        if lacking is not None:
            problems.append(lacking)
        found: dict[str, Any] = {}
        try:
            if self.flag("pairs", True):
                targets = [str(name) for name in task_vars["groups"].get(TARGETS, [])]
                found = {"pairs": read_pairs(targets, hosts, self.flag("rehearsal"))}
            elif self._task.args.get("names") is not None:
                check_names([str(name) for name in self._task.args["names"]], hosts)
            else:
                found = {"servers": read_hosts([str(name) for name in self._task.args.get("hosts", [])], hosts)}
        except LicensingError as error:
            problems.extend(error.problems)
        if problems:
            raise LicensingError(problems)
        return {"changed": False, **found}

    def _variables(self, host: str, hostvars: Any) -> HostVariables:
        def raw(name: str) -> Any:
            return hostvars.raw_get(host)[name]

        def resolve(part: Any) -> Any:
            variables = {**hostvars.raw_get(host), "hostvars": hostvars}
            return self._templar.copy_with_new_env(available_variables=variables).template(part)

        return HostVariables(host, list(hostvars[host]), hostvars[host].__getitem__, raw, resolve)
