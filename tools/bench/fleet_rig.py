# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many pairs of fresh hosts over SSH and an authority for all, which can be put back to before the migration."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.aims.licensing.plugins.plugin_utils._package import build_package
from bench.run import Execution
from hosts.image import Missing
from hosts.machines import ONLINE, Machine, Site, podman
from hosts.rig import AUTHORITY, LEDGER, SERVICE, Rig
from hosts.walks import URL, serve_authority
from support.lab import GRANTS, HOME, USERS, WORKED_EXAMPLE, new_code
from support.runs import Run, must

INSTALLER = "license-server-installer.pyz"
_KEPT = "/var/lib/aims-bench"
# Users are registered by hand there; no license declares them, so that a migration has to carry them.
_KEEP_SOURCE = f"""
systemctl stop {SERVICE}
python3 - {HOME}/Config/server.json <<'END'
import json, sys
with open(sys.argv[1], "r+") as file:
    config = json.load(file)
    config["users"] = {USERS!r}
    file.seek(0)
    json.dump(config, file)
    file.truncate()
END
mkdir -p {_KEPT}
tar -C {HOME} -cf {_KEPT}/home.tar .
systemctl start {SERVICE}
"""
_PUT_SOURCE_BACK = f"""
systemctl stop {SERVICE}
rm -rf {HOME} /root/license-server.tar.gz
mkdir {HOME}
tar -C {HOME} -xpf {_KEPT}/home.tar
systemctl reset-failed {SERVICE} 2> /dev/null || true
systemctl start {SERVICE}
"""
_PUT_TARGET_BACK = f"""
if [ -e /etc/systemd/system/{SERVICE} ]; then
    systemctl disable --quiet --now {SERVICE}
    rm /etc/systemd/system/{SERVICE}
    systemctl daemon-reload
fi
rm -rf {HOME} /root/{INSTALLER} /etc/sysusers.d/aims-license*
if getent passwd aims-license > /dev/null; then userdel aims-license; fi
"""
_KEEP_LEDGER = f"""
systemctl stop {AUTHORITY}
mkdir -p {_KEPT}
cp -a {LEDGER} {_KEPT}/authority.db
systemctl start {AUTHORITY}
"""
_PUT_LEDGER_BACK = f"""
systemctl stop {AUTHORITY}
rm -f {LEDGER}-wal {LEDGER}-shm
cp -a {_KEPT}/authority.db {LEDGER}
systemctl start {AUTHORITY}
"""
# What runs a module there first writes down where, when and which.
_PYTHON, _COUNTED = "/usr/bin/python3", "/usr/local/bin/counted-python"
_SHELL = "#!/bin/sh"
_COUNT = f"""
cat > {_COUNTED} <<'END'
{_SHELL}
echo "$(date +%s%N) ${{1:--}}" >> /root/executions
exec {_PYTHON} "$@"
END
chmod 755 {_COUNTED}
rm -f /root/executions
"""
_INSTALL = '''\
"""Installs a license server, starts it, and has it started at boot, as a vendor's package does."""

import argparse
import json
import sys
import tempfile
import zipfile
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--home")
parser.add_argument("--authority")
options = parser.parse_args()
with zipfile.ZipFile(sys.argv[0]) as archive, tempfile.TemporaryDirectory() as folder:
    content, realm = archive.read("package.pyz"), json.loads(archive.read("realm.json"))
    package = Path(folder) / "package.pyz"
    package.write_bytes(content)
    sys.path.insert(0, str(package))
    from aims_licensing import VERSION
    from aims_licensing.documents import Realm
    from aims_licensing.manager.install import Package, Settings, install
    from aims_licensing.store import Home

    settings = Settings(authority=options.authority, realm=Realm.from_dict(realm, "realm.json"))
    install(Home(options.home, ""), Package(VERSION, content), settings)
'''


def check_limits(pairs: int) -> None:
    """Say where the kernel would not let so many hosts boot.

    :raises Missing: with the command that lets it
    """
    hosts = 2 * pairs + 1
    file = Path("/proc/sys/fs/inotify/max_user_instances")
    # eight for each host, and as many as a machine in use has
    wanted, limit = 8 * hosts + 100, int(file.read_text(encoding="utf-8"))
    if limit < wanted:
        todo = f"Run sysctl fs.inotify.max_user_instances={wanted}, or take fewer pairs."
        raise Missing(
            f"{hosts} hosts with systemd want {wanted} inotify instances; this machine allows {limit}. {todo}"
        )


def _processor_seconds(group: str) -> float:
    """How long a control group has had a processor, by either hierarchy."""
    former = Path(f"/sys/fs/cgroup/cpuacct{group}/cpuacct.usage")
    if former.exists():
        return int(former.read_text(encoding="utf-8")) / 1e9
    stat = Path(f"/sys/fs/cgroup{group}/cpu.stat").read_text(encoding="utf-8").split()
    return int(stat[stat.index("usage_usec") + 1]) / 1e6


def licenses_of(pair: int) -> list[dict[str, Any]]:
    """The licenses of a pair: those of the worked example, with numbers of its own."""
    return [{**license, "number": f"{pair:03}{license['number'][3:]}"} for license in WORKED_EXAMPLE]


class Fleet(Rig):
    """Sources ``source01``… and targets ``target01``…, all of them the worked example, and the host ``authority``.

    :param pairs: how many there are; an inventory may name fewer (:meth:`choose`)
    :param forks: how many hosts a playbook works on at once
    """

    def __init__(self, site: Site, folder: Path, pairs: int, forks: int) -> None:
        self.pairs, self.forks = pairs, forks
        hosts = [f"{kind}{pair:02}" for pair in range(1, pairs + 1) for kind in ("source", "target")]
        super().__init__(site, folder, authority=ONLINE, **dict.fromkeys(hosts, ONLINE))

    def _write_vault(self) -> None:
        self.codes = {one["number"]: new_code() for pair in range(1, self.pairs + 1) for one in licenses_of(pair)}
        (self.folder / "vault-password").touch(mode=0o600)
        (self.folder / "vault-password").write_text("the hosts are gone before anybody reads this\n", encoding="utf-8")
        vault = VaultLib([("default", VaultSecret(b"the hosts are gone before anybody reads this"))])
        place = self.folder / "group_vars" / "all"
        place.mkdir(parents=True)
        (place / "vault.yml").write_bytes(vault.encrypt(yaml.safe_dump({"vault_codes": self.codes})))

    def worked_example(self) -> dict[str, Any]:
        sources, targets = {}, {}
        for pair in range(1, self.pairs + 1):
            source, target = self.pair(pair)
            declared = [
                {**one, "activation_code": f"{{{{ vault_codes['{one['number']}'] }}}}"} for one in licenses_of(pair)
            ]
            grants = {f"{pair:03}{number[3:]}": grant for number, grant in GRANTS.items()}
            sources[source.name] = {"ansible_host": source.address, "aims_license_server_licenses": declared}
            targets[target.name] = {
                "ansible_host": target.address,
                "aims_license_migrate_source": source.name,
                "aims_license_migrate_rehearse_licenses": grants,
                "aims_license_server_licenses": declared,
            }
        return {
            "all": {
                "vars": {
                    "ansible_python_interpreter": _PYTHON,
                    "ansible_become": True,
                    "aims_license_server_home": HOME,
                    "aims_license_server_authority": URL,
                    "aims_license_migrate_dir": str(self.work),
                    "aims_license_migrate_rehearse_authority": "authority",
                },
                "hosts": {
                    "authority": {"ansible_host": self["authority"].address},
                    # for the playbook by hand, which keeps its copies there
                    "localhost": {
                        "ansible_connection": "local",
                        "ansible_become": False,
                        "ansible_python_interpreter": sys.executable,
                    },
                },
                "children": {"aims_license_sources": {"hosts": sources}, "aims_license_targets": {"hosts": targets}},
            }
        }

    def _write_config(self) -> None:
        super()._write_config()
        config = self.folder / "ansible.cfg"
        text = config.read_text(encoding="utf-8").replace("pipelining = false", "pipelining = true")
        config.write_text(text.replace("[defaults]\n", f"[defaults]\nforks = {self.forks}\n"), encoding="utf-8")

    def pair(self, number: int) -> tuple[Machine, Machine]:
        return self[f"source{number:02}"], self[f"target{number:02}"]

    def prepare(self) -> None:
        """Serve the authority, bring every source to its licenses, and keep that to be put back."""
        serve_authority(self)
        must(self.play("rehearse", "--tags", "prepare"))
        with zipfile.ZipFile(self.folder / INSTALLER, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("__main__.py", _INSTALL)
            archive.writestr("realm.json", json.dumps(self.inventory["all"]["vars"]["aims_license_server_realm"]))
            archive.writestr("package.pyz", build_package())
        self._on((self.pair(number)[0] for number in range(1, self.pairs + 1)), _KEEP_SOURCE)
        self._on([self["authority"]], _KEEP_LEDGER)
        self._whole = self.inventory
        containers = [machine.container for machine in self.machines.values()]
        self._groups = podman("inspect", "--format={{.State.CgroupPath}}", *containers).split()

    def choose(self, pairs: int) -> None:
        """Write an inventory of the first pairs only."""
        groups = self._whole["all"]["children"]
        few = {name: {"hosts": dict(list(group["hosts"].items())[:pairs])} for name, group in groups.items()}
        self.inventory = {"all": {**self._whole["all"], "children": {**groups, **few}}}
        self.write_inventory()

    def put_back(self, pairs: int) -> None:
        """Bring the first pairs and the ledger to where they were before any migration."""
        both = [self.pair(number) for number in range(1, pairs + 1)]
        self._on((target for _source, target in both), _PUT_TARGET_BACK)
        self._on((source for source, _target in both), _PUT_SOURCE_BACK)
        self._on([self["authority"]], _PUT_LEDGER_BACK)

    def counted(self, pair: int, playbook: str) -> tuple[Run, list[Execution]]:
        """Run a playbook on one pair; return also the modules that it ran there, in their order."""
        both = self.pair(pair)
        self._on(both, _COUNT)
        variables = self.inventory["all"]["vars"]
        variables["ansible_python_interpreter"] = _COUNTED
        self.write_inventory()
        run = must(self.play(playbook, ANSIBLE_PIPELINING="false"))
        variables["ansible_python_interpreter"] = _PYTHON
        self.write_inventory()
        found = []
        for machine, text in zip(both, self._on(both, "cat /root/executions")):
            for line in text.splitlines():
                at, file = line.split(" ", 1)
                found.append((int(at), Execution(machine.name, Path(file).stem.removeprefix("AnsiballZ_"))))
        return run, [execution for _at, execution in sorted(found, key=lambda one: one[0])]

    def states(self, pairs: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """What ``licman`` and systemd say of source and target of the first pairs."""
        both = [self.pair(number) for number in range(1, pairs + 1)]
        script = f"{HOME}/Bin/licman --overview --json; systemctl is-enabled {SERVICE}; systemctl is-active {SERVICE}"
        told = []
        for text in self._on([machine for pair in both for machine in pair], script):
            overview, enabled, active = text.rsplit("\n", 2)
            told.append({**json.loads(overview)["overview"], "enabled": enabled, "active": active})
        return list(zip(told[::2], told[1::2]))

    def processor_seconds(self) -> float:
        """How long all hosts have had a processor since they were made."""
        return sum(_processor_seconds(group) for group in self._groups)

    def _on(self, machines: Iterable[Machine], script: str) -> list[str]:
        """Run a script as root on hosts, not over SSH, so that nothing of it is left in the connections."""

        def run(machine: Machine) -> str:
            return podman("exec", "--interactive", machine.container, "/bin/sh", "-eu", data=script.encode())

        with ThreadPoolExecutor(4) as several:
            return list(several.map(run, machines))
