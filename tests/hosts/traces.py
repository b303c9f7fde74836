# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where activation codes and private keys stand on the hosts of a rig, in any disguise."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from hosts.machines import Machine
from hosts.rig import LEDGER, Rig
from support.lab import HOME
from support.leaks import forms_of, secrets_of, seed

# What the processes of a host ever showed; kept over a reboot.
SHOWN = "/var/tmp/shown"
_SCRIPT = "/usr/local/lib/search.py"
HOST_KEY = f"{HOME}/Config/host.key"


def watch(machine: Machine) -> None:
    """Begin to look at the processes of a host, until it is shut down."""
    machine.run(f"sudo -n tee {_SCRIPT}", Path(__file__).with_name("search.py").read_text(encoding="utf-8"))
    machine.run(f"sudo -n systemd-run --unit=watch --collect /usr/bin/python3 {_SCRIPT} watch {SHOWN}")


class Secrets:
    """The secrets of a rig, and where they may stand; keys are added as they come to be."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.forms: dict[str, set[bytes]] = secrets_of(rig)
        self._allowed: dict[str, tuple[str, str]] = {}

    def gather(self) -> int:
        """Learn the keys that there are by now; return how many are known."""
        places = [(host, HOST_KEY) for host in ("source", "target")]
        places += [("authority", f"{LEDGER}.tls/{name}.key") for name in ("ca", "server")]
        for host, place in places:
            found = self._rig[host].ask(f"sudo -n cat {place}")
            if found.code == 0:
                self._add(host, place, found.stdout.encode())
        query = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()[0].decode())"
        read = f'sudo -n python3 -c "{query}" {LEDGER} "SELECT private_key FROM realm"'
        self._add("authority", LEDGER, self._rig["authority"].run(read).encode())
        return len(self._allowed)

    def _add(self, host: str, place: str, pem: bytes) -> None:
        # Two keys that lay in one place one after the other are two secrets.
        name = f"key {host} {place} {seed(pem).hex()[:4]}"
        self.forms[name] = forms_of(pem)
        self._allowed[name] = (host, place)

    def astray(self, machine: Machine) -> dict[str, list[str]]:
        """Where secrets stand on a host that do not belong there."""
        found = search(machine, self.forms)
        return {
            name: left
            for name, places in found.items()
            if (left := [place for place in places if self._allowed.get(name) != (machine.name, place)])
        }


def search(machine: Machine, forms: dict[str, set[bytes]]) -> dict[str, list[str]]:
    """Where secrets stand on a host, in its files and in its journal."""
    # A line of what the search is given is one form; of one with a line break the longest part will do.
    cut = {name: {max(form.split(b"\n"), key=len) for form in some} for name, some in forms.items()}
    told = {name: [base64.b64encode(form).decode() for form in some if len(form) >= 12] for name, some in cut.items()}
    answer = machine.ask(f"sudo -n python3 {_SCRIPT} find", json.dumps(told), timeout=300)
    assert answer.code == 0, answer.stderr
    found: dict[str, list[str]] = answer.json
    return found
