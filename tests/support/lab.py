# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A laboratory of hosts as alternate roots on this machine, and ansible-playbook runs over them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from support.module_cache import module_cache
from support.runs import Run, Started
from support.worked_example import GRANTS, HOME, NUMBERS, WORKED_EXAMPLE, new_code

CHECKOUT = Path(__file__).resolve().parents[2]
# Registered on the rehearsed source; no license declares them, so a migration has to find and carry them.
USERS = ["AIMS\\anna", "AIMS\\bert"]


class Lab:
    """Hosts ``old`` and ``new`` (or others) under one folder, with an inventory, a vault password and an authority.

    :param folder: everything lies in it; it is made anew
    """

    def __init__(self, folder: Path, source: str = "old", target: str = "new") -> None:
        self.folder = folder
        self.source, self.target = source, target
        self._settings: dict[str, str] = {}
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        for host in (source, target):
            self.make_root(host)
        self.codes = {number: new_code() for number in NUMBERS}
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

    def serve(self, seconds: float, **addresses: str) -> None:
        """Have the hosts run the real license server, as processes that stop by themselves after some time.

        :param addresses: host name → loopback address, on which nothing else may listen at its ports
        """
        self._settings["AIMS_LICSRV_STOP_AFTER"] = str(seconds)
        self.inventory["all"]["vars"]["aims_license_server_service"] = "process"
        for group in self.inventory["all"]["children"].values():
            for host, variables in group["hosts"].items():
                at = addresses[host]
                variables["aims_license_server_listen"] = {"clients": at, "management": at}
        self.write_inventory()

    def start_service(self, host: str) -> None:
        """Start the license server of a host that has one installed, as its boot would, and wait until it answers."""
        command = [str(self.home(host) / "Bin" / "licsrv")]
        null = subprocess.DEVNULL
        # The shell ends at once, so that the server is nobody's child here.
        subprocess.run(
            ["/bin/sh", "-c", '"$0" &', *command],
            env=self.environment(),
            stdin=null,
            stdout=null,
            stderr=null,
            start_new_session=True,
            check=True,
        )
        until = time.monotonic() + 60
        while not self.overview(host)["server"]["running"]:
            if time.monotonic() > until:
                raise TimeoutError(f"The license server of {host} does not answer.")

    def stop_services(self) -> None:
        """End the license servers of the hosts, and wait until they have ended."""
        for host in (self.source, self.target):
            process = self.service_of(host)
            if process is not None:
                os.kill(process, signal.SIGTERM)
            while self.service_of(host) is not None:
                time.sleep(0.02)

    def service_of(self, host: str) -> int | None:
        """The process of a host's license server, or None where it does not run."""
        home = str(self.root(host)).encode()
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (place / "cmdline").read_bytes().split(b"\0")
                if b"licsrv" in command and home in command:
                    return int(place.name)
        return None

    @property
    def target_vars(self) -> dict[str, Any]:
        """The target's variables in the inventory; call :meth:`write_inventory` after changing them."""
        variables: dict[str, Any] = self.inventory["all"]["children"]["aims_license_targets"]["hosts"][self.target]
        return variables

    def declare(self, *numbers: str) -> Lab:
        """Declare these licenses of the worked example, and no others."""
        variables = self.worked_example()["all"]["children"]["aims_license_targets"]["hosts"][self.target]
        licenses = [license for license in variables["aims_license_server_licenses"] if license["number"] in numbers]
        self.target_vars["aims_license_server_licenses"] = licenses
        self.write_inventory()
        return self

    def declare_digits(self) -> None:
        """Declare the licenses, also those of further profiles, by the twelve digits, which are taken too."""
        declared = self.target_vars
        entries = [(one, "number") for one in declared["aims_license_server_licenses"]]
        entries += [(one, "license") for one in declared.get("aims_license_server_profiles", [])]
        for one, key in entries:
            one[key] = one[key].replace(".", "")
        self.write_inventory()

    def go_offline(self) -> None:
        """Declare that no host reaches an authority and, where a host has one by now, which realm they honour."""
        variables = self.inventory["all"]["vars"]
        variables["aims_license_server_authority"] = "offline"
        for config in sorted(self.folder.glob(f"hosts/*{HOME}/Config/server.json")):
            realm = json.loads(config.read_text(encoding="utf-8"))["realm"]
            if realm is not None:
                variables.setdefault("aims_license_server_realm", {key: realm[key] for key in ("name", "key")})
        self.write_inventory()

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
            f"remote_tmp = {self.folder}/tmp\n"
            "retry_files_enabled = false\nlocalhost_warning = false\n"
            "[connection]\npipelining = true\n",
            encoding="utf-8",
        )

    def copy_to(self, folder: Path) -> Lab:
        """Return a copy of this laboratory: the same hosts, codes and ledger in another place."""
        other = object.__new__(Lab)
        other.__dict__.update(self.__dict__)
        other.folder = folder
        shutil.copytree(self.folder, folder, symlinks=True)
        here, there = str(self.folder).encode(), str(folder).encode()
        places = [folder / "inventory.yml", folder / "ansible.cfg", *folder.glob("hosts/*/opt/*/Config/server.json")]
        for place in places:
            place.write_bytes(place.read_bytes().replace(here, there))
        other.inventory = yaml.safe_load((folder / "inventory.yml").read_text(encoding="utf-8"))
        return other

    def environment(self) -> dict[str, str]:
        """The environment of the runs: nothing of the caller's settings, and no other way to the collection."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHON"))}
        return {
            **kept,
            **self._settings,
            # A bench measures what a user waits for.
            **(module_cache() if "PYTEST_VERSION" in os.environ else {}),
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".build" / "collections"),
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
        }

    def start(self, playbook: str, *options: str, **environment: str) -> Started:
        """Begin to run a playbook of the collection (or a file)."""
        name = playbook if playbook.endswith(".yml") else f"aims.licensing.{playbook}"
        command = [str(Path(sys.executable).with_name("ansible-playbook")), name, *options]
        return Started(command, self.folder, {**self.environment(), **environment})

    def play(self, playbook: str, *options: str, **environment: str) -> Run:
        """Run a playbook of the collection (or a file) to its end."""
        return self.start(playbook, *options, **environment).wait()

    def write_play(self, name: str, hosts: str, tasks: list[dict[str, Any]], **keywords: Any) -> str:
        """Write a playbook of one play; return its name for :meth:`play`."""
        play = {"name": name, "hosts": hosts, "gather_facts": False, **keywords, "tasks": tasks}
        (self.folder / f"{name}.yml").write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
        return f"{name}.yml"

    def secrets(self) -> VaultLib:
        """What decrypts with the laboratory's vault password."""
        password = (self.folder / "vault-password").read_text(encoding="utf-8").strip()
        return VaultLib([("default", VaultSecret(password.encode()))])

    def licman(self, host: str, *options: str) -> dict[str, Any]:
        """Return what the installed licman of a host prints as JSON."""
        command = [str(self.home(host) / "Bin" / "licman"), *options, "--json"]
        # Where it is run, it leaves its request files.
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=60)
        parsed: dict[str, Any] = json.loads(done.stdout)
        return parsed

    def overview(self, host: str) -> dict[str, Any]:
        overview: dict[str, Any] = self.licman(host, "--overview")["overview"]
        return overview

    def profiles(self, host: str) -> list[tuple[str, str, bool]]:
        """The profiles of a host in their order: name, license, and whether it is a default."""
        shown = self.overview(host)["profiles"]
        return [(profile["name"], profile["license"], profile["default"]) for profile in shown]

    def authority(self, *options: str, host: str | None = None) -> Any:
        """Return what the installed authority command prints as JSON, for this laboratory's ledger."""
        command = [str(self.home(host or self.source) / "Bin" / "authority"), *options]
        command += ["--ledger", str(self.ledger), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        return json.loads(done.stdout)

    def transfers(self) -> dict[str, int]:
        """How many transfers each license has spent, read from the ledger's tables and not by our own code."""
        query = "SELECT number, (SELECT count(*) FROM transfer WHERE transfer.number = license.number) FROM license"
        # Not read-only: where a transaction was cut off, the first reader takes it back.
        with contextlib.closing(sqlite3.connect(f"file:{self.ledger}?mode=rw", uri=True)) as ledger:
            return dict(ledger.execute(query).fetchall())

    def held(self, host: str) -> set[str]:
        """The licenses that a host holds live (nodelocked, not fenced), read from its files and not by our own code."""
        home = self.home(host)
        config = home / "Config" / "server.json"
        fenced = json.loads(config.read_text(encoding="utf-8"))["fenced"] if config.exists() else {}
        numbers = {json.loads(lock.read_bytes())["body"]["number"] for lock in home.glob("Nodelocks/*.lock")}
        return numbers - set(fenced)

    def tree(self, *places: Path, times: bool = True) -> dict[str, Any]:
        """Everything below some places: kind, mode, content and when it was written."""
        found: dict[str, Any] = {}
        for place in places:
            for path in [place, *sorted(place.rglob("*"))] if place.exists() else []:
                state = path.lstat()
                seen: list[Any] = [stat.filemode(state.st_mode)]
                if path.is_symlink():
                    seen.append(str(path.readlink()))
                elif path.is_file():
                    seen.append(hashlib.sha256(path.read_bytes()).hexdigest())
                    seen += [state.st_mtime_ns] if times else []
                found[str(path.relative_to(self.folder))] = seen
        return found

    def everything(self) -> dict[str, Any]:
        """The state of the hosts, the ledger and what lies on the controller."""
        return self.tree(self.folder / "hosts", self.work, self.ledger)


def _variable(profile: str) -> str:
    return f"vault_{profile.lower()}"
