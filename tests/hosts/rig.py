# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A laboratory of fresh hosts over SSH: the inventory, playbook runs, and looks at the hosts by what Debian brings."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hosts.machines import OFFLINE, Machine, Site
from support.lab import HOME, WORKED_EXAMPLE, Lab
from support.runs import Run, Started

SERVICE = "aims-license-server.service"
AUTHORITY = "aims-license-authority.service"
# on the host ``authority``, where there is one
LEDGER = "/var/lib/aims-license-authority/authority.db"
COMMANDS = "/opt/aims-license-authority/Bin"
_TRANSFERS = """
import contextlib, json, sqlite3, sys
query = "SELECT number, (SELECT count(*) FROM transfer WHERE transfer.number = license.number) FROM license"
with contextlib.closing(sqlite3.connect(f"file:{sys.argv[1]}?mode=rw", uri=True)) as ledger:
    print(json.dumps(dict(ledger.execute(query).fetchall())))
"""
_HELD = """
import json, pathlib, sys
home = pathlib.Path(sys.argv[1])
fenced = json.loads((home / "Config/server.json").read_text())["fenced"]
print(*{json.loads(lock.read_text())["body"]["number"] for lock in home.glob("Nodelocks/*.lock")} - set(fenced))
"""


@dataclass(frozen=True)
class Reply:
    """What a web server said; the status is 0 where there was none, and ``error`` says why."""

    status: int
    text: str
    error: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class _Started(Started):
    patience = 900.0


class Rig(Lab):
    """Hosts ``source`` and ``target`` (and others) with an inventory over SSH; leaving it takes them away.

    :param site: where the hosts are made
    :param folder: the controller's files; it is made anew
    :param places: the network of each host by its name
    """

    def __init__(self, site: Site, folder: Path, **places: str) -> None:
        self.site = site
        self.machines = site.boot(**places)
        if OFFLINE in places.values():
            site.open_offline()
        for machine in self.machines.values():
            machine.wait()
        super().__init__(folder, "source", "target")

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, *_error: object) -> None:
        self.site.remove(list(self.machines))

    def __getitem__(self, name: str) -> Machine:
        return self.machines[name]

    # What a laboratory of folders does otherwise

    def make_root(self, host: str) -> None:
        """Hosts have a root of their own; only folders of this machine need one made."""
        if host not in self.machines:
            super().make_root(host)

    def worked_example(self) -> dict[str, Any]:
        inventory = super().worked_example()
        variables = inventory["all"]["vars"]
        del variables["ansible_connection"], variables["aims_license_server_root"]
        variables["ansible_python_interpreter"] = "/usr/bin/python3"
        variables["ansible_become"] = True
        # declared for all, because source and target are set up from them
        variables["aims_license_server_licenses"] = [
            {**license, "activation_code": f"{{{{ vault_{license['profile'].lower()} }}}}"}
            for license in WORKED_EXAMPLE
        ]
        for group in inventory["all"]["children"].values():
            for name, host in group["hosts"].items():
                host["ansible_host"] = self.machines[name].address
                host.pop("aims_license_server_licenses", None)
        others = {name: one for name, one in self.machines.items() if name not in (self.source, self.target)}
        inventory["all"]["hosts"] = {name: {"ansible_host": one.address} for name, one in others.items()}
        return inventory

    def _write_config(self) -> None:
        super()._write_config()
        config = self.folder / "ansible.cfg"
        kept = [line for line in config.read_text(encoding="utf-8").splitlines() if not line.startswith("remote_tmp")]
        text = "\n".join(kept).replace("pipelining = true", "pipelining = false")
        ssh = f"-F {self.site.ssh_config} -o ControlMaster=auto -o ControlPersist=60s"
        config.write_text(f"{text}\n[ssh_connection]\nssh_args = {ssh}\n", encoding="utf-8")

    def start(self, playbook: str, *options: str, **environment: str) -> Started:
        name = playbook if playbook.endswith(".yml") else f"aims.licensing.{playbook}"
        command = [str(Path(sys.executable).with_name("ansible-playbook")), name, *options]
        return _Started(command, self.folder, {**self.environment(), **environment})

    def play(self, playbook: str, *options: str, **environment: str) -> Run:
        started = self.start(playbook, *options, **environment)
        try:
            return started.wait()
        except BaseException:
            # Ctrl-C does not reach it, as it is a session of its own
            started.kill()
            raise

    # Looks at the hosts, by nothing of the collection's own but the commands that it installs

    def licman(self, host: str, *options: str) -> dict[str, Any]:
        answer = self[host].ask(f"sudo -n {HOME}/Bin/licman {' '.join(options)} --json")
        parsed: dict[str, Any] = answer.json
        return parsed

    def held(self, host: str) -> set[str]:
        """The licenses that a host holds live (nodelocked, not fenced), read from its files."""
        return set(self[host].run(f"sudo -n python3 - {HOME}", _HELD).split())

    def transfers(self) -> dict[str, int]:
        if "authority" not in self.machines:
            return super().transfers()
        counted: dict[str, int] = json.loads(self["authority"].run(f"sudo -n python3 - {LEDGER}", _TRANSFERS))
        return counted

    def digests(self, host: str, *places: str) -> dict[str, str]:
        """Everything below some places of a host: its kind, mode, owner and content, by its path.

        But for logs and the history of the use, which a server may write at any time.
        """
        found = {}
        find = f"sudo -n find {' '.join(places)} -not -path '*/Logging/*' -not -path '*/Seats/history.json'"
        for line in self[host].run(f"{find} -printf '%p\\t%M %u:%g %l\\n'").splitlines():
            path, about = line.split("\t")
            found[path] = about
        for line in self[host].run(f"{find} -type f -exec sha256sum {{}} +").splitlines():
            digest, path = line.split(maxsplit=1)
            found[path] += f" {digest}"
        return found

    def unit(self, host: str, name: str = SERVICE) -> dict[str, str]:
        """What systemd says of a unit: its properties, and whether it is enabled and active."""
        shown = self[host].run(f"systemctl show {name} --property=MainPID,NRestarts,User,FragmentPath,SubState,Result")
        about = dict(line.split("=", 1) for line in shown.splitlines())
        for question in ("is-enabled", "is-active"):
            about[question] = self[host].ask(f"systemctl {question} {name}").stdout.strip()
        return about

    def curl(self, host: str, url: str, method: str = "GET", body: object = None) -> Reply:
        """Ask a web server from a host."""
        options = f"--silent --show-error --max-time 10 --request {method} --write-out '\\n%{{http_code}}'"
        if body is not None:
            options += " --data @- --header 'Content-Type: application/json'"
        answer = self[host].ask(f"curl {options} '{url}'", "" if body is None else json.dumps(body))
        text, _line, status = answer.stdout.rpartition("\n")
        return Reply(int(status), text, answer.stderr.strip())
