# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the files of the vendor's license server show, as an overview; what no file shows stays unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...errors import Problem
from ...license_view import NODELOCK_OF_ANY_TYPE, LicenseView, Status
from ...model import ACTIVATE, UNKNOWN, digits, render_time
from ...overview import Overview, PendingRequest, ServerView
from .host import HostView
from .layout import LICENSES, NODELOCKS, PROGRAMS, Layout, LicenseFiles
from .tree import Entry

# The names of the service's program and of the command (docs/domain.md#license-server-on-linux).
DAEMON, COMMAND = "licsrv", "licman"
EMPTY = "its nodelock is empty"
FILE_GONE = "its license file is not there"


def overview_of(layout: Layout, host: HostView, given_back: Mapping[str, str] | None = None) -> Overview:
    """Return what files and host show.

    :param given_back: licenses that a command has deactivated here, and when: their nodelock files may still be there

    Profiles and registered users are in no documented file (docs/domain.md#not-public), so that it has none.
    """
    files = layout.licenses()
    overview = Overview(
        server=_server(layout, host),
        licenses=tuple(_license(of) for of in files.values() if of.license is not None or of.lock is not None),
        files=tuple(layout.carried),
        pending=tuple(_pending(of, layout) for of in files.values() if of.requests or of.responses),
    )
    return without(overview, given_back or {})


def without(overview: Overview, given_back: Mapping[str, str]) -> Overview:
    """Return an overview as it is once licenses are given back.

    :param given_back: license number → when, UTC
    """
    licenses = [
        replace(license, status=Status.INACTIVE, protection="None", fenced=given_back[license.number], invalid=None)
        if license.number in given_back and license.status is not Status.PENDING_ACTIVATION
        else license
        for license in overview.licenses
    ]
    return replace(overview, licenses=tuple(licenses))


def foreseen(overview: Overview, numbers: Sequence[str]) -> Overview:
    """Return an overview as it will be once licenses are active."""
    known = {license.number: license for license in overview.licenses}
    for number in numbers:
        fresh = LicenseView(number, Status.ACTIVE, file=f"{digits(number)}.lic", var=None)
        known[number] = replace(
            known.get(number, fresh), status=Status.ACTIVE, protection=NODELOCK_OF_ANY_TYPE, invalid=None, fenced=None
        )
    return replace(overview, licenses=tuple(known[number] for number in sorted(known)))


def obstacles_of(layout: Layout, host: HostView) -> list[Problem]:
    """Say what of the files and ports would keep licenses from being given up, or taken over, as it should be."""
    problems: list[Problem] = []
    for name in layout.unnumbered:
        what = f"The license file {name} has no license number in its name."
        todo = f"Name it after its license, such as {LICENSES}/015120064022.lic, or move it away."
        problems.append(Problem(what, layout.where, todo))
    for files in layout.licenses().values():
        problems += _lock_problems(files, layout.where)
    return problems + port_problems(host, layout.where)


def port_problems(host: HostView, where: str) -> list[Problem]:
    """Say which ports of the license server are in use by something else."""
    problems = []
    for port, holders in host.ports.items():
        strangers = [holder for holder in holders if DAEMON not in holder.lower() and holder != host.unit]
        if strangers:
            what = f"Port {port} is in use by {', '.join(strangers)}, and the license server needs it."
            problems.append(Problem(what, where, "End what listens there, or have it use another port."))
    return problems


def _lock_problems(files: LicenseFiles, where: str) -> list[Problem]:
    lock, problems = files.lock, []
    if lock is not None and lock.size == 0:
        what = f"The nodelock of license {files.number} is empty: the license server is writing it, or was cut off."
        todo = (
            "Look again in a minute. If it stays so, deactivate the license in the license manager, delete its files "
            f"in {LICENSES} and {NODELOCKS}, and activate it again."
        )
        problems.append(Problem(what, where, todo))
    if lock is not None and lock.is_read_only:
        what = f"The nodelock of license {files.number} is read-only: nothing can update it."
        todo = f"Remove the read-only attribute of {lock.name} (Windows: attrib -r, Linux: chmod u+w)."
        problems.append(Problem(what, where, todo))
    if lock is not None and files.license is None:
        what = f"License {files.number} has a nodelock, and its license file is not there."
        todo = f"Put {LICENSES}/{digits(files.number)}.lic back, as the newest bundle or the vendor's mail has it."
        problems.append(Problem(what, where, todo))
    return problems


def _server(layout: Layout, host: HostView) -> ServerView:
    has_program = layout.program(DAEMON)
    # A copy, or a data folder on Windows, has no programs.
    is_data = not layout.folder(PROGRAMS) and layout.folder(LICENSES)
    return ServerView(
        installed=has_program or is_data or host.unit is not None,
        backend="vendor",
        home=layout.where,
        maintenance=None,
        service="none" if host.unit is None else host.service,
        running=host.running,
        listen=None,
        unit=host.unit,
        ports={str(port): tuple(holders) for port, holders in host.ports.items()},
    )


def _license(files: LicenseFiles) -> LicenseView:
    has_lock = files.lock is not None and files.lock.size > 0
    return LicenseView(
        number=files.number,
        status=_status(files),
        file=f"{digits(files.number)}.lic",
        invalid=_invalid(files),
        protection=NODELOCK_OF_ANY_TYPE if has_lock else "None",
        var=None,
    )


def _status(files: LicenseFiles) -> Status:
    if files.lock is not None:
        return Status.ACTIVE if files.lock.size > 0 else Status.INACTIVE
    if files.requests or files.responses:
        return Status.PENDING_ACTIVATION
    # Without activation a keyless license looks like one whose files were only put there.
    return Status.KEYLESS_OR_INACTIVE if files.composites else Status.INACTIVE


def _invalid(files: LicenseFiles) -> str | None:
    if files.license is None:
        return FILE_GONE
    return EMPTY if files.lock is not None and files.lock.size == 0 else None


def _pending(files: LicenseFiles, layout: Layout) -> PendingRequest:
    newest = _newest([*files.requests, *files.responses])
    made = newest.modified if newest is not None else None
    # With a nodelock here it may be a deactivation or an update: the formats are not public.
    return PendingRequest(
        number=files.number,
        action=ACTIVATE if files.lock is None else UNKNOWN,
        request_id=None,
        made=render_time(made) if made is not None else None,
        file=newest.name if newest is not None else "",
        answered=bool(files.responses),
    )


def _newest(entries: Sequence[Entry]) -> Entry | None:
    return max(entries, key=lambda entry: (entry.modified is not None, entry.modified, entry.name), default=None)
