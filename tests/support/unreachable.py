# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that answers to nobody."""

from __future__ import annotations

from support.lab import Lab

DEAD = """
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as Local


class Connection(Local):
    transport = "dead"

    def _connect(self):
        raise AnsibleConnectionFailure("nobody answers")
"""


def switch_off(lab: Lab, host: str) -> None:
    """Let a host answer to nobody any more."""
    place = lab.folder / "connections"
    place.mkdir()
    (place / "dead.py").write_text(DEAD, encoding="utf-8")
    config = lab.folder / "ansible.cfg"
    text = config.read_text(encoding="utf-8").replace("[defaults]\n", f"[defaults]\nconnection_plugins = {place}\n")
    config.write_text(text, encoding="utf-8")
    lab.inventory["all"]["children"]["aims_license_sources"]["hosts"][host] = {"ansible_connection": "dead"}
    lab.write_inventory()
