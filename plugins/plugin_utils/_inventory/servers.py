# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The license server that an inventory declares for a host."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import Listen, parse_hosts
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import (
    check_authority,
    check_realm,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import (
    LicensingError,
    Problem,
    quoted,
    refuse,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.config import SERVICES
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.factory import (
    BUNDLED,
    DEFAULT_HOME,
    VENDOR,
    open_manager,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.named_commands import (
    read_commands,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import (
    HostVariables,
    as_text,
)


@dataclass(frozen=True)
class Server:
    """A host's license server, with the options of the modules.

    :ivar service: what runs it; "" leaves it to the module
    :ivar listen: ``{clients, management}``; empty leaves it as it is
    :ivar allowed_hosts: further names of the host; None leaves them as they are
    :ivar usage_log: whether the server writes who held which seat; None leaves it as it is
    """

    host: str
    home: str
    root: str
    backend: str
    authority: str
    service: str
    listen: dict[str, Any]
    allowed_hosts: Any
    usage_log: Any

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data; ``options`` has the options that every module of the group takes."""
        plain = asdict(self)
        return {**plain, "options": {name: plain[name] for name in ("home", "root", "backend", "authority")}}


def read_server(host: HostVariables, *, rehearsal: bool = False) -> tuple[Server, list[Problem]]:
    """Return a host's license server with its defaults, and its problems.

    :param rehearsal: whether licenses are to be issued for it, which only the bundled server honours
    """
    server = Server(
        host=host.host,
        home=as_text(host.get("aims_license_server_home", DEFAULT_HOME)),
        root=as_text(host.get("aims_license_server_root", "")),
        backend=as_text(host.get("aims_license_server_backend", BUNDLED)),
        authority=as_text(host.get("aims_license_server_authority", "")),
        service=as_text(host.get("aims_license_server_service", "")),
        listen=_listen(host.get("aims_license_server_listen", {})),
        allowed_hosts=host.get("aims_license_server_allowed_hosts", None),
        usage_log=host.get("aims_license_server_usage_log", None),
    )
    realm, named = host.get("aims_license_server_realm"), host.get("aims_license_server_vendor_commands")
    problems = []
    # No authority of ours activates its licenses.
    is_vendors = server.backend == VENDOR
    checks: Sequence[tuple[str, Callable[[], object]]] = (
        ("aims_license_server_backend", lambda: _backend(server.backend, rehearsal)),
        ("aims_license_server_home", lambda: check_absolute(server.home)),
        ("aims_license_server_root", lambda: check_absolute(server.root or "/-")),
        ("aims_license_server_authority", lambda: _authority(server.authority, realm) if not is_vendors else None),
        ("aims_license_server_service", lambda: _service(server.service)),
        ("aims_license_server_vendor_commands", lambda: read_commands(named, "")),
        ("aims_license_server_listen", lambda: Listen.from_dict(server.listen, "")),
        ("aims_license_server_allowed_hosts", lambda: parse_hosts(server.allowed_hosts or [], "")),
    )
    for name, check in checks:
        try:
            check()
        except LicensingError as error:
            problems += [Problem(problem.what, host.where(name), problem.todo) for problem in error.problems]
    return server, problems


def _backend(backend: str, rehearsal: bool) -> None:
    open_manager(backend, DEFAULT_HOME)
    if backend == VENDOR and rehearsal:
        raise refuse(
            "This host has the vendor's license server, and a rehearsal runs on bundled ones.",
            "",
            "Set aims_license_server_backend: bundled for source and target of the rehearsal, and name a bundle of the "
            "vendor's server (aims_license_migrate_rehearse_bundle). See docs/vendor.md#rehearse.",
        )
    if backend == VENDOR:
        raise refuse(
            "This does not work with the vendor's license server on one host only.",
            "",
            "To move its licenses, set aims_license_server_backend: vendor for source and target, then run migrate.",
        )


def _service(name: str) -> None:
    if name and name not in SERVICES:
        raise refuse(
            f"Unsupported service manager {quoted(name)}.", "", f"Use {', '.join(SERVICES[:-1])} or {SERVICES[-1]}."
        )


def _listen(declared: object) -> dict[str, Any]:
    """Return the declared addresses; anything but a mapping becomes an invalid address, to be refused."""
    if not isinstance(declared, Mapping):
        return {"clients": declared}
    # Without this, a misspelt key would be dropped silently, and the server would listen on all addresses.
    unknown = {key: value for key, value in declared.items() if key not in ("clients", "management")}
    return {"clients": f"{next(iter(unknown))}: ..."} if unknown else dict(declared)


def _authority(authority: str, realm: object) -> None:
    address = check_authority(authority)
    # The check of its own variable reports an invalid realm.
    with contextlib.suppress(LicensingError):
        realm = Realm.from_dict(realm, "") if realm is not None else None
    if realm is None or isinstance(realm, Realm):
        check_realm(address, realm)


def check_absolute(path: str) -> None:
    """Refuse what is not the absolute path of a folder."""
    if not path.startswith("/") or ".." in path.split("/") or path.strip("/") == "" or not path.isprintable():
        raise refuse(f"{quoted(path)} is not an absolute path of a folder.", "", "Write the full path.")
