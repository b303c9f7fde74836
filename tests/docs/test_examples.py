# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts for users hold: their examples run as they are printed, and their tables name what there is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.aims.licensing.plugins.module_utils._licensing.cli import authority

CHECKOUT = Path(__file__).resolve().parents[2]
# What stands in for systemd-machine-id-setup, which a container may lack.
MACHINE_ID = (
    """systemd-machine-id-setup() { tr -d - < /proc/sys/kernel/random/uuid > "${1#--root=}/etc/machine-id"; }\n"""
)


def text(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def write_files(page: str, folder: Path) -> None:
    """Write the blocks of a page that begin with the name of a file."""
    for name, content in re.findall(r"^```(?:yaml|ini)\n# ([\w./-]+\.\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")


def commands(page: str) -> list[str]:
    """Return the console blocks of a page as scripts."""
    blocks = re.findall(r"^```console\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return [re.sub(r"^[$>] ", "", block, flags=re.MULTILINE) for block in blocks]


def shell(folder: Path, script: str, check: bool = True) -> str:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    environment = {
        **kept,
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".build" / "collections"),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}",
        "LC_ALL": "C.UTF-8",
    }
    command = ["bash", "-uc", ("set -e\n" if check else "") + MACHINE_ID + script]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert not check or done.returncode == 0, script + done.stdout + done.stderr
    return done.stdout


def set_up_as_in_readme(folder: Path) -> None:
    # The inventory on folders comes second, and is the one that stays.
    section = text("README.md").partition("## Your own inventory")[2].partition("\n## ")[0]
    write_files(section, folder)
    shell(folder, "".join(commands(section)))


def held(home: Path) -> list[str]:
    shown = subprocess.run([home / "Bin" / "licman", "--overview", "--json"], capture_output=True, check=True).stdout
    return [one["number"] for one in json.loads(shown)["overview"]["licenses"] if one["status"] == "Active"]


def test_the_inventory_of_the_readme_runs_with_every_playbook(tmp_path: Path) -> None:
    set_up_as_in_readme(tmp_path)
    table = re.findall(r"^\| `(ansible-playbook aims\.licensing\.[^`]+)` \|", text("README.md"), re.MULTILINE)
    assert {row.split()[1].rpartition(".")[2] for row in table} == {p.stem for p in CHECKOUT.glob("playbooks/*.yml")}
    # the last four rows: one is for the vendor's license server, one for clients, one does all of the others again, one
    # sets up a service as root
    for row in table[:-4]:
        shell(tmp_path, row)
    assert len(held(tmp_path / "hosts/old/opt/aims-license-server")) == 3
    play = next(
        block
        for block in re.findall(r"```yaml\n(.*?)```", text("docs/modules.md"), re.DOTALL)
        if "module_defaults" in block
    )
    (tmp_path / "play.yml").write_text(play, encoding="utf-8")
    assert "015.120.064.022" in shell(tmp_path, "ansible-playbook play.yml")


def test_the_offline_walk_runs_as_printed(tmp_path: Path) -> None:
    set_up_as_in_readme(tmp_path)
    page = text("docs/offline.md")
    write_files(page, tmp_path)
    set_up, walk = commands(page)
    realm = re.search(r'"msg": (\{.*?\n    \})', shell(tmp_path, set_up), re.DOTALL)
    assert realm
    (tmp_path / "group_vars/all/realm.yml").write_text(yaml.safe_dump(json.loads(realm[1])), encoding="utf-8")
    # The two hosts of the page are over SSH; here they are the two folders.
    here = {
        "ansible_connection": "local",
        "ansible_become": False,
        "ansible_python_interpreter": sys.executable,
        "aims_license_server_root": f"{tmp_path}/hosts/{{{{ inventory_hostname }}}}",
    }
    (tmp_path / "here.json").write_text(json.dumps(here), encoding="utf-8")
    shell(tmp_path, f'ansible-playbook() {{ command ansible-playbook -e @here.json "$@"; }}\n{walk}', check=False)
    assert len(held(tmp_path / "hosts/new/opt/aims-license-server")) == 3
    assert (tmp_path / "aims-license/reports/old-to-new.html").is_file()


def test_the_commands_run_as_printed(tmp_path: Path) -> None:
    set_up_as_in_readme(tmp_path)
    shell(tmp_path, "ansible-playbook aims.licensing.rehearse")
    home = tmp_path / "hosts/new/opt/aims-license-server"
    # the first shows seats, for which a server would have to run
    _seats, activate, give_back, issue = commands(text("docs/cli.md"))
    (home / "code.txt").write_text("K7QXM-2RVTA-9HWCP-DE4NZ-J6S8B\n", encoding="utf-8")
    shell(home, activate)
    request, load = give_back.strip().splitlines()
    ledger = tmp_path / "authority.db"
    shell(home, f"{request} || test $? = 3\nBin/authority process 015120064022.request --ledger {ledger}\n{load}")
    assert len(held(home)) == 2
    (home / "code.txt").unlink()
    shell(home, "\n".join(issue.strip().splitlines()[:2]))


CHECK = """\
- hosts: all:localhost
  gather_facts: false
  tasks:
    - aims.licensing.aims_license_inventory: {groups: [aims_license_targets], vault: true, rehearsal: true}
      run_once: true
      register: inventory
    - ansible.builtin.debug: {msg: "{{ inventory.pairs.keys() }}"}
      run_once: true
"""


def test_the_inventory_of_the_readme_for_hosts_over_ssh_declares_a_pair(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_as_in_readme(tmp_path)
    over_ssh = re.findall(r"^```yaml\n# inventory.yml\n(.*?)^```$", text("README.md"), re.MULTILINE | re.DOTALL)[0]
    (tmp_path / "inventory.yml").write_text(over_ssh, encoding="utf-8")
    ledger = str(tmp_path / "authority.db")
    assert authority(["init", "--ledger", ledger, "--name", "x", "--host", "authority.example.com", "--json"]) == 0
    realm = {key: value for key, value in json.loads(capsys.readouterr().out).items() if key in ("name", "key", "ca")}
    declared = yaml.safe_dump({"aims_license_server_realm": realm})
    (tmp_path / "group_vars/all/realm.yml").write_text(declared, encoding="utf-8")
    (tmp_path / "check.yml").write_text(CHECK, encoding="utf-8")
    assert "new.example.com" in shell(tmp_path, "ansible-playbook check.yml")


def test_the_reference_names_every_variable_and_module() -> None:
    options: set[str] = set()
    for role in CHECKOUT.glob("roles/*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(role.read_text(encoding="utf-8"))["argument_specs"].values():
            options |= set(entry["options"])
    pages = text("docs/variables.md") + text("docs/modules.md")
    rows = set(re.findall(r"^\| `(aims_license_\w+)` \|", pages, re.MULTILINE))
    assert rows == options | {path.stem for path in CHECKOUT.glob("plugins/modules/aims_*.py")}


def test_troubleshooting_lists_every_message() -> None:
    command = [sys.executable, str(CHECKOUT / "tests/docs/messages.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_links_lead_somewhere() -> None:
    for page in (CHECKOUT / "README.md", *CHECKOUT.glob("docs/*.md"), *CHECKOUT.glob("roles/*/README.md")):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
