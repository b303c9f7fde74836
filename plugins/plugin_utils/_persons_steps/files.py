# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps with files: the copy of a host, the backup, and what the target needs of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.move import Move, Platform
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.steps import (
    Evidence,
    Kind,
    PersonsStep,
    Phase,
    Value,
)

# The name by which the look at a host tells of a verified bundle.
BUNDLE = "bundle"
_FOLDERS = "Config, Licenses, Nodelocks, Logging and ApplicationKeys"


def copy(move: Move, *, is_after: bool) -> PersonsStep:
    """A copy of a host that the controller cannot reach (docs/domain.md#identifiers-and-files)."""
    source = move.source
    data = source.place("").rstrip("\\")
    reason = "The controller does not reach this host, so that its files are read from a copy."
    if is_after:
        reason = "The nodelocks have changed. Only a newer copy shows that to the controller."
    return PersonsStep(
        Phase.GIVE_UP if is_after else Phase.BACKUP,
        Kind.COPY_AGAIN if is_after else Kind.COPY,
        source.host,
        "Copy the folder of the license server again" if is_after else "Copy the folder of the license server",
        reason,
        f"{source.home} on the controller is a copy of {data}, with the folders {_FOLDERS} as far as they exist.",
        # With /MIR, a nodelock that was removed disappears from the copy too.
        commands=(rf'robocopy "{data}" "E:\{source.host}" /MIR /COPY:DAT /DCOPY:T /R:2 /W:5',),
        values=(Value("Then copy that folder to", source.home),),
    )


def backup(move: Move) -> PersonsStep:
    """A backup before anything is given up (docs/domain.md#migration-by-hand)."""
    source = move.source
    is_ours = move.is_ours(source, Kind.BACKUP)
    commands: tuple[str, ...] = ("ansible-playbook aims.licensing.backup",)
    shows = "The bundle on the controller is read back and verified."
    if source.platform is Platform.WINDOWS and not is_ours:
        commands = (rf'robocopy "{source.home}" "E:\{source.host}" /MIR /COPY:DAT /DCOPY:T /R:2 /W:5',)
        shows = f"The copy has the folders {_FOLDERS} as far as they exist, and lies on another machine."
    return PersonsStep(
        Phase.BACKUP,
        Kind.BACKUP,
        source.host,
        "Back up the license server",
        "What is lost after this can be made again from the backup. It is also what later changes are compared with.",
        shows,
        commands=commands,
        evidence=Evidence.FILE_PRESENT if is_ours else Evidence.NONE,
        evidence_file=BUNDLE if is_ours else "",
        is_ours=is_ours,
    )


def placed(move: Move) -> Iterator[PersonsStep]:
    """Files that licenses and published applications need (docs/domain.md#state-that-also-has-to-move)."""
    target = move.target
    yield PersonsStep(
        Phase.ACTIVATE,
        Kind.FILES,
        target.host,
        "Copy the license files of the backup",
        "A license may need a .cpx file, whose name can differ from its own. Do not copy Nodelocks: those are of the "
        "other machine.",
        f"{target.place('Licenses')} has each .cpx file of the backup.",
        values=(
            Value("From", f"Licenses of the backup of {move.source.host}: *.cpx"),
            Value("To", target.place("Licenses")),
        ),
        is_ours=move.is_ours(target, Kind.FILES),
    )
    if target.platform is Platform.LINUX:
        where, reason = "ask the vendor", " No document says where Linux keeps them: ask the vendor before the night."
    else:
        where, reason = target.place("ApplicationKeys"), ""
    yield PersonsStep(
        Phase.ACTIVATE,
        Kind.KEYS,
        target.host,
        "Copy the application keys of the backup",
        "Published applications that are encrypted with these keys do not open without them. Skip this where the "
        f"backup has no ApplicationKeys.{reason}",
        "The target has each key of the backup, readable for the license server only.",
        values=(Value("From", f"ApplicationKeys of the backup of {move.source.host}"), Value("To", where)),
        is_ours=move.is_ours(target, Kind.KEYS),
    )
