# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory declares: its pairs, and everything that is wrong with it, before any host is touched."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import Listen
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import (
    check_authority,
    check_realm,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import (
    read_declared_licenses,
    read_numbers,
    read_profiles,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import (
    LicensingError,
    Problem,
    refuse,
    shown,
    unsecret,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.config import SERVICES
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.factory import BUNDLED, open_manager
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import (
    date_after,
    now_utc,
    parse_number,
    parse_seats,
    parse_seconds,
    parse_type,
    parse_user,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.portal_options import portal_problems
from ansible_collections.aims.licensing.plugins.plugin_utils._places import host_problem, pair_problem

PREFIX = "aims_license_"
TARGETS = "aims_license_targets"
SOURCES = "aims_license_sources"
GRANTS = "aims_license_migrate_rehearse_licenses"
GRANTED = ("type", "seats", "days")
REHEARSE_AUTHORITY = "aims_license_migrate_rehearse_authority"
LEDGER = "ledger:"
DEFAULT_LEDGER = "/var/lib/aims-license-authority/authority.db"
DEFAULT_HOME = "/opt/aims-license-server"
# Every variable that somebody may set; the roles' argument specs name the same ones, and a test compares them.
VARIABLES = frozenset(
    {
        "aims_license_authority_emergency_days",
        "aims_license_authority_home",
        "aims_license_authority_hosts",
        "aims_license_authority_ledger",
        "aims_license_authority_listen",
        "aims_license_authority_mail_from",
        "aims_license_authority_name",
        "aims_license_authority_port",
        "aims_license_authority_smtp",
        "aims_license_authority_smtp_password_file",
        "aims_license_authority_smtp_starttls",
        "aims_license_authority_smtp_user",
        "aims_license_server_authority",
        "aims_license_server_backend",
        "aims_license_server_home",
        "aims_license_server_licenses",
        "aims_license_server_listen",
        "aims_license_server_portal",
        "aims_license_server_portal_email",
        "aims_license_server_profiles",
        "aims_license_server_realm",
        "aims_license_server_requests_dir",
        "aims_license_server_root",
        "aims_license_server_service",
        "aims_license_server_users",
        "aims_license_migrate_accept_unauthenticated",
        "aims_license_migrate_bundle",
        "aims_license_migrate_dir",
        "aims_license_migrate_direction",
        "aims_license_migrate_drain_force",
        "aims_license_migrate_drain_seconds",
        "aims_license_migrate_emergency",
        "aims_license_migrate_rehearse_authority",
        "aims_license_migrate_rehearse_bundle",
        "aims_license_migrate_rehearse_licenses",
        "aims_license_migrate_source",
        "aims_license_migrate_source_lost",
        "aims_license_migrate_without_files",
    }
)


@dataclass(frozen=True)
class Server:
    """One host's license server, as the modules take it.

    :ivar service: what runs it; "" leaves it to the module
    :ivar listen: ``{clients, management}``; empty leaves it as it is
    """

    host: str
    home: str
    root: str
    backend: str
    authority: str
    service: str
    listen: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, with what every module of the group takes of it in ``options``."""
        plain = asdict(self)
        return {**plain, "options": {name: plain[name] for name in ("home", "root", "backend", "authority")}}


class HostVariables:
    """The collection's variables of one host.

    :param names: the names of all variables of the host
    :param read: returns a variable's value by name, or raises whatever templating raises
    :param raw: returns it as it was written, by name
    :param resolve: returns a part of such a value with its templates resolved, or raises likewise
    :ivar problems: what cannot be resolved
    :ivar unresolved: where that is
    """

    def __init__(
        self,
        host: str,
        names: Iterable[str],
        read: Callable[[str], Any],
        raw: Callable[[str], Any],
        resolve: Callable[[Any], Any],
    ) -> None:
        self.host = host
        self._names = {str(name) for name in names if str(name).startswith(PREFIX)}
        self._read, self._raw, self._resolve = read, raw, resolve
        self.problems: list[Problem] = []
        self.unresolved: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value; what of it cannot be resolved becomes problems, and None or the default."""
        if name not in self._names:
            return default
        # Templating raises many types over the versions of ansible-core; none of them may end in a traceback.
        try:
            value = self._read(name)
        except Exception as error:
            found = len(self.unresolved)
            value = self._in_parts(self._raw(name), self.where(name))
            if len(self.unresolved) == found:
                self._cannot_resolve(self.where(name), error)
                value = None
        return default if value is None else value

    def _in_parts(self, raw: Any, where: str) -> Any:
        if isinstance(raw, Mapping):
            return {key: self._in_parts(part, f"{where}.{key}") for key, part in raw.items()}
        if isinstance(raw, (list, tuple)):
            return [self._in_parts(part, f"{where}[{at}]") for at, part in enumerate(raw)]
        try:
            return self._resolve(raw)
        except Exception as error:
            self._cannot_resolve(where, error)
            return None

    def _cannot_resolve(self, where: str, error: Exception) -> None:
        first = unsecret((str(error).strip().splitlines() or [type(error).__name__])[0])
        self.unresolved.add(where)
        self.problems.append(Problem(f"The variable cannot be resolved: {first}", where, "Define what it refers to."))

    def where(self, name: str) -> str:
        return f"inventory host {self.host}, {name}"

    def unknown(self) -> list[Problem]:
        """Say which variables with our prefix no role knows: most likely typing errors."""
        problems = []
        for name in sorted(self._names - VARIABLES):
            near = difflib.get_close_matches(name, VARIABLES, 1)
            todo = f"Did you mean {near[0]}?" if near else "Remove it; docs/variables.md lists the variables."
            problems.append(Problem(f"There is no variable {unsecret(name)}.", f"inventory host {self.host}", todo))
        return problems


def read_server(host: HostVariables) -> tuple[Server, list[Problem]]:
    """Return a host's license server with its defaults, and what is wrong with it."""
    server = Server(
        host=host.host,
        home=_text(host.get("aims_license_server_home", DEFAULT_HOME)),
        root=_text(host.get("aims_license_server_root", "")),
        backend=_text(host.get("aims_license_server_backend", BUNDLED)),
        authority=_text(host.get("aims_license_server_authority", "")),
        service=_text(host.get("aims_license_server_service", "")),
        listen=_listen(host.get("aims_license_server_listen", {})),
    )
    realm = host.get("aims_license_server_realm")
    problems = []
    checks: Sequence[tuple[str, Callable[[], object]]] = (
        ("aims_license_server_backend", lambda: open_manager(server.backend, DEFAULT_HOME)),
        ("aims_license_server_home", lambda: _absolute(server.home)),
        ("aims_license_server_root", lambda: _absolute(server.root or "/-")),
        ("aims_license_server_authority", lambda: _authority(server.authority, realm)),
        ("aims_license_server_service", lambda: _service(server.service)),
        ("aims_license_server_listen", lambda: Listen.from_dict(server.listen, "")),
    )
    for name, check in checks:
        try:
            check()
        except LicensingError as error:
            problems += [Problem(problem.what, host.where(name), problem.todo) for problem in error.problems]
    return server, problems


def _text(value: object) -> str:
    """A value that should be a text; what is none is told as what it is."""
    return value if isinstance(value, str) else shown(value)


def _service(name: str) -> None:
    if name and name not in SERVICES:
        raise refuse(f"{shown(name)} runs no license server.", "", f"Use {', '.join(SERVICES[:-1])} or {SERVICES[-1]}.")


def _listen(given: object) -> dict[str, Any]:
    """The declared addresses; what is no mapping is told as the address that it is not."""
    if not isinstance(given, Mapping):
        return {"clients": given}
    # A misspelt key would be left out without a word, and the server would listen where nobody expects it.
    unknown = {key: value for key, value in given.items() if key not in ("clients", "management")}
    return {"clients": f"{next(iter(unknown))}: ..."} if unknown else dict(given)


def _authority(authority: str, realm: object) -> None:
    address = check_authority(authority)
    # A realm that is none is told of by its own variable.
    with contextlib.suppress(LicensingError):
        realm = Realm.from_dict(realm, "") if realm is not None else None
    if realm is None or isinstance(realm, Realm):
        check_realm(address, realm)


def _absolute(path: str) -> None:
    if not path.startswith("/") or ".." in path.split("/") or path.strip("/") == "" or not path.isprintable():
        raise refuse(f"{shown(path)} is not an absolute path of a folder.", "", "Write it with its full path.")


def read_declared(host: HostVariables) -> tuple[list[str], list[Problem]]:
    """Return the numbers of a host's declared licenses, as far as they can be read, and what is wrong there."""
    name, further = "aims_license_server_licenses", "aims_license_server_profiles"
    declared, profiles = host.get(name), host.get(further, [])
    problems: list[Problem] = []
    if declared is None and host.where(name) not in host.unresolved:
        todo = "Declare a list of {number, activation_code, profile, default}."
        problems.append(Problem("No licenses are declared.", host.where(name), todo))
    numbers, all_read = _numbers(declared)
    checks: list[Callable[[], object]] = [
        lambda: () if declared is None else read_declared_licenses(declared, host.where(name)),
        # A profile may mean the very license whose number cannot be read.
        lambda: read_profiles(profiles, host.where(further), numbers if all_read else None),
    ]
    problems += _told(checks)
    problems += [
        Problem(f"Profile {profile} is declared for a license already.", host.where(further), "Keep one of them.")
        for profile in sorted(_values(declared, "profile") & _values(profiles, "name"))
    ]
    problems += _check_extras(host)
    return numbers, [problem for problem in problems if problem.where not in host.unresolved]


def _told(checks: Iterable[Callable[[], object]]) -> list[Problem]:
    problems: list[Problem] = []
    for check in checks:
        try:
            check()
        except LicensingError as error:
            problems.extend(error.problems)
    return problems


def _values(entries: object, key: str) -> set[str]:
    """The values of a key in declared entries, however wrong these may be otherwise."""
    listed = entries if isinstance(entries, (list, tuple)) else ()
    return {entry[key] for entry in listed if isinstance(entry, Mapping) and isinstance(entry.get(key), str)}


def _numbers(declared: object) -> tuple[list[str], bool]:
    """The numbers of the declared licenses that can be read, and whether these are all."""
    if not isinstance(declared, (list, tuple)):
        return [], False
    numbers = []
    for entry in declared:
        with contextlib.suppress(LicensingError):
            numbers.append(parse_number(entry.get("number") if isinstance(entry, Mapping) else None))
    return numbers, 0 < len(numbers) == len(declared)


def _check_extras(host: HostVariables) -> list[Problem]:
    realm = host.get("aims_license_server_realm")
    checks: list[Callable[[], object]] = []
    if realm is not None:
        checks.append(lambda: Realm.from_dict(realm, host.where("aims_license_server_realm")))
    drain = host.get("aims_license_migrate_drain_seconds")
    if drain is not None:
        checks.append(lambda: _drain_seconds(drain, host.where("aims_license_migrate_drain_seconds")))
    portal, email = host.get("aims_license_server_portal"), host.get("aims_license_server_portal_email")
    return _check_users(host) + _told(checks) + portal_problems(portal, email, realm, host.where)


def _drain_seconds(value: object, where: str) -> None:
    seconds = value
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            seconds = float(value)
    parse_seconds(seconds, where)


def _check_users(host: HostVariables) -> list[Problem]:
    name = "aims_license_server_users"
    users = host.get(name, [])
    if isinstance(users, (list, tuple)):
        return _told([partial(parse_user, user, host.where(name)) for user in users])
    what = f"The registered users are a {type(users).__name__}, not a list."
    return [Problem(what, host.where(name), "Declare a list of DOMAIN\\user.")]


# A number that came from the command line is a text.
_GRANTS: Mapping[str, Callable[[Any, str], object]] = {
    "type": parse_type,
    "seats": lambda value, where: parse_seats(_number(value), where),
    "days": lambda value, where: date_after(now_utc().date(), _number(value), where),
}


def _number(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20 else value


def read_grants(given: object, where: str) -> dict[str, dict[str, Any]]:
    """Return what rehearsal licenses grant, by their numbers in the one form; refuse with every problem at once."""
    todo = "Write {number: {type: ..., seats: ..., days: ...}}, with what is to be said of it."
    if not isinstance(given, Mapping):
        raise refuse("What the licenses grant is not a mapping.", where, todo)
    problems: list[Problem] = []
    for number, granted in given.items():
        place = f"{where} of license {unsecret(str(number))}"
        if not isinstance(granted, Mapping):
            problems.append(Problem("What a license grants is not a mapping.", place, todo))
            continue
        unknown = sorted(unsecret(str(key)) for key in granted if key not in GRANTED)
        if unknown:
            known = f"Known keys are {', '.join(GRANTED)}."
            problems.append(Problem(f"Unknown key {', '.join(unknown)}.", place, known))
        checks = [partial(_GRANTS[key], granted[key], place) for key in GRANTED if key in granted]
        problems += _told(checks)
    try:
        numbers = read_numbers(list(given), where)
    except LicensingError as error:
        raise LicensingError([*error.problems, *problems]) from None
    if problems:
        raise LicensingError(problems)
    return {number: dict(granted) for number, granted in zip(numbers, given.values())}


def _check_grants(targets: Sequence[str], hosts: Mapping[str, HostVariables], declared: Iterable[str]) -> list[Problem]:
    """Find grants that no license would get. Pairs may share the variable, so a license of any pair counts."""
    problems: list[Problem] = []
    known = sorted(set(declared))
    for target in targets:
        where = hosts[target].where(GRANTS)
        try:
            numbers = read_grants(hosts[target].get(GRANTS, {}), where)
        except LicensingError as error:
            problems += [problem for problem in error.problems if problem.where not in hosts[target].unresolved]
            continue
        for number in numbers:
            if number not in known:
                near = difflib.get_close_matches(number, known, 1)
                todo = f"Did you mean {near[0]}?" if near else "Correct the number, or remove it."
                problems.append(Problem(f"License {number} is declared for no target.", where, todo))
    return problems


def read_pairs(
    targets: Sequence[str], hosts: Mapping[str, HostVariables], rehearsal: bool = False
) -> dict[str, dict[str, Any]]:
    """Return the pairs of an inventory by target, as plain data: ``{source, target, licenses, profiles, ledger}``.

    Source and target are each a :class:`Server`. The declared licenses and profiles are in their order, with their
    license numbers in the one form that results have, and without activation codes, which have no place in a result.
    ``ledger`` is the authority in which a rehearsal issues its licenses.

    :param targets: the hosts of group aims_license_targets
    :param hosts: every host of the inventory
    :param rehearsal: whether it is to be checked, too, what rehearsal licenses grant
    :raises LicensingError: with everything that is wrong in the whole inventory
    """
    problems: list[Problem] = []
    if not targets:
        todo = f"Put the new hosts into the group {TARGETS}, each with aims_license_migrate_source."
        problems.append(Problem(f"No host is in the group {TARGETS}.", "inventory", todo))
    pairs: dict[str, dict[str, Any]] = {}
    claimed: dict[str, list[str]] = {}
    wrong: dict[str, list[Problem]] = {}
    numbers: dict[str, list[str]] = {}
    for target in targets:
        host = hosts[target]
        server, found = read_server(host)
        declared, more = read_declared(host)
        problems += found + more
        for number in dict.fromkeys(declared):
            numbers.setdefault(number, []).append(target)
        source = _source_of(host, hosts, problems)
        if source is not None:
            claimed.setdefault(source, []).append(target)
            source_server, wrong[source] = read_server(hosts[source])
            # A rollback registers them, once the licenses were given up.
            wrong[source] += _check_users(hosts[source])
            pairs[target] = {"source": source_server.as_dict(), "target": server.as_dict()}
    problems += _unplaceable([*targets, *claimed], [(at, target) for at in claimed for target in claimed[at]])
    for source, claimants in claimed.items():
        problems += wrong[source] if source not in targets else []
        if len(claimants) > 1:
            todo = "Give each target a source of its own."
            problems.append(Problem(f"{', '.join(claimants)} share the source {source}.", "inventory", todo))
    problems += [
        Problem(f"License {number} is declared for {' and '.join(at)}.", "inventory", "Declare it for one target only.")
        for number, at in numbers.items()
        if len(at) > 1
    ]
    if rehearsal:
        problems += _check_grants(targets, hosts, numbers) + _check_authorities(targets, hosts)
    for name in sorted({*targets, *claimed}):
        problems += hosts[name].unknown() + hosts[name].problems
    if problems:
        raise LicensingError(dict.fromkeys(problems))
    for target, pair in pairs.items():
        pair.update(_declared(hosts[target]), ledger=_ledger(hosts[target], hosts, pair["source"]["authority"]))
    return pairs


def _declared(host: HostVariables) -> dict[str, Any]:
    """What a host declares of its licenses and profiles, once nothing is wrong with it; without activation codes."""
    licenses = [dict(license) for license in host.get("aims_license_server_licenses")]
    profiles = [dict(profile) for profile in host.get("aims_license_server_profiles", [])]
    for license in licenses:
        license.pop("activation_code")
        license["number"] = parse_number(license["number"])
    for profile in profiles:
        profile["license"] = parse_number(profile["license"])
    return {"licenses": licenses, "profiles": profiles}


def _ledger(target: HostVariables, hosts: Mapping[str, HostVariables], authority: str) -> str:
    """Where a rehearsal issues licenses: in the ledger of the authority's host, or the one that the pair reaches."""
    host = hosts.get(_text(target.get(REHEARSE_AUTHORITY, "")))
    if host is None:
        return authority
    return f"{LEDGER}{host.get('aims_license_authority_ledger', DEFAULT_LEDGER)}"


def _check_authorities(targets: Sequence[str], hosts: Mapping[str, HostVariables]) -> list[Problem]:
    """Say which hosts that serve a rehearsal's authority are not there, or have no ledger that can be told."""
    problems: list[Problem] = []
    for target in targets:
        name = _text(hosts[target].get(REHEARSE_AUTHORITY, ""))
        if name in hosts:
            hosts[name].get("aims_license_authority_ledger")
            problems += hosts[name].problems
        elif name:
            what = f"The authority's host {unsecret(name)} is not in the inventory."
            todo = "Name a host of the group aims_license_authorities."
            problems.append(Problem(what, hosts[target].where(REHEARSE_AUTHORITY), todo))
    return problems


def _unplaceable(hosts: Iterable[str], pairs: Iterable[tuple[str, str]]) -> list[Problem]:
    """Say after which hosts, and which sources with their targets, nothing on the controller can be named."""
    problems = [host_problem(host) for host in dict.fromkeys(hosts)]
    wrong = [problem for problem in problems if problem is not None]
    return wrong or [problem for problem in (pair_problem(*pair) for pair in pairs) if problem is not None]


def _source_of(host: HostVariables, hosts: Mapping[str, HostVariables], problems: list[Problem]) -> str | None:
    name = "aims_license_migrate_source"
    given = host.get(name)
    source = _text(given)
    if given is None:
        problems.append(
            Problem("The target names no source.", host.where(name), "Name the host that the licenses come from.")
        )
    elif source == host.host:
        problems.append(Problem("Source and target are the same host.", host.where(name), "Name the other host."))
    elif source not in hosts:
        near = difflib.get_close_matches(source[:300], list(hosts), 1)
        todo = f"Add it to the group {SOURCES}" + (f", or did you mean {near[0]}?" if near else ".")
        problems.append(Problem(f"The source {unsecret(source)} is not in the inventory.", host.where(name), todo))
    else:
        return source
    return None


def read_hosts(names: Sequence[str], hosts: Mapping[str, HostVariables]) -> dict[str, dict[str, Any]]:
    """Return the license servers of single hosts by name, for what needs no pair; refuse with everything wrong."""
    problems: list[Problem] = []
    servers = {}
    if not names:
        todo = f"Put the license servers into the group {TARGETS}."
        problems.append(Problem(f"No host is in the group {TARGETS}.", "inventory", todo))
    for name in names:
        server, found = read_server(hosts[name])
        problems += found + read_declared(hosts[name])[1] + hosts[name].unknown() + hosts[name].problems
        problems += _unplaceable([name], ())
        servers[name] = server.as_dict()
    if problems:
        raise LicensingError(dict.fromkeys(problems))
    return {name: {**server, **_declared(hosts[name])} for name, server in servers.items()}


def check_names(names: Sequence[str], hosts: Mapping[str, HostVariables]) -> None:
    """Refuse variables that no role knows, of hosts whose roles check the values themselves."""
    problems = [problem for name in names for problem in hosts[name].unknown()]
    if problems:
        raise LicensingError(dict.fromkeys(problems))
