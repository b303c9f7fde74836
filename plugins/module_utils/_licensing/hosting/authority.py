# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs an activation authority as a service: its package, its unit and user, and its ledger."""

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
from .install import place_problems, version_problems, write_package
from .ownership import account, home_problems, ledger_problems
from .package import Package, stale_files
from .ports import address_problems
from .service import ARCHIVE, PATIENCE, lasting_holders
from .systemd import Unit, command_line, unit_text

UNIT = "aims-license-authority.service"
USER = "aims-authority"
LEDGER = "/var/lib/aims-license-authority/authority.db"
# Seconds to wait for the service on this host, and the maximum size of its answer in bytes.
_GLANCE, _LIMIT = 5.0, 1 << 16
_TOO_MANY = 429


@dataclass(frozen=True)
class Serving:
    """The settings of an authority's service.

    :ivar ledger: the ledger's path, in a folder of its own
    :ivar name: the realm's name; ``authority init`` prefixes it with REHEARSAL
    :ivar hosts: names and IP addresses for the certificate; by default the machine's own
    :ivar listen: an IP address; "" means all addresses
    :ivar emergency_days: length of an emergency activation in days; None keeps the ledger's setting
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
    def from_dict(cls, params: Mapping[str, Any]) -> Serving:
        """Read the options of the module; refuse invalid ones."""
        hosts = tuple(parse_host(host, "hosts") for host in params["hosts"])
        made = cls(**{**params, "hosts": hosts, "listen": params["listen"] and parse_ip(params["listen"], "listen")})
        if not 0 < made.port < 65536:
            raise refuse(f"{made.port} is not a port.", "port", "Use 1 to 65535.")
        # The installation gives the ledger's folder to the service's user, so it must not be a system folder.
        if not made.ledger.startswith("/") or len(Path(made.ledger).parts) < 4 or ".." in Path(made.ledger).parts:
            raise refuse(
                f"{made.ledger!r} is not a usable path for a ledger.", "ledger", f"Use a path such as {LEDGER}."
            )
        return made

    def arguments(self) -> list[str]:
        """Return the arguments of ``authority serve``."""
        options = ["--ledger", self.ledger, "--port", str(self.port)]
        for host in self.hosts:
            options += ["--host", host]
        named = {
            "--listen": self.listen,
            "--emergency-days": None if self.emergency_days is None else str(self.emergency_days),
            "--smtp": self.smtp,
            "--smtp-user": self.smtp_user,
            "--smtp-password-file": self.smtp_password_file,
            "--mail-from": self.mail_from,
        }
        for option, value in named.items():
            options += [option, value] if value else []
        return [*options, "--smtp-starttls"] if self.smtp_starttls else options


@dataclass(frozen=True)
class Served:
    """The result of an installation; in a dry run, its forecast.

    :ivar realm: the realm for hosts, ``{name, id, key, ca}``; None in a dry run if no authority answers yet
    """

    changes: tuple[HostChange, ...]
    realm: Mapping[str, Any] | None

    @property
    def words(self) -> tuple[str, ...]:
        """The changes in words."""
        return tuple(map(str, self.changes))


def install_authority(home: Home, package: Package, serving: Serving, dry: bool = False) -> Served:
    """Install an authority on this host as a systemd service, with its package in a home of its own.

    :raises LicensingError: a precondition fails (lists all; nothing was changed), or the service does not start (with
        the end of its journal)
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
    # Stop first. Otherwise an interrupted run leaves the new unit with the old process, and the next run sees no drift.
    unit.stop()
    unit.write()
    _own(serving)
    unit.start()
    return Served(tuple(changes), _wait(unit, serving))


def remove_authority(home: Home, dry: bool = False) -> Served:
    """Stop the service and remove its unit. The ledger and the package stay."""
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
            "# The digest of the package: a new package changes this unit, which restarts the service.",
            f"Environment=AIMS_LICENSING_DIGEST={package.digest}",
            f"ExecStartPre={command_line(['/bin/sh', '-c', made])}",
        ],
    )


def _check(home: Home, package: Package, unit: Unit, serving: Serving, restarts: bool) -> None:
    problems = missing(require_cryptography, require_tornado)
    if home.state() == FOREIGN:
        home.require()
    # A removal leaves the package behind; it does not count as an installed version.
    problems += version_problems(home, package) if unit.is_written() else []
    problems += unit.problems() + place_problems(home) + home_problems(home)
    problems += ledger_problems(Path(serving.ledger).parent)
    wrong = address_problems(serving.listen) if restarts else []
    problems += wrong
    # Any change restarts the service, which frees the ports of its own process.
    asked = restarts and not wrong
    names = lasting_holders(serving.listen, serving.port, unit.main_process()) if asked else []
    if names:
        what = f"Port {serving.port}, which the authority needs, is in use by {', '.join(names)}."
        problems.append(Problem(what, serving.listen or "this host", "Stop it, or set another port for the authority."))
    folder = Path(serving.ledger).parent
    if folder.is_dir() and any(folder.iterdir()) and _owner(folder) not in (USER, None):
        todo = "Use a ledger in a folder of its own, because the service's user has to own that folder."
        problems.append(Problem("The ledger's folder belongs to another user.", str(folder), todo))
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
    Folder(folder).set_owners(user.pw_uid, user.pw_gid)


def _wait(unit: Unit, serving: Serving) -> Mapping[str, Any]:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        # A service that rate-limits this host may answer again within that time.
        with contextlib.suppress(LicensingError):
            realm = _ask(serving)
            if realm is not None:
                return realm
        time.sleep(0.1)
    raise unit.failed(f"was started, but does not answer within {PATIENCE:g} seconds")


def _ask(serving: Serving) -> Mapping[str, Any] | None:
    """Ask the service on this host for its realm, authenticated by its own CA. Return None without an answer.

    :raises LicensingError: the service rate-limits this host, or this machine cannot make the call
    """
    folder = Folder(Path(f"{serving.ledger}.tls"))
    # If this machine cannot read the file or make the call, that says nothing about the service: raise the error.
    ca = folder.find("ca.pem")
    if ca is None:
        return None
    try:
        context = tls_context(ca.decode("ascii"))
    except (ssl.SSLError, ValueError):
        return None
    # The certificate has the names that other hosts use; loopback may not be among them.
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
        what = "The authority rejects this host: it sent too many calls, or too many wrong ones."
        raise refuse(what, UNIT, f"Wait {answer.pause or 600:.0f} seconds, then run this again.")
    return (answer.members() or None) if answer.is_ok else None
