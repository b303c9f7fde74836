# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps on the clients, and what is left behind on the source. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.manager import MAINTENANCE, STOP
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.move import Move, Server, address_of
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.steps import (
    Evidence,
    Kind,
    PersonsStep,
    Phase,
    Value,
)

# What stands for the host in the ids of the clients' steps.
CLIENTS = "clients"
CUT_OVER = "ansible-playbook aims.licensing.cut_over"


def add_target(move: Move) -> PersonsStep:
    """A second line before the move makes it seamless (docs/domain.md#clients)."""
    return PersonsStep(
        Phase.PREPARE,
        Kind.ADD_TARGET,
        CLIENTS,
        "Add the target to the clients' lists, below the source",
        "A client takes the first valid license of its list. With both servers in it, the client finds the target as "
        "soon as the source has no license any more. Desktop clients that log on through PRO need no change.",
        "The client's license configuration lists both servers.",
        path=("AIMMS", "License Configuration", "Install License", "Network"),
        commands=_commands(move, CUT_OVER),
        values=(Value("Server", address_of(move.target)), Value("In Config/licenses.cfg", _line(move))),
        is_ours=bool(move.clients),
    )


def _commands(move: Move, command: str) -> tuple[str, ...]:
    """Return the playbook's command where the inventory names the clients."""
    return (command,) if move.clients else ()


def _line(move: Move) -> str:
    return f"1<TAB>network<TAB>{address_of(move.target)}"


def verification(move: Move) -> Iterator[PersonsStep]:
    """What shows that the target serves (docs/domain.md#clients)."""
    target = move.target
    yield PersonsStep(
        Phase.VERIFY,
        Kind.PORTS,
        target.host,
        f"Reach {address_of(target)} from a client",
        "The server may run and still be behind a firewall.",
        "A connection is made.",
        values=(Value("Address", address_of(target)),),
        evidence=Evidence.PORT_ANSWERS,
        is_ours=move.is_ours(target, Kind.PORTS),
    )
    if target.has_manager:
        yield PersonsStep(
            Phase.VERIFY,
            Kind.COMPARE,
            target.host,
            "Compare the license manager with the screenshot",
            "A profile with another name, license or default mark is not noticed until a client asks for it.",
            "Licenses, profiles and default marks are as before, and each license has the status OK.",
            path=("AIMMS License Manager", "the window with Licenses and Profiles"),
            values=tuple(Value(f"Profile {profile.name}", profile.license) for profile in move.profiles),
        )
    yield PersonsStep(
        Phase.VERIFY,
        Kind.TRY,
        CLIENTS,
        "Start AIMMS on a client",
        "Only a client shows that a seat is granted.",
        "log/aimms-log.txt of the client says 'Successfully selected a license'.",
        path=("AIMMS",),
        values=(Value("Failure in the log", "Failed to get AIMMS License from: ..."),),
    )


def clean_up(move: Move) -> Iterator[PersonsStep]:
    """What still names the source (docs/domain.md#clients, docs/domain.md#license-manager-on-windows)."""
    source = move.source
    if source.has_manager:
        yield PersonsStep(
            Phase.CLEAN_UP,
            Kind.STORED_CODES,
            source.host,
            "Look for activation codes in the registry",
            "The wizard stores the activation code in the registry of its computer unless that was unticked. Its place "
            "is not documented.",
            "A search of the registry for the license numbers finds no activation code.",
            path=("regedit", "Edit", "Find..."),
            values=tuple(Value("Find", license.number) for license in move.licenses),
        )
    yield PersonsStep(
        Phase.CLEAN_UP,
        Kind.SCRIPTS,
        CLIENTS,
        "Correct scripts that name the source",
        "AIMMS with --license NAME takes that entry of the list and no other, so that a scheduled job still asks the "
        "source.",
        f"No script and no scheduled job has --license with an entry of {source.host}.",
        values=(Value("Search for", "--license"),),
    )
    yield PersonsStep(
        Phase.CLEAN_UP,
        Kind.REMOVE_SOURCE,
        CLIENTS,
        "Remove the source from the clients' lists",
        "Each start of a client waits for a server that gives nothing.",
        "The client's license configuration lists the target only.",
        path=("AIMMS", "License Configuration", f"select {address_of(source)}", "Delete"),
        commands=_commands(move, f"{CUT_OVER} -e aims_license_client_remove_source=true"),
        values=(Value("Server", address_of(source)),),
        is_ours=bool(move.clients),
    )
    yield keep(move)


def keep(move: Move) -> PersonsStep:
    """Nothing is asked of the source any more, which stays as it is (docs/domain.md#license-manager-on-windows)."""
    source = move.source
    reason = "An activation on the source spends another transfer and takes the license from the target."
    if move.staying:
        return PersonsStep(
            Phase.CLEAN_UP,
            Kind.KEEP,
            source.host,
            "Keep the source running, and activate nothing there",
            reason,
            "The license server of the source goes on running for the licenses that it still has, and its machine is "
            "kept until the move is accepted.",
            values=tuple(Value("Still has", name) for name in move.staying),
        )
    reason += " The service starts again when the machine does, which harms nothing."
    if source.has_manager:
        reason += f" In maintenance mode the entry is greyed: leave it first ({' > '.join(MAINTENANCE)})."
    return PersonsStep(
        Phase.CLEAN_UP,
        Kind.KEEP,
        source.host,
        "Stop the source, keep it for the way back, and activate nothing there",
        reason,
        "The license server of the source is stopped, and its machine is kept until the move is accepted.",
        path=STOP if source.has_manager else (),
        commands=_stops(source),
        evidence=Evidence.SERVICE_STOPPED if source.service else Evidence.NONE,
        is_ours=move.is_ours(source, Kind.KEEP),
    )


def _stops(source: Server) -> tuple[str, ...]:
    """Return the command that stops a service whose name is known: neither system's is public."""
    if not source.service:
        return ()
    return (f'net stop "{source.service}"' if source.has_manager else f"systemctl stop {shlex.quote(source.service)}",)
