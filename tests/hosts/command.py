# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes fresh hosts that stay until they are taken away, with what an inventory has to say of them.

``command.py up FOLDER INVENTORY NAME=NETWORK[/vm][=ALIAS] …`` makes hosts in the networks ``online`` and ``offline``,
some as virtual machines, and writes into INVENTORY how to reach them; SSH knows them by an alias as well.
``--code NAME`` adds an activation code as the variable ``vault_NAME``, encrypted. ``command.py lose FOLDER NAME``
destroys one of them, ``command.py down FOLDER`` takes all away. ``command.py password FOLDER`` prints the password of
what is encrypted.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hosts import vms
from hosts.image import USER, Missing, make
from hosts.machines import OFFLINE, Site, lose, take_away

# Nobody hangs on a connection that a reboot has cut.
_ALIVE = "-o ServerAliveInterval=5 -o ServerAliveCountMax=12"


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "lose", "down", "password"):
        command = commands.add_parser(name)
        command.add_argument("folder", type=Path)
        if name == "up":
            command.add_argument("inventory", type=Path)
            command.add_argument("hosts", nargs="+", metavar="NAME=NETWORK[/vm][=ALIAS]")
            command.add_argument("--code", action="append", default=[], metavar="NAME")
        elif name == "lose":
            command.add_argument("host")
    asked = parser.parse_args(arguments)
    folder = asked.folder.resolve()
    if asked.command == "password":
        sys.stdout.write(password(folder))
    elif asked.command == "lose":
        lose(str(folder), asked.host)
    else:
        down(folder)
        if asked.command == "up":
            made = up(folder, [host.split("=") for host in asked.hosts])
            secret = {f"vault_{name}": _encrypted(folder, _new_code()) for name in asked.code}
            asked.inventory.write_text(_inventory(made, secret), encoding="utf-8")


def password(folder: Path) -> str:
    """Return the password of a folder's secrets; it is made by the first that asks."""
    file = folder / "vault-password"
    folder.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        new = folder / f"vault-password.{os.getpid()}"
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as output:
            output.write(secrets.token_urlsafe(24))
        new.rename(file)
    return file.read_text(encoding="utf-8")


def down(folder: Path) -> None:
    """Take the hosts of a folder away, if there are any."""
    take_away(str(folder))
    shutil.rmtree(folder / "site", ignore_errors=True)


def up(folder: Path, asked: list[list[str]]) -> Site:
    """Make hosts and wait until they have booted.

    :param asked: name, network and perhaps an alias of each host
    """
    places = {name: network.partition("/") for name, network, *_alias in asked}
    site = Site(folder / "site", make(), str(folder))
    site.aliases = {name: alias for name, _network, *aliases in asked for alias in aliases if alias}
    site.boot(**{name: network for name, (network, _slash, kind) in places.items() if kind != "vm"})
    # after the containers, whose networks they stand in
    virtual = {name: network for name, (network, _slash, kind) in places.items() if kind == "vm"}
    if virtual:
        vms.boot(site, **virtual)
    if OFFLINE in site.networks:
        site.open_offline()
    for machine in site.machines.values():
        state = machine.wait()
        if state != "running":
            raise RuntimeError(f"{machine.name} is {state}: {machine.ask('systemctl --failed --no-legend').stdout}")
    # Those that were there before the virtual machines do not know them by name yet.
    names = "".join(f"{site.machines[name].address} {name}\n" for name in virtual)
    for name in set(site.machines) - set(virtual) if virtual else ():
        site.machines[name].run("sudo -n tee --append /etc/hosts", names)
    return site


def _inventory(site: Site, secret: dict[str, str]) -> str:
    """What an inventory has to say of the hosts of a site, as YAML."""
    known = f"-o UserKnownHostsFile={site.folder}/known_hosts -o StrictHostKeyChecking=yes"
    variables = {
        "ansible_user": USER,
        "ansible_ssh_private_key_file": str(site.key),
        "ansible_ssh_common_args": f"{known} -o IdentitiesOnly=yes -o BatchMode=yes {_ALIVE}",
        # the controller's address, where hosts of a network reach it
        **{f"aims_molecule_here_{network}": site.here(network) for network in site.networks},
        **secret,
    }
    lines = ["all:", "  vars:", *(f"    {name}: {value}" for name, value in variables.items())]
    lines += ["  hosts:", *(f"    {one.name}: {{ansible_host: {one.address}}}" for one in site.machines.values())]
    return "\n".join(["---", *lines, ""])


def _new_code() -> str:
    alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "-".join("".join(secrets.choice(alphabet) for place in range(5)) for group in range(5))


def _encrypted(folder: Path, value: str) -> str:
    from ansible.parsing.vault import VaultLib, VaultSecret

    vault = VaultLib([("default", VaultSecret(password(folder).encode()))])
    return "!vault |\n" + "".join(f"      {line}\n" for line in vault.encrypt(value).decode().splitlines()).rstrip("\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Missing as missing:
        raise SystemExit(str(missing)) from None
