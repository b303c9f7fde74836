# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps on a Linux host: the two documented commands of licman, and what is not documented there. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import MACHINE, PERSONAL
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.manager import exchange
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.move import Move, Server
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.steps import (
    Evidence,
    Kind,
    Outage,
    PersonsStep,
    Phase,
    Value,
)

# docs/domain.md#not-public
_UNDOCUMENTED = "No document names the option of licman for this. licman --help on the host may; else ask the vendor."


def _licman(server: Server) -> str:
    return server.place("Bin/licman")


def _help(server: Server) -> str:
    return f"{shlex.quote(_licman(server))} --help"


def profiles(move: Move) -> PersonsStep:
    """Which license has which profile stands in no documented file of Linux (docs/domain.md#not-public)."""
    return PersonsStep(
        Phase.PREPARE,
        Kind.PROFILES,
        move.source.host,
        "Compare the declared profiles with the server's",
        "The declaration is the only record of which license is linked to which profile. No document says where Linux "
        "keeps that.",
        "The clients and PRO ask for these profiles, and the inventory declares all of them.",
        commands=(_help(move.source),),
        values=tuple(Value(f"Profile {profile.name}", profile.license) for profile in move.profiles),
    )


def install(move: Move) -> PersonsStep:
    """The server's ports cannot be configured (docs/domain.md#license-server-on-linux)."""
    return PersonsStep(
        Phase.PREPARE,
        Kind.INSTALL,
        move.target.host,
        "Install the license server",
        "The licenses need a license server that runs. It is installed while the source still serves. Ports 3400 and "
        "3401 have to be free: before the installation, the command lists none of them.",
        "The daemon licsrv runs, and both ports are listened on.",
        commands=("ss -ltn '( sport = :3400 or sport = :3401 )'",),
        values=(Value("Install", "the vendor's package, with the package manager of the system, as root"),),
        evidence=Evidence.PORT_ANSWERS,
        is_ours=move.is_ours(move.target, Kind.INSTALL),
    )


def source_steps(move: Move) -> Iterator[PersonsStep]:
    """Give the licenses up: maintenance mode first, as in the manager (docs/domain.md#migration-by-hand)."""
    source = move.source
    if move.read_only:
        yield PersonsStep(
            Phase.GIVE_UP,
            Kind.READ_ONLY,
            source.host,
            "Make the nodelock files writable",
            "The server refuses to change a read-only file: 'Update failed. The nodelock file is readonly'.",
            "ls -l shows w for the owner of each file.",
            commands=tuple(f"chmod u+w {shlex.quote(source.place(name))}" for name in move.read_only),
            values=tuple(Value("File", name) for name in move.read_only),
        )
    yield PersonsStep(
        Phase.GIVE_UP,
        Kind.MAINTENANCE,
        source.host,
        "Enter maintenance mode",
        f"Licenses are deactivated in maintenance mode. From here on clients have no license server. {_UNDOCUMENTED}",
        "What the command prints says so.",
        commands=(_help(source),),
        outage=Outage.BEGINS,
        is_ours=move.is_ours(source, Kind.MAINTENANCE),
    )
    for license in move.licenses:
        yield deactivate(move, license)
        if move.is_offline:
            yield exchange(move, source, license, Phase.GIVE_UP)
            yield load(source, license, Phase.GIVE_UP)


def deactivate(move: Move, license: DeclaredLicense) -> PersonsStep:
    number = license.number
    reason = f"Only a license that its computer has given up can be activated on another. {_UNDOCUMENTED}"
    shows = f"The files of {number} in Nodelocks are not what they were in the bundle."
    if move.is_offline:
        shows = "The request file is there. Do not make a second request for this license."
    return PersonsStep(
        Phase.GIVE_UP,
        Kind.DEACTIVATE,
        move.source.host,
        f"Deactivate license {number}",
        reason,
        shows,
        subject=number,
        commands=(_help(move.source),),
        values=(Value("License", number),),
        evidence=move.evidence_of(Phase.GIVE_UP),
        is_ours=move.is_ours(move.source, Kind.DEACTIVATE),
    )


def load(server: Server, license: DeclaredLicense, phase: Phase) -> PersonsStep:
    """The offline options of licman are not public (docs/domain.md#not-public)."""
    number = license.number
    activates = phase is Phase.ACTIVATE
    return PersonsStep(
        phase,
        Kind.LOAD,
        server.host,
        f"Load the response of {number}",
        f"The license is in between until its response is loaded. {_UNDOCUMENTED}",
        f"The files of {number} in Nodelocks " + ("are there." if activates else "are not what they were."),
        subject=number,
        commands=(_help(server),),
        values=(Value("License", number),),
        evidence=Evidence.of_exchange(phase),
    )


def activate(move: Move, license: DeclaredLicense) -> PersonsStep:
    """The documented command, word for word (docs/domain.md#license-server-on-linux)."""
    number, target, code = license.number, move.target, move.code_of(license.number)
    command = (
        f"{shlex.quote(_licman(target))} --nodelock-activate {number} --type {MACHINE}"
        ' --activation-code "$CODE" --add-license'
    )
    # The shell keeps no code in its history that is typed for read.
    commands = ("read -rs CODE", command, "unset CODE")
    reason = "The target holds the license from here on. The list of processes shows the code while the command runs."
    if license.nodelock == PERSONAL:
        reason += " The documented command activates machine nodelocks only, and this license is declared as personal."
    if move.is_offline:
        reason += f" This is for the way without internet access. {_UNDOCUMENTED}"
    shows = f"The files of {number} are in Nodelocks."
    return PersonsStep(
        Phase.ACTIVATE,
        Kind.ACTIVATE,
        target.host,
        f"Install and activate license {number}",
        reason,
        "The request file is there. Do not make a second request for this license." if move.is_offline else shows,
        subject=number,
        commands=(_help(target),) if move.is_offline else commands,
        values=(Value("License", number), Value("CODE", f"the value of {code}", code)),
        evidence=move.evidence_of(Phase.ACTIVATE),
        transfers=move.transfers_of_activation,
        is_ours=move.activates(number),
    )


def profile_steps(move: Move) -> Iterator[PersonsStep]:
    """Profiles by the second documented command (docs/domain.md#license-server-on-linux)."""
    target, own = move.target, {license.profile for license in move.licenses}
    for profile in move.profiles:
        name = shlex.quote(profile.name)
        yield PersonsStep(
            Phase.ACTIVATE,
            Kind.PROFILE,
            target.host,
            f"Add profile {profile.name} for {profile.license}",
            "Clients and PRO ask for a license by the name of its profile.",
            "The command reports no error. A client that asks for this profile starts.",
            subject=profile.name,
            commands=(f"{shlex.quote(_licman(target))} --profile-add {name} --license {profile.license}",),
            values=(Value("Profile", profile.name), Value("License", profile.license)),
            is_ours=profile.name in own and move.activates(profile.license),
        )
    if any(profile.default for profile in move.profiles):
        yield PersonsStep(
            Phase.ACTIVATE,
            Kind.ORDER,
            target.host,
            "Set the default marks",
            f"A client that names no profile takes the first valid default from top to bottom. {_UNDOCUMENTED}",
            "A client that names no profile starts.",
            commands=(_help(target),),
            values=tuple(
                Value(profile.name, "default" if profile.default else "not default") for profile in move.profiles
            ),
        )


def user_steps(move: Move, users: Sequence[str] | None) -> Iterator[PersonsStep]:
    """Registered users belong to a license (docs/domain.md#registered-users)."""
    for license in move.licenses if users is None or users else ():
        yield PersonsStep(
            Phase.ACTIVATE,
            Kind.USERS,
            move.target.host,
            f"Enter the registered users of {license.number}",
            f"Registered users do not move with a license. Skip a license that had none. {_UNDOCUMENTED}",
            "A registered user starts AIMMS with this license.",
            subject=license.number,
            commands=(_help(move.target),),
            values=tuple(Value("User", user) for user in users or ())
            or (Value("User", f"as {move.source.host} has them"),),
            is_ours=bool(users) and move.is_ours(move.target, Kind.USERS),
        )
