# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What brings the vendor's license server of one host to what is declared for it, and what is left to persons. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import Problem
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import Status
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps import licman, manager
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.move import Move, Platform
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.steps import PersonsStep, Phase


@dataclass(frozen=True)
class Source:
    """The server that the inventory moves the licenses from.

    :ivar overview: None where nobody could look at it
    """

    host: str
    overview: Overview | None


@dataclass(frozen=True)
class Reconciliation:
    """What is done, and what is left.

    :ivar activates: the licenses that are active, or that the playbook activates
    :ivar steps: what a person has to do
    :ivar problems: why a declared license is not activated, or not valid
    :ivar notes: what is declared and no file shows
    """

    activates: tuple[DeclaredLicense, ...]
    steps: tuple[PersonsStep, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


def reconcile(
    server: Move, here: Overview, source: Source | None, *, registers: bool, obstacles: Sequence[Problem] = ()
) -> Reconciliation:
    """Return what brings a host to what is declared.

    :param server: the host as both ends of a move, with what is declared for it
    :param here: what its files show
    :param source: None where the inventory moves the licenses from nowhere
    :param registers: whether a command is named that registers users
    :param obstacles: what the look at the host has found
    """
    activates: list[DeclaredLicense] = []
    steps: list[PersonsStep] = []
    problems: list[Problem] = []
    if not here.server.installed and not server.has_package:
        is_linux = server.target.platform is Platform.LINUX
        steps.append(licman.install(server) if is_linux else manager.install(server))
    pending = {request.number for request in here.pending}
    for license in server.licenses:
        view = here.license(license.number)
        if view is not None and view.is_held:
            if view.invalid:
                problems.append(_invalid(server, license, view.invalid))
            activates.append(license)
        elif license.number in pending or (view is not None and view.status is Status.PENDING_ACTIVATION):
            steps += _exchange(server, license)
        elif source is not None and (blocked := _elsewhere(source, license, server.target.host)) is not None:
            problems.append(blocked)
        elif server.activates(license.number):
            activates.append(license)
        else:
            steps += _activation(server, license, is_first=not here.held)
    # Without a server there is no command: the next run activates.
    if not here.server.installed and not server.has_package:
        activates = []
    steps = list(dict.fromkeys(steps))
    notes = [f"{problem.what} {problem.todo}" for problem in obstacles]
    notes += _unseen(server, registers)
    return Reconciliation(tuple(activates), tuple(steps), tuple(problems), tuple(notes))


def _activation(server: Move, license: DeclaredLicense, *, is_first: bool) -> Iterator[PersonsStep]:
    if server.target.platform is Platform.LINUX:
        yield licman.activate(server, license)
    else:
        yield manager.activate(server, license, is_first)
    if server.is_offline:
        yield from _exchange(server, license)


def _exchange(server: Move, license: DeclaredLicense) -> Iterator[PersonsStep]:
    yield manager.exchange(server, server.target, license, Phase.ACTIVATE)
    if server.target.platform is Platform.LINUX:
        yield licman.load(server.target, license, Phase.ACTIVATE)
    else:
        yield manager.load(server, server.target, license, Phase.ACTIVATE)


def _elsewhere(source: Source, license: DeclaredLicense, host: str) -> Problem | None:
    """Say why a license may still be the source's: activating it here would be a move without its safeguards."""
    number = license.number
    if source.overview is None:
        return Problem(
            f"Whether {source.host} still has license {number} is not known: it cannot be looked at.",
            f"{host}, license {number}",
            f"Make {source.host} reachable and run this again, or move the license by the playbook migrate. If that "
            f"host is gone for good, remove aims_license_migrate_source of {host}.",
        )
    view = source.overview.license(number)
    is_there = view is not None and view.is_held
    if is_there or number in {request.number for request in source.overview.pending}:
        return Problem(
            f"License {number} has a nodelock or a pending exchange on {source.host}.",
            f"{host}, license {number}",
            "Move it by the playbook migrate.",
        )
    return None


def _invalid(server: Move, license: DeclaredLicense, reason: str) -> Problem:
    return Problem(
        f"License {license.number} is not valid here: {reason}.",
        f"{server.target.host}, license {license.number}",
        "Put its license file into the folder of aims_license_server_license_files on the controller, or into "
        "Licenses on the host, then run this again.",
    )


def _unseen(server: Move, registers: bool) -> list[str]:
    """Name what is declared and stands in no documented file (docs/domain.md#not-public)."""
    marks = {True: "default", False: "not default"}
    profiles = [f"{profile.name} of {profile.license} ({marks[profile.default]})" for profile in server.profiles]
    notes = []
    if profiles:
        notes.append(
            f"No file shows profiles: compare with those of the license manager, in this order: {', '.join(profiles)}."
        )
    if server.users and not registers:
        notes.append(
            f"No file shows registered users: compare with those of the license manager: {', '.join(server.users)}."
        )
    return notes
