# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps in PRO, whose settings no file or interface is documented for. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import CLIENTS_PORT
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.move import Move, address_of
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.steps import (
    Evidence,
    Kind,
    PersonsStep,
    Phase,
    Value,
)

# What stands for the host in the ids of PRO's steps.
PRO = "PRO"
# docs/domain.md#pro
CONFIGURATOR = "PRO Configurator (http://localhost:9191, admin@ROOT)"


def preparations(move: Move) -> Iterator[PersonsStep]:
    """What can be done while PRO runs (docs/domain.md#pro)."""
    target = move.target
    nodes = ", ".join(move.pro_nodes or ())
    yield PersonsStep(
        Phase.PREPARE,
        Kind.REACH,
        PRO,
        f"Reach {address_of(target)} from every PRO node",
        "PRO asks the license server for its own license at start. A firewall in between would show only then.",
        "The test prints TcpTestSucceeded : True on each node.",
        commands=(f"powershell Test-NetConnection {target.address} -Port {CLIENTS_PORT}",),
        values=(Value("On", nodes or "every node of PRO"),),
        evidence=Evidence.PORT_ANSWERS if move.has_tried_nodes else Evidence.NONE,
    )
    yield PersonsStep(
        Phase.PREPARE,
        Kind.PRO_BACKUP,
        PRO,
        "Back up PRO and note its license settings",
        "The settings are changed after the move. The way back needs what they were.",
        "Backup Management lists the new backup, and the three kinds of settings are written down.",
        path=(CONFIGURATOR, "Backup Management", "Backup Now"),
        values=(Value("Note", "PRO server license, Client license server, and Profile of each worker profile"),),
    )


def stop(move: Move) -> PersonsStep:
    """PRO stops before maintenance mode: its jobs would end in error (docs/domain.md#maintenance-mode)."""
    return PersonsStep(
        Phase.GIVE_UP,
        Kind.PRO_STOP,
        PRO,
        "Stop the services of PRO",
        "Without the license server, running jobs end with an error, and so do queued jobs that start meanwhile. "
        "Wait until the queue is empty.",
        "The configurator shows all services as stopped.",
        path=(CONFIGURATOR, "Stop All Started Services"),
    )


def strings(move: Move) -> PersonsStep:
    """The three kinds of connection strings (docs/domain.md#profiles)."""
    address = address_of(move.target)
    of_type = {license.number: license.profile for license in move.licenses if license.profile}
    names = list(of_type.values())
    listed = [Value(f"{address},{name}", f"wherever {address_of(move.source)},{name} stands") for name in names]
    return PersonsStep(
        Phase.CUT_OVER,
        Kind.STRINGS,
        PRO,
        "Enter the target in PRO's license settings",
        "PRO asks the license server that its settings name. Change only Profile of a worker profile and keep its "
        "Name: applications depend on the name and stop when it changes.",
        f"No setting names {move.source.address} any more. At level DEBUG, the configurator's log prints each saved "
        "configuration: search it for that name.",
        path=(CONFIGURATOR, "PRO server license; Client license server; Profile of each worker profile"),
        values=tuple(listed),
        evidence=Evidence.LOG_NAMES_TARGET if move.has_pro_log else Evidence.NONE,
    )


def start(move: Move) -> PersonsStep:
    """PRO starts after the last check (docs/domain.md#pro)."""
    return PersonsStep(
        Phase.CUT_OVER,
        Kind.PRO_START,
        PRO,
        "Start the services of PRO",
        "It takes one to two minutes, and the backend is there before the portal. 'Too many retries for starting' "
        "means that PRO got no server license or did not reach the license server.",
        "All services that match 'AIMMS PRO*' run, a user logs on to the portal, and a job ends without an error.",
        path=(CONFIGURATOR, "start all services"),
    )
