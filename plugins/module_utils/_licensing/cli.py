# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands ``licman`` and ``authority``.

``licman`` has the two documented commands of the vendor (docs/domain.md#license-server-on-linux) and our own.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

from . import VERSION, client_commands
from .authority.embedded import open_ledger_channel
from .channel.base import OFFLINE, Channel, check_authority, open_channel
from .client import NoAnswer
from .declared import DeclaredLicense
from .errors import LicensingError, refuse
from .files import PRIVATE, Folder
from .fingerprint import read_fingerprint
from .manager.drain import DrainOptions
from .manager.factory import BUNDLED, open_manager
from .manager.freshness import Freshness
from .manager.port import Activation, Change, Deactivation, LicenseManager, Maintenance, ProfileChange
from .model import NODELOCKS, Profile, digits, parse_code, parse_number, parse_profile
from .overview import Overview, ServerView
from .server.command import licsrv
from .system import unhandled
from .terminal import Unprinted, check_folder, complain, unwritten
from .terminal import print_json as _print_json
from .terminal import read_file as _read_file
from .terminal import read_line as _line
from .terminal import say as _say

REFUSED = 1
WAITING = 3
NO_ANSWER = 4
UNPRINTED = 5
_EXIT_CODES = (
    "Exit codes: 0 done, 1 refused, 2 wrong usage, 3 waiting for a response file, 4 the license server does not "
    "answer, 5 done, but the result could not be printed."
)


def main(arguments: Sequence[str]) -> int:
    """Run ``licman``, ``licsrv`` or ``authority``. Return the exit code."""
    commands: dict[str, Callable[[Sequence[str]], int]] = {"licman": licman, "licsrv": licsrv, "authority": authority}
    if not arguments or arguments[0] not in commands:
        complain("usage: licman … | licsrv … | authority …")
        return 2
    try:
        try:
            return commands[arguments[0]](arguments[1:])
        except OSError as error:
            raise unhandled(error) from error
    except Unprinted as error:
        complain(
            f"The result cannot be printed: {error}. The command itself has succeeded; run it again to see the result."
        )
        return UNPRINTED
    except LicensingError as error:
        _tell_problems(error, "--json" in arguments)
        return NO_ANSWER if isinstance(error, NoAnswer) else REFUSED


def _tell_problems(error: LicensingError, as_json: bool) -> None:
    if as_json:
        try:
            _print_json({"problems": [problem.as_dict() for problem in error.problems]})
            return
        except Unprinted:
            pass
    complain("\n".join(map(str, error.problems)))


def licman(arguments: Sequence[str]) -> int:
    """Run the command ``licman``. Return the exit code."""
    options = _licman_parser().parse_args(arguments)
    check = client_commands.chosen(options)
    if check is not None:
        return _show(check(options), options)
    if options.fingerprint:
        return _show(read_fingerprint(options.root), options)
    freshness = Freshness()
    manager = open_manager(BUNDLED, options.home, root=options.root, freshness=freshness)
    overview = manager.overview()
    if options.nodelock_activate is not None:
        number = parse_number(options.nodelock_activate)
        if not options.add_license and overview.license(number) is None:
            raise refuse(f"License {number} is not installed here.", options.home, "Add --add-license to install it.")
        profile = None if options.profile is None else parse_profile(options.profile, "--profile")
        license = DeclaredLicense(number, _code(options.activation_code), profile, nodelock=options.type)
        # A person may need time to type the code.
        freshness.renew()
        activation = Activation([license], emergency=[number] if options.emergency else [])
        change = manager.activate(activation, _channel(options, overview.server))
    elif options.nodelock_deactivate is not None:
        deactivation = Deactivation([parse_number(options.nodelock_deactivate)])
        change = manager.deactivate(deactivation, _channel(options, overview.server))
        if change.again is not None:
            raise refuse(
                "The license is fenced but not given back yet, because the command took too long.",
                options.home,
                "Repeat this command. It gives the license back only once.",
            )
    elif options.nodelock_update is not None:
        change = manager.update([parse_number(options.nodelock_update)], _channel(options, overview.server))
    elif options.profile_add is not None:
        change = _add_profile(manager, overview, options)
    elif options.profile_remove is not None:
        change = manager.set_profiles(ProfileChange(absent=[parse_profile(options.profile_remove)]))
    elif options.maintenance:
        drain = None if options.drain is None else DrainOptions(options.drain)
        change = manager.set_maintenance(Maintenance(options.maintenance == "on", drain))
    else:
        change = Change(False, overview, overview)
    return _tell(change, options)


def _licman_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("licman", description="Manage a license server.", epilog=_EXIT_CODES)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--nodelock-activate", metavar="NUMBER")
    what.add_argument("--nodelock-deactivate", metavar="NUMBER")
    what.add_argument("--nodelock-update", metavar="NUMBER", help="fetch the current license file from the authority")
    what.add_argument("--profile-add", metavar="NAME")
    what.add_argument("--profile-remove", metavar="NAME")
    what.add_argument("--maintenance", choices=("on", "off"))
    what.add_argument("--fingerprint", action="store_true", help="show the fingerprint of this machine by component")
    client_commands.add_arguments(parser, what)
    what.add_argument("--overview", action="store_true", help="show licenses, profiles, users, requests and clients")
    what.add_argument("--version", action="version", version=VERSION)
    parser.add_argument(
        "--type", choices=NODELOCKS, default="machine", help="kind of the nodelock (default: %(default)s)"
    )
    parser.add_argument("--activation-code", metavar="CODE", help="the code, or - to read it from standard input")
    parser.add_argument("--add-license", action="store_true", help="install the license if it is not installed")
    parser.add_argument("--emergency", action="store_true", help="activate a license of a lost machine for a few days")
    parser.add_argument("--license", metavar="NUMBER", help="the license of the profile")
    parser.add_argument("--profile", metavar="NAME", help="profile name for the activated license")
    parser.add_argument("--default", action="store_true", help="mark the added profile Default")
    parser.add_argument("--response", metavar="FILE", help="response file to load for a pending request")
    parser.add_argument("--request-dir", metavar="DIR", default=".", help="folder for offline request files")
    parser.add_argument(
        "--drain", type=float, metavar="SECONDS", help="with --maintenance on: wait for seats in use, or leave it again"
    )
    parser.add_argument(
        "--authority", help="https://HOST[:PORT], offline or ledger:PATH (default: that of the installed server)"
    )
    parser.add_argument("--home", default="/opt/aims-license-server")
    parser.add_argument("--root", default="", help="alternate root")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _show(data: dict[str, Any], options: argparse.Namespace) -> int:
    if options.json:
        _print_json(data)
    else:
        for key, value in data.items():
            _say(f"{key}: {value}")
    return 0


def _channel(options: argparse.Namespace, server: ServerView) -> Channel:
    """Open the channel to the authority. The default is offline."""
    authority = options.authority or server.authority or "offline"
    if check_authority(authority) == OFFLINE and not options.response:
        # Check now, because a license is fenced before its request can be written.
        check_folder(Path(options.request_dir).absolute())
    return open_channel(authority, open_ledger_channel, _responses(options), realm=server.realm)


def _code(text: str | None) -> str:
    if text is None:
        raise refuse(
            "The activation code is missing.", "--activation-code", "Add it, or - to read it from standard input."
        )
    return parse_code(_line() if text == "-" else text, "--activation-code")


def _responses(options: argparse.Namespace) -> dict[str, bytes]:
    named = options.nodelock_activate or options.nodelock_deactivate or options.nodelock_update
    return {parse_number(named): _read_file(options.response)} if named and options.response else {}


def _add_profile(manager: LicenseManager, overview: Overview, options: argparse.Namespace) -> Change:
    if not options.license:
        raise refuse("The license of the profile is missing.", "--license", "Add --license aaa.bbb.ccc.ddd.")
    added = Profile(parse_profile(options.profile_add), parse_number(options.license), options.default)
    others = [view.profile for view in overview.profiles if view.name != added.name]
    return manager.set_profiles(ProfileChange([*others, added]))


def _tell(change: Change, options: argparse.Namespace) -> int:
    written = []
    for number, request in change.requests.items():
        folder = Path(options.request_dir).absolute()
        try:
            Folder(folder).write(f"{digits(number)}.request", request, PRIVATE)
        except LicensingError as error:
            what = f"The request for license {number} is pending on this host"
            again = "The same command writes the same request again, also to another folder."
            raise unwritten(error, what, again) from error
        written.append(str(folder / f"{digits(number)}.request"))
    if options.json:
        results = [result.as_dict() for result in change.results]
        overview = change.after.as_dict()
        _print_json({"changed": change.changed, "results": results, "requests": written, "overview": overview})
    else:
        _print_overview(change.after)
        for path in written:
            _say(f"\nRequest written: {path}\nHave it processed, then repeat this command with --response FILE.")
    return WAITING if written else 0


def _print_overview(overview: Overview) -> None:
    for license in overview.licenses:
        until = f"  (emergency until {license.until})" if license.until else ""
        _say(f"{license.number}  {license.seats:>6} seats  {license.status.value:<20} {license.type}{until}")
    for profile in overview.profiles:
        _say(f"{profile.name:<32} {profile.license}{'  default' if profile.default else ''}")
    for user in overview.users:
        _say(f"User {user}")
    for request in overview.pending:
        _say(f"{request.number}  pending: {request.action}{f', since {request.made}' if request.made else ''}")
    for client in overview.clients:
        _say(f"{client.license}  in use: {client.profile} by {client.user} since {client.since}")
    if overview.clients_total > len(overview.clients):
        _say(f"and {overview.clients_total - len(overview.clients)} more seats in use")


def authority(arguments: Sequence[str]) -> int:
    """Run the command ``authority``. Return the exit code."""
    from .authority.command import authority as run

    return run(arguments)
