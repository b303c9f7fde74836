# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A laboratory of hosts as alternate roots on this machine, and ansible-playbook runs over them."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

HOME = "/opt/aims-license-server"
# DOMAIN.md, the worked example; the dates are relative to today, because the real ones lie in the past.
WORKED_EXAMPLE: list[dict[str, Any]] = [
    {"number": "015.120.064.022", "profile": "PROServer"},
    {"number": "015.120.065.016", "profile": "PROSession", "default": True},
    {"number": "015.120.055.014", "profile": "Client", "default": True},
]
GRANTS = {
    "015.120.064.022": {"type": "AIMMS - PRO Server", "seats": 100},
    "015.120.065.016": {"type": "AIMMS Network - PRO Session", "seats": 8},
    "015.120.055.014": {"type": "AIMMS Network - PRO Client", "seats": 10},
}
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def new_code() -> str:
    """Return an activation code of the documented form."""
    return "-".join("".join(secrets.choice(_ALPHABET) for place in range(5)) for group in range(5))


@dataclass(frozen=True)
class Run:
    """A finished ansible-playbook run."""

    code: int
    output: str

    def recap(self) -> dict[str, dict[str, int]]:
        """Return the counts of the recap by host."""
        counts = {}
        for host, rest in re.findall(r"^(\S+)\s+: (ok=.*)$", self.output, re.MULTILINE):
            counts[host] = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", rest)}
        return counts

    @property
    def changed(self) -> int:
        """How many tasks changed something, over all hosts."""
        return sum(counts["changed"] for counts in self.recap().values())


class Lab:
    """Hosts ``old`` and ``new`` (or others) under one folder, with an inventory, a vault password and an authority.

    :param folder: everything lies in it; it is made anew
    """

    def __init__(self, folder: Path, source: str = "old", target: str = "new") -> None:
        self.folder = folder
        self.source, self.target = source, target
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        for host in (source, target):
            self.make_root(host)
        self.codes = {license["number"]: new_code() for license in WORKED_EXAMPLE}
        self._write_vault()
        self.inventory = self.worked_example()
        self.write_inventory()
        self._write_config()

    def root(self, host: str) -> Path:
        return self.folder / "hosts" / host

    def home(self, host: str) -> Path:
        return self.root(host) / HOME.lstrip("/")

    @property
    def work(self) -> Path:
        """The folder for bundles, requests and reports (aims_license_migrate_dir)."""
        return self.folder / "aims-license"

    @property
    def ledger(self) -> Path:
        return self.folder / "authority.db"

    def make_root(self, host: str) -> None:
        etc = self.root(host) / "etc"
        etc.mkdir(parents=True)
        (etc / "machine-id").write_text(f"{secrets.token_hex(16)}\n", encoding="utf-8")

    def worked_example(self) -> dict[str, Any]:
        """Return the inventory of the worked example, as data."""
        licenses = [
            {**license, "activation_code": f"{{{{ {_variable(license['profile'])} }}}}"} for license in WORKED_EXAMPLE
        ]
        return {
            "all": {
                "vars": {
                    "ansible_connection": "local",
                    "ansible_python_interpreter": sys.executable,
                    "aims_license_server_backend": "bundled",
                    "aims_license_server_home": HOME,
                    "aims_license_server_root": f"{self.folder}/hosts/{{{{ inventory_hostname }}}}",
                    "aims_license_server_authority": f"ledger:{self.ledger}",
                    "aims_license_migrate_dir": str(self.work),
                },
                "children": {
                    "aims_license_sources": {"hosts": {self.source: {}}},
                    "aims_license_targets": {
                        "hosts": {
                            self.target: {
                                "aims_license_migrate_source": self.source,
                                "aims_license_migrate_rehearse_licenses": GRANTS,
                                "aims_license_server_licenses": licenses,
                            }
                        }
                    },
                },
            }
        }

    @property
    def target_vars(self) -> dict[str, Any]:
        """The target's variables in the inventory; call :meth:`write_inventory` after changing them."""
        variables: dict[str, Any] = self.inventory["all"]["children"]["aims_license_targets"]["hosts"][self.target]
        return variables

    def write_inventory(self) -> None:
        (self.folder / "inventory.yml").write_text(yaml.safe_dump(self.inventory, sort_keys=False), encoding="utf-8")

    def _write_vault(self) -> None:
        password = secrets.token_urlsafe(24)
        file = self.folder / "vault-password"
        file.touch(mode=0o600)
        file.write_text(f"{password}\n", encoding="utf-8")
        codes = {_variable(license["profile"]): self.codes[license["number"]] for license in WORKED_EXAMPLE}
        vault = VaultLib([("default", VaultSecret(password.encode()))])
        place = self.folder / "group_vars" / "all"
        place.mkdir(parents=True)
        (place / "vault.yml").write_bytes(vault.encrypt(yaml.safe_dump(codes)))

    def _write_config(self) -> None:
        (self.folder / "ansible.cfg").write_text(
            "[defaults]\n"
            f"inventory = {self.folder}/inventory.yml\n"
            f"vault_password_file = {self.folder}/vault-password\n"
            f"home = {self.folder}/ansible\n"
            "retry_files_enabled = false\nlocalhost_warning = false\n"
            "[connection]\npipelining = true\n",
            encoding="utf-8",
        )

    def environment(self) -> dict[str, str]:
        """The environment of the runs."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        return {
            **kept,
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": os.environ.get("ANSIBLE_COLLECTIONS_PATH", ""),
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
        }

    def play(self, playbook: str, *options: str, **environment: str) -> Run:
        """Run a playbook of the collection (or a file) to its end."""
        name = playbook if playbook.endswith(".yml") else f"aims.licensing.{playbook}"
        command = [str(Path(sys.executable).with_name("ansible-playbook")), name, *options]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**self.environment(), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        return Run(done.returncode, done.stdout)

    def licman(self, host: str, *options: str) -> dict[str, Any]:
        """Return what the installed licman of a host prints as JSON."""
        command = [str(self.home(host) / "Bin" / "licman"), *options, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        parsed: dict[str, Any] = json.loads(done.stdout)
        return parsed

    def overview(self, host: str) -> dict[str, Any]:
        overview: dict[str, Any] = self.licman(host, "--overview")["overview"]
        return overview


def _variable(profile: str) -> str:
    return f"vault_{profile.lower()}"
