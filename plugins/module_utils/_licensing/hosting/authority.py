# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing an activation authority as a service: the package, a unit with a user of its own, and its ledger."""

from __future__ import annotations

import contextlib
import shlex
import ssl
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..addresses import parse_host, parse_ip
from ..errors import LicensingError, Problem, refuse
from ..files import Folder
from ..home.store import FOREIGN, Home
from ..http import Call, Endpoint, Failure, ask, tls_context
from ..requirements import missing, require_cryptography, require_tornado
from .changes import ChangeKind, HostChange
from .install import Package, place_problems, stale_files, version_problems, write_package
from .ownership import account, home_problems, ledger_problems
from .ports import address_problems
from .service import ARCHIVE, PATIENCE, lasting_holders
from .systemd import Unit, command_line, unit_text

UNIT = "aims-license-authority.service"
USER = "aims-authority"
LEDGER = "/var/lib/aims-license-authority/authority.db"
# Seconds for a sign of life of a service on this host, and bytes of its realm.
_GLANCE, _LIMIT = 5.0, 1 << 16
_TOO_MANY = 429


@dataclass(frozen=True)
class Serving:
    """How an authority is served.

    :ivar ledger: its path, in a folder of its own
    :ivar name: the realm's name; REHEARSAL is put before it
    :ivar hosts: the names and IP addresses that its certificate is to hold; the machine's own where there are none
    :ivar listen: an IP address; "" is all of them
    :ivar emergency_days: for how long it activates what a lost machine holds; None leaves it as the ledger has it
    :ivar smtp: the mail server, ``host[:port]``; None sends no mail
    """

    ledger: str = LEDGER
    name: str = "authority"
    hosts: tuple[str, ...] = ()
    listen: str = ""
    port: int = 8443
    emergency_days: int | None = None
    smtp: str | None = None
    smtp_starttls: bool = False
    smtp_user: str | None = None
    smtp_password_file: str | None = None
    mail_from: str | None = None

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Serving:
        """Read the options of the module, or refuse."""
        hosts = tuple(parse_host(host, "hosts") for host in given["hosts"])
        made = cls(**{**given, "hosts": hosts, "listen": given["listen"] and parse_ip(given["listen"], "listen")})
        if not 0 < made.port < 65536:
            raise refuse(f"{made.port} is not a port.", "port", "Use 1 to 65535.")
        # Its folder becomes the service user's own.
        if not made.ledger.startswith("/") or len(Path(made.ledger).parts) < 4 or ".." in Path(made.ledger).parts:
            raise refuse(f"{made.ledger!r} is no place for a ledger.", "ledger", f"Name a file such as {LEDGER}.")
        return made

    def arguments(self) -> list[str]:
        """Return the arguments of ``authority serve``."""
        found = ["--ledger", self.ledger, "--port", str(self.port)]
        for host in self.hosts:
            found += ["--host", host]
        named = {
            "--listen": self.listen,
            "--emergency-days": None if self.emergency_days is None else str(self.emergency_days),
            "--smtp": self.smtp,
            "--smtp-user": self.smtp_user,
            "--smtp-password-file": self.smtp_password_file,
            "--mail-from": self.mail_from,
        }
        for option, value in named.items():
            found += [option, value] if value else []
        return [*found, "--smtp-starttls"] if self.smtp_starttls else found


@dataclass(frozen=True)
class Served:
    """What an installation did, or in a dry run would do.

    :ivar realm: what hosts are to be told, ``{name, id, key, ca}``; None in a dry run where nothing serves yet
    """

    changes: tuple[HostChange, ...]
    realm: Mapping[str, Any] | None

    @property
    def words(self) -> tuple[str, ...]:
        """The changes in words."""
        return tuple(map(str, self.changes))


def install_authority(home: Home, package: Package, serving: Serving, dry: bool = False) -> Served:
    """Bring a host to serve an authority by systemd, with the package in a home of its own.

    :raises LicensingError: with everything that is wrong before anything is touched, or with the end of the service's
        journal where it does not come up
    """
    stale = stale_files(home, package)
    unit = Unit(UNIT, _unit_text(home, package, serving), USER)
    changes = unit.drift()
    if stale:
        changes.insert(0, HostChange(ChangeKind.INSTALL, package.version))
    realm = None if changes else _ask(serving)
    if not changes and realm is None:
        changes.append(HostChange(ChangeKind.REVIVE, "the authority"))
    _check(home, package, unit, serving, bool(changes))
    if not changes or dry:
        return Served(tuple(changes), realm)
    write_package(home, stale)
    # Stopped first: a unit that was written while the old process goes on would pass for the new one.
    unit.stop()
    unit.write()
    _own(serving)
    unit.start()
    return Served(tuple(changes), _wait(unit, serving))


def remove_authority(home: Home, dry: bool = False) -> Served:
    """Stop the service and remove its unit; the ledger and the package stay."""
    unit = Unit(UNIT, "", USER)
    if not unit.is_written():
        return Served((), None)
    if not dry:
        unit.remove()
    return Served((HostChange(ChangeKind.REMOVE_UNIT, UNIT),), None)


def _unit_text(home: Home, package: Package, serving: Serving) -> str:
    command = [sys.executable, home.folder.place(ARCHIVE), "authority"]
    init = [*command, "init", "--ledger", serving.ledger, "--name", serving.name]
    for host in serving.hosts:
        init += ["--host", host]
    made = f"test -e {shlex.quote(serving.ledger)} || exec {shlex.join(init)} > /dev/null"
    return unit_text(
        "Activation authority (aims.licensing)",
        USER,
        [*command, "serve", *serving.arguments()],
        [str(Path(serving.ledger).parent)],
        [
            "# The content of the package: another one is another unit, and restarts it.",
            f"Environment=AIMS_LICENSING_DIGEST={package.digest}",
            f"ExecStartPre={command_line(['/bin/sh', '-c', made])}",
        ],
    )


def _check(home: Home, package: Package, unit: Unit, serving: Serving, restarts: bool) -> None:
    problems = missing(require_cryptography, require_tornado)
    if home.state() == FOREIGN:
        home.require()
    # A removal leaves the package, which is nobody's then.
    problems += version_problems(home, package) if unit.is_written() else []
    problems += unit.problems() + place_problems(home) + home_problems(home)
    problems += ledger_problems(Path(serving.ledger).parent)
    wrong = address_problems(serving.listen) if restarts else []
    problems += wrong
    # Any change restarts it, be it elsewhere: whatever its own process holds is free by then.
    asked = restarts and not wrong
    names = lasting_holders(serving.listen, serving.port, unit.main_process()) if asked else []
    if names:
        what = f"Port {serving.port}, which the authority needs, is in use by {', '.join(names)}."
        problems.append(Problem(what, serving.listen or "this host", "Stop it, or give the authority another port."))
    folder = Path(serving.ledger).parent
    if folder.is_dir() and any(folder.iterdir()) and _owner(folder) not in (USER, None):
        todo = "Name a ledger in a folder of its own; the service's user is to own it."
        problems.append(Problem("The ledger's folder belongs to somebody else.", str(folder), todo))
    if problems:
        raise LicensingError(problems)


def _owner(folder: Path) -> str | None:
    try:
        return folder.owner()
    except KeyError:
        return None


def _own(serving: Serving) -> None:
    folder = Path(serving.ledger).parent
    Folder(folder).make(mode=0o700)
    user = account(USER)
    Folder(folder).hand_all(user.pw_uid, user.pw_gid)


def _wait(unit: Unit, serving: Serving) -> Mapping[str, Any]:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        # One that turns this host away may take it again within that time.
        with contextlib.suppress(LicensingError):
            realm = _ask(serving)
            if realm is not None:
                return realm
        time.sleep(0.1)
    raise unit.failed(f"was started, but does not answer within {PATIENCE:g} seconds")


def _ask(serving: Serving) -> Mapping[str, Any] | None:
    """Ask the service on this host for its realm, over TLS that its own CA vouches for; None without an answer.

    :raises LicensingError: it runs, but answers nobody from here for a while
    """
    folder = Folder(Path(f"{serving.ledger}.tls"))
    # What this machine cannot read or reach tells nothing about the service, and is told as it is.
    ca = folder.find("ca.pem")
    if ca is None:
        return None
    try:
        context = tls_context(ca.decode("ascii"))
    except (ssl.SSLError, ValueError):
        return None
    # Its certificate names the hosts that others reach it by, of which the loopback need not be one.
    context.check_hostname = False
    where = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(serving.listen, serving.listen)  # noqa: S104
    endpoint = Endpoint(where, serving.port, tls=context, connect=_GLANCE, silence=_GLANCE, size=_LIMIT)
    try:
        answer = ask(endpoint, Call("GET", "/v1/realm"))
    except Failure as failure:
        if failure.own is not None:
            raise failure.own from None
        return None
    if answer.status == _TOO_MANY:
        what = "The authority turns this host away: too many calls came from it, or too many that were wrong."
        raise refuse(what, UNIT, f"Wait {answer.pause or 600:.0f} seconds, then run this again.")
    return (answer.members() or None) if answer.is_ok else None
