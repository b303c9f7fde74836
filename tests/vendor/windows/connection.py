# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's own ssh connection to a stand-in, as an action plugin has it."""

from __future__ import annotations

import functools
from typing import Any

from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import become_loader, connection_loader, init_plugin_loader
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.shell import Shell
from vendor.windows.host import WindowsHost


def shell_of(host: WindowsHost, name: str = "win") -> Shell:
    """Return the command prompt of a stand-in, over Ansible's connection."""
    _load()
    context = PlayContext()
    context.shell = "cmd"
    connection: Any = connection_loader.get("ssh", context)
    connection.set_options(var_options=host.variables)
    connection._shell.set_options(var_options=host.variables)
    connection.set_become_plugin(become_loader.get("runas"))
    return Shell(connection, name)


@functools.cache
def _load() -> None:
    init_plugin_loader()
