# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs of hosts as alternate roots, each on a Python of its own, with one controller for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playbooks.serving import Authority
from support.lab import NUMBERS, Lab
from support.licsrv import free_address
from support.runs import Started

# Should a walk be killed, what it started ends by itself.
LIFETIME = 1800


@dataclass(frozen=True)
class Column:
    """What the hosts of a pair run on.

    :ivar name: how the table names it
    :ivar source: the source's interpreter
    :ivar target: the target's interpreter
    """

    name: str
    source: str
    target: str


class Pair(Lab):
    """Hosts ``oldN`` and ``newN`` that run license servers, and a ledger; see :class:`Pairs` for the controller.

    :ivar numbers: its licenses: those of the worked example, with numbers of its own
    """

    def __init__(self, folder: Path, number: int, column: Column) -> None:
        self.column = column
        self._own = {one: f"{number:03}{one[3:]}" for one in NUMBERS}
        self.numbers = list(self._own.values())
        super().__init__(folder, f"old{number}", f"new{number}")
        self.serve(LIFETIME, **{self.source: free_address(), self.target: free_address()})

    def worked_example(self) -> dict[str, Any]:
        made = super().worked_example()
        groups = made["all"]["children"]
        del made["all"]["vars"]["aims_license_migrate_dir"]
        groups["aims_license_sources"]["hosts"][self.source]["ansible_python_interpreter"] = self.column.source
        variables = groups["aims_license_targets"]["hosts"][self.target]
        variables["ansible_python_interpreter"] = self.column.target
        declared, grants = "aims_license_server_licenses", "aims_license_migrate_rehearse_licenses"
        variables[declared] = [{**one, "number": self._own[one["number"]]} for one in variables[declared]]
        variables[grants] = {self._own[one]: grant for one, grant in variables[grants].items()}
        return made

    def runs_on(self, host: str) -> str:
        """The interpreter that a host's license server runs on, as the kernel says; empty where it does not run."""
        process = self.service_of(host)
        return "" if process is None else str(Path(f"/proc/{process}/exe").readlink())

    def https(self) -> Authority:
        """The authority of the pair behind HTTPS: the command that was installed on the source, on its Python."""
        command = [str(self.home(self.source) / "Bin" / "authority")]
        return Authority(self, "--stop-after", str(LIFETIME), command=command)


class Pairs(Lab):
    """A controller for several pairs: their inventories as one.

    :param folder: everything lies in it; it is made anew
    :param columns: the pairs to make
    """

    def __init__(self, folder: Path, columns: list[Column]) -> None:
        self.pairs = [Pair(folder / f"pair{number}", number, column) for number, column in enumerate(columns, 1)]
        super().__init__(folder / "controller")
        self._settings["AIMS_LICSRV_STOP_AFTER"] = str(LIFETIME)

    def make_root(self, host: str) -> None:
        """Each pair has roots of its own."""

    def _write_vault(self) -> None:
        super()._write_vault()
        (self.folder / "group_vars" / "all" / "vault.yml").unlink()
        for number, pair in enumerate(self.pairs, 1):
            codes = pair.secrets().decrypt((pair.folder / "group_vars" / "all" / "vault.yml").read_bytes())
            place = self.folder / "group_vars" / f"pair{number}"
            place.mkdir()
            (place / "vault.yml").write_bytes(self.secrets().encrypt(codes))

    def worked_example(self) -> dict[str, Any]:
        """Return the inventories of the pairs as one, in which each is a group with its variables."""
        groups: dict[str, Any] = {"aims_license_sources": {"hosts": {}}, "aims_license_targets": {"hosts": {}}}
        for number, pair in enumerate(self.pairs, 1):
            its = pair.inventory["all"]
            for group in ("aims_license_sources", "aims_license_targets"):
                groups[group]["hosts"].update(its["children"][group]["hosts"])
            groups[f"pair{number}"] = {"hosts": {pair.source: {}, pair.target: {}}, "vars": its["vars"]}
        return {"all": {"vars": {"aims_license_migrate_dir": str(self.work)}, "children": groups}}

    def write_inventory(self) -> None:
        self.inventory = self.worked_example()
        super().write_inventory()

    def start(self, playbook: str, *options: str, **environment: str) -> Started:
        started = super().start(playbook, *options, **environment)
        started.patience = LIFETIME
        return started

    def stop_services(self) -> None:
        for pair in self.pairs:
            pair.stop_services()
