# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The common part of the modules: argument specifications and results."""

from __future__ import annotations

import base64
import hashlib
import json
import select
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.aims.licensing.plugins.module_utils._licensing.client_entries import (
    PRESENT,
    STATES,
    parse_server,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client_entries import (
    Change as ListChange,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client_file import ListFile, edit
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import LicenseView
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.drain import DrainOptions, Step
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.factory import (
    DEFAULT_HOME,
    open_manager,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.freshness import Freshness
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import (
    Carried,
    Change,
    LicenseManager,
    SeatTrial,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import digits
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.module_utils._licensing.sealing import seal
from ansible_collections.aims.licensing.plugins.module_utils._licensing.system import unhandled

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

SERVER: dict[str, Any] = {
    "home": {"type": "path", "default": DEFAULT_HOME},
    "root": {"type": "str", "default": ""},
    "backend": {"type": "str", "default": "bundled", "choices": ["bundled", "vendor"]},
    "authority": {"type": "str"},
    "fail_unreachable": {"type": "bool", "default": False},
}
CLIENT: dict[str, Any] = {
    "path": {"type": "str"},
    "root": {"type": "str", "default": ""},
    "entries": {"type": "list", "elements": "str", "required": True},
    "like": {"type": "str"},
    "state": {"type": "str", "choices": list(STATES), "default": PRESENT},
    "replaced_by": {"type": "str"},
    "fail_unreachable": {"type": "bool", "default": False},
}
# What an operator names for the vendor's server.
COMMANDS: dict[str, Any] = {"vendor_commands": {"type": "dict"}}
_READ: dict[str, Any] = {**SERVER, "copy": {"type": "path"}, "warn_days": {"type": "int"}}
INFO: dict[str, Any] = {**_READ, **COMMANDS}
BACKUP: dict[str, Any] = {
    **_READ,
    "dest": {"type": "path", "required": True},
    "allow_poorer": {"type": "bool", "default": False},
    "recipient": {"type": "str"},
}
PROFILES: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {
        "name": {"type": "str", "required": True},
        "license": {"type": "str", "required": True},
        "default": {"type": "bool", "default": False},
    },
}
REALM: dict[str, Any] = {
    "type": "dict",
    "options": {
        "name": {"type": "str", "required": True},
        "key": {"type": "str", "required": True, "no_log": False},
        "ca": {"type": "str"},
        # Accepted because it is printed with the others. It is derived from the key.
        "id": {"type": "str"},
    },
}
# The state of a drain, which an action plugin divides into many short calls.
STEP: dict[str, Any] = {
    "drain_ticket": {"type": "str", "no_log": False},
    "drain_waited": {"type": "float", "default": 0.0},
    "drain_end": {"type": "bool", "default": False},
}


def run(module: AnsibleModule, act: Callable[[AnsibleModule], dict[str, Any]]) -> None:
    """Run a module, and exit with its result or with a message that has all problems."""
    try:
        try:
            result = act(module)
        except OSError as error:
            raise unhandled(error) from error
    except LicensingError as error:
        module.fail_json(msg=str(error), problems=[problem.as_dict() for problem in error.problems])
    module.exit_json(**result)


def manager_of(module: AnsibleModule) -> LicenseManager:
    """Return the license manager for the module's arguments."""
    options = module.params
    return open_manager(
        options["backend"],
        options["home"],
        root=options["root"],
        freshness=Freshness.of_process(_is_heard),
        vendor_commands=options.get("vendor_commands"),
    )


def _is_heard() -> bool:
    """Whether somebody still reads this process's output. It closes with the connection or the controller."""
    poll = select.poll()
    poll.register(1, 0)
    return not any(event & (select.POLLERR | select.POLLHUP) for _output, event in poll.poll(0))


def look(manager: LicenseManager) -> dict[str, Any]:
    """Return the overview, the fingerprint, and what stands in the way of giving licenses up, as a module's result."""
    return {
        "changed": False,
        "overview": manager.overview().as_dict(),
        "carried": carried_files(manager.carried()),
        "nodelocks": dict(manager.nodelocks()),
        "read_only": list(manager.read_only()),
        "unnumbered": list(manager.unnumbered()),
        "fingerprint": manager.fingerprint(),
        "places": manager.places(),
        "symptoms": [problem.as_dict() for problem in manager.symptoms()],
        "obstacles": [problem.as_dict() for problem in manager.obstacles()],
    }


def collect(manager: LicenseManager, recipient: str | None) -> dict[str, Any]:
    """Return every file of the home as a module's result.

    :param recipient: the key that secrets are sealed for; None leaves them out
    """
    files = [
        {
            "name": file.name,
            "mode": f"{file.mode:04o}",
            "secret": file.secret,
            "sha256": hashlib.sha256(file.content).hexdigest(),
            "content": seal(recipient, file.content)
            if recipient and file.secret
            else base64.b64encode(file.content).decode(),
        }
        for file in manager.files()
        if recipient or not file.secret
    ]
    return {"changed": False, "files": files, "overview": manager.overview().as_dict()}


def keep_entries(open_file: Callable[[], ListFile], options: Mapping[str, Any], dry: bool) -> dict[str, Any]:
    """Keep the entries of a client's list, and return that as a module's result.

    :param open_file: returns the list, once the options are right
    """
    change = ListChange.read(options["entries"], options["state"], options["like"])
    server = options["replaced_by"]
    replaced_by = None if server is None else parse_server(server, "replaced_by")
    return edit(open_file(), change, replaced_by, dry).as_dict()


def step_of(module: AnsibleModule) -> Step | None:
    """Return the state of a drain; None if the drain is not divided into calls."""
    ticket = module.params["drain_ticket"]
    return Step(ticket, module.params["drain_waited"]) if ticket is not None else None


def drain_of(seconds: float | None, force: bool) -> DrainOptions | None:
    """Return how the seats in use are waited for, or None where nobody is waited for."""
    return None if seconds is None else DrainOptions(seconds, force)


def drained(change: Change) -> dict[str, Any]:
    """Return the result of a drain as a module's result. ``again`` has the arguments of the next call, if needed."""
    again = {} if change.again is None else {"again": change.again}
    drained_seats = asdict(change.drained)
    return {"drained": {**drained_seats, "clients": list(drained_seats["clients"])}, **again}


def described(change: Change) -> dict[str, Any]:
    """Return a change as a module's result."""
    return {
        "changed": change.changed,
        "results": [result.as_dict() for result in change.results],
        "requests": [
            {"number": number, "file": f"{digits(number)}.request", "content": base64.b64encode(request).decode()}
            for number, request in sorted(change.requests.items())
        ],
        "overview": change.after.as_dict(),
        "diff": diff(change.before, change.after),
        **({"warnings": list(change.warnings)} if change.warnings else {}),
    }


def diff(before: Overview, after: Overview) -> dict[str, str]:
    """Return the difference of two overviews for Ansible's diff mode."""
    return {"before": _view(before), "after": _view(after)}


def carried_files(carried: Carried) -> dict[str, Any]:
    """Return the files that move with licenses as a module's result."""
    return {"files": dict(carried.files), "brought": dict(carried.brought), "sources": list(carried.sources)}


def seats(trials: Sequence[SeatTrial]) -> list[dict[str, Any]]:
    """Return the seat trials of profiles as a module's result."""
    return [asdict(trial) for trial in trials]


def _view(overview: Overview) -> str:
    server = overview.server
    seen = {
        "server": {
            "installed": server.installed,
            "version": server.version,
            "authority": server.authority,
            "maintenance": server.maintenance,
        },
        "licenses": {license.number: _license(license) for license in overview.licenses},
        "profiles": [
            f"{profile.name}: {profile.license}{' (default)' if profile.default else ''}"
            for profile in overview.profiles
        ],
        "users": overview.users,
        "files": overview.files,
    }
    return json.dumps(seen, indent=2, sort_keys=True) + "\n"


def _license(license: LicenseView) -> str:
    fenced = ", fenced" if license.fenced else ""
    return f"{license.status}{fenced}" + (f", emergency until {license.until}" if license.until else "")
