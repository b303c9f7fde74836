# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps in the license manager on Windows: its menus and the pages of its wizards. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import PERSONAL, digits
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.move import Move, Platform, Server
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.steps import (
    Evidence,
    Kind,
    Outage,
    PersonsStep,
    Phase,
    Value,
)

# docs/domain.md#license-manager-on-windows
CONFIGURATION = ("Maintenance", "License", "License Configuration...")
MAINTENANCE = ("Maintenance", "Maintenance mode")
# The name by which the controller tells of the picture.
STOP = ("Maintenance", "Stop the Service")
SCREENSHOT = "screenshot"
USERS = ("Maintenance", "License", "Registered Users...")


def screenshot(move: Move) -> PersonsStep:
    """A picture of the overview, as the migration article advises (docs/domain.md#migration-by-hand)."""
    return PersonsStep(
        Phase.PREPARE,
        Kind.SCREENSHOT,
        move.source.host,
        "Take a screenshot of the license manager",
        "It shows which license is linked to which profile. No file is documented to hold that.",
        "The picture shows all licenses and all profiles, and the inventory declares the same. The variable "
        "aims_license_migrate_screenshot may name its file.",
        path=("AIMMS License Manager", "the window with Licenses and Profiles"),
        values=tuple(Value(f"Profile {profile.name}", profile.license) for profile in move.profiles),
        evidence=Evidence.FILE_PRESENT if move.names_screenshot else Evidence.NONE,
        evidence_file=SCREENSHOT if move.names_screenshot else "",
    )


def install(move: Move) -> PersonsStep:
    """The installer needs administrator rights and a free port (docs/domain.md#license-server-on-windows)."""
    return PersonsStep(
        Phase.PREPARE,
        Kind.INSTALL,
        move.target.host,
        "Install the license server",
        "The licenses need a license server that runs. It is installed while the source still serves. "
        "The installation fails if another program uses port 3400: the command prints nothing while it is free.",
        "The license manager starts. It says 'No valid License installed yet', which is right for a new server.",
        path=(
            "the installer AimmsLicenseServer...msi, started as administrator",
            "Windows Start menu, search for 'license', AIMMS License Manager",
        ),
        commands=("netstat -ano | findstr :3400",),
        evidence=Evidence.PORT_ANSWERS,
        is_ours=move.is_ours(move.target, Kind.INSTALL),
    )


def source_steps(move: Move) -> Iterator[PersonsStep]:
    """Give the licenses up: maintenance mode first (docs/domain.md#migration-by-hand)."""
    source = move.source
    if move.read_only:
        yield read_only(move)
    yield PersonsStep(
        Phase.GIVE_UP,
        Kind.MAINTENANCE,
        source.host,
        "Enter maintenance mode",
        "Licenses are deactivated in maintenance mode. From here on clients have no license server.",
        "The menu entry Maintenance mode has a tick, and Start the Service and Stop the Service are greyed.",
        path=MAINTENANCE,
        outage=Outage.BEGINS,
    )
    for license in move.licenses:
        yield deactivate(move, license)
        if move.is_offline:
            yield exchange(move, source, license, Phase.GIVE_UP)
            yield load(move, source, license, Phase.GIVE_UP)


def read_only(move: Move) -> PersonsStep:
    """A nodelock file that cannot be written stops the manager (docs/domain.md#reset-after-a-nodelock-error)."""
    return PersonsStep(
        Phase.GIVE_UP,
        Kind.READ_ONLY,
        move.source.host,
        "Clear the read-only attribute of the nodelock files",
        "The manager refuses to change a read-only file: 'Update failed. The nodelock file is readonly'.",
        "The properties of each file show Read-only without a tick.",
        path=("Windows Explorer", move.source.place("Nodelocks"), "Properties of the file", "Read-only"),
        values=tuple(Value("File", name) for name in move.read_only),
    )


def deactivate(move: Move, license: DeclaredLicense) -> PersonsStep:
    """Deactivation of one license; the pages of an offline one are not public (docs/domain.md#not-public)."""
    source, number = move.source, license.number
    copied = " It is looked for in the next copy." if source.platform is Platform.COPY else ""
    values = [Value("License", number)]
    shows = f"The wizard ends with 'Successful Deactivation', and the status is Inactive Nodelock.{copied}"
    reason = "Only a license that its computer has given up can be activated on another."
    if move.is_offline:
        values += [Value("Communication method", "Offline"), Value("Request file", f"{digits(number)}.request")]
        reason += " The pages of an offline deactivation are not documented: choose Offline where it is offered."
        shows = "The wizard has saved the request file. Do not start a second request for this license."
    return PersonsStep(
        Phase.GIVE_UP,
        Kind.DEACTIVATE,
        source.host,
        f"Deactivate license {number}",
        reason,
        shows,
        subject=number,
        path=(*CONFIGURATION, f"select {number}", "Deactivate..."),
        values=tuple(values),
        evidence=move.evidence_of(Phase.GIVE_UP),
        is_ours=move.is_ours(source, Kind.DEACTIVATE),
    )


def exchange(move: Move, server: Server, license: DeclaredLicense, phase: Phase) -> PersonsStep:
    """A request on the vendor's page (docs/domain.md#request-page, docs/domain.md#pending-requests)."""
    number = license.number
    name = digits(number)
    archive = f"{move.requests.rstrip('/')}/{server.host}"
    activates = phase is Phase.ACTIVATE
    return PersonsStep(
        phase,
        Kind.EXCHANGE,
        server.host,
        f"Exchange the request of {number} for its response",
        "A computer with internet access uploads the request. If the response is lost after that, the vendor counts "
        "the license wrongly, and only the vendor can mend it. So archive the response before you do anything else, "
        "and never make a second request while this one is pending.",
        f"{name}.response lies in the archive on the controller. The page has mailed it as well.",
        subject=number,
        path=(
            "a browser on a computer with internet access",
            "https://www.aimms.com/support/licensing/processing-request-files/",
            "Choose File",
            "Process",
        ),
        values=(
            Value("Request file", f"{name}.request, from {server.host}"),
            Value("E-mail address", "an address that you read"),
            Value("Archive the response as", f"{archive}/{name}.response"),
        ),
        evidence=Evidence.FILE_PRESENT,
        evidence_file=f"{server.host}/{name}.response",
        transfers=1 if activates else 0,
    )


def load(move: Move, server: Server, license: DeclaredLicense, phase: Phase) -> PersonsStep:
    """Loading a response ends an exchange (docs/domain.md#pending-requests)."""
    number = license.number
    activates = phase is Phase.ACTIVATE
    word = "Activate" if activates else "Deactivate..."
    reason = "The license is in between until its response is loaded."
    if activates:
        reason += " It shows 'Pending Activation', and its properties say 'Press Activate to Finish'."
    else:
        reason += " Where a deactivation takes its response is not documented: the wizard that saved the request does."
    end = "'Successful Activation', and the status is Active" if activates else "the status Inactive Nodelock"
    return PersonsStep(
        phase,
        Kind.LOAD,
        server.host,
        f"Load the response of {number}",
        reason,
        f"The license configuration shows {end}.",
        subject=number,
        path=(*CONFIGURATION, f"select {number}", word),
        values=(Value("Response file", f"{digits(number)}.response"),),
        evidence=Evidence.of_exchange(phase),
    )


def activate(move: Move, license: DeclaredLicense, is_first: bool) -> PersonsStep:
    """The pages of the License Install Wizard in their order (docs/domain.md#license-manager-on-windows)."""
    number, target = license.number, move.target
    code = move.code_of(number)
    kind = "Personal nodelock" if license.nodelock == PERSONAL else "Machine nodelock"
    values = [
        Value("License number", number),
        Value("License protection", "Activation code"),
        Value("Activation code", f"the value of {code}", code),
        Value("Nodelock protection", kind),
        Value("Communication method", "Offline" if move.is_offline else "Online"),
    ]
    shows = "The license configuration shows the license with the status Active."
    if move.is_offline:
        values.append(Value("Request file", f"{digits(number)}.request"))
        shows = "The license shows 'Pending Activation'. Do not start a second request for this license."
    first = " A new manager opens this wizard by itself." if is_first else ""
    return PersonsStep(
        Phase.ACTIVATE,
        Kind.ACTIVATE,
        target.host,
        f"Install and activate license {number}",
        f"The target holds the license from here on.{first} Where the wizard offers to store the activation code, "
        "leave that unticked.",
        shows,
        subject=number,
        path=(*CONFIGURATION, "Install License"),
        values=tuple(values),
        evidence=move.evidence_of(Phase.ACTIVATE),
        transfers=move.transfers_of_activation,
        is_ours=move.is_ours(target, Kind.ACTIVATE),
    )


def profile_steps(move: Move) -> Iterator[PersonsStep]:
    """Names, order and default marks (docs/domain.md#migration-by-hand, docs/domain.md#profiles)."""
    target, own = move.target, {license.profile for license in move.licenses}
    for profile in move.profiles:
        is_own = profile.name in own
        yield PersonsStep(
            Phase.ACTIVATE,
            Kind.PROFILE,
            target.host,
            f"Rename the profile of {profile.license} to {profile.name}"
            if is_own
            else f"Add profile {profile.name} for {profile.license}",
            "Clients and PRO ask for a license by the name of its profile. A new license has an abstract name."
            if is_own
            else "The license has a further profile. The entries of the menu Profile are not documented.",
            f"The list of profiles shows {profile.name} beside {profile.license}.",
            subject=profile.name,
            path=("left panel", "All Profiles (+)", "click the profile, and a second later click its name again")
            if is_own
            else ("Maintenance", "Profile"),
            values=(Value("Profile", profile.name), Value("License", profile.license)),
        )
    yield PersonsStep(
        Phase.ACTIVATE,
        Kind.ORDER,
        target.host,
        "Set the order and the default marks",
        "A client that names no profile takes the first valid default from top to bottom.",
        "The license configuration shows the licenses in this order, with these ticks.",
        path=(*CONFIGURATION, "Move Up, Move Down, tick Default"),
        values=tuple(
            Value(license.number, "Default ticked" if license.default else "Default not ticked")
            for license in move.licenses
        ),
    )


def user_steps(move: Move, users: Sequence[str] | None) -> Iterator[PersonsStep]:
    """Registered users belong to a license (docs/domain.md#registered-users)."""
    for license in move.licenses if users is None or users else ():
        known = tuple(Value("Domain\\User", user) for user in users or ())
        yield PersonsStep(
            Phase.ACTIVATE,
            Kind.USERS,
            move.target.host,
            f"Enter the registered users of {license.number}",
            "Registered users do not move with a license. Each license has a list of its own, and grants a number of "
            "them. Skip a license that had none.",
            "The dialog lists the same users as on the source.",
            subject=license.number,
            path=(f"select {license.number}", *USERS),
            values=known or (Value("Domain\\User", f"as the same dialog on {move.source.host} shows them"),),
        )
