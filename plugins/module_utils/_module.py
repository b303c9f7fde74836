# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules have in common: their arguments, and results of one shape."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager import Change, open_manager
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import digits
from ansible_collections.aims.licensing.plugins.module_utils._licensing.system import untold

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

SERVER: dict[str, Any] = {
    "home": {"type": "path", "default": "/opt/aims-license-server"},
    "root": {"type": "str", "default": ""},
    "backend": {"type": "str", "default": "bundled", "choices": ["bundled", "vendor"]},
    "authority": {"type": "str"},
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
        # Printed with the others, and to be pasted with them; it follows from the key.
        "id": {"type": "str"},
    },
}


def run(module: AnsibleModule, act: Callable[[AnsibleModule], dict[str, Any]]) -> None:
    """Run a module to its end: its result, or one message with everything that is wrong."""
    try:
        try:
            result = act(module)
        except OSError as error:
            raise untold(error) from error
    except LicensingError as error:
        module.fail_json(msg=str(error), problems=[problem.as_dict() for problem in error.problems])
    module.exit_json(**result)


def manager_of(module: AnsibleModule) -> Any:
    """Return the license manager that the module's arguments name."""
    return open_manager(module.params["backend"], module.params["home"], module.params["root"])


def described(change: Change) -> dict[str, Any]:
    """Return a change as a module's result."""
    return {
        "changed": change.changed,
        "results": [dict(result) for result in change.results],
        "requests": [
            {"number": number, "file": f"{digits(number)}.request", "content": base64.b64encode(request).decode()}
            for number, request in sorted(change.requests.items())
        ],
        "overview": change.after,
        "diff": diff(change.before, change.after),
    }


def diff(before: Any, after: Any) -> dict[str, str]:
    """Return the difference of two overviews as Ansible shows it."""
    return {"before": _view(before), "after": _view(after)}


def _view(overview: Any) -> str:
    server = overview["server"]
    seen = {
        "server": {key: server[key] for key in ("installed", "version", "authority", "maintenance")},
        "licenses": {
            license["number"]: license["status"]
            + (", fenced" if license.get("fenced") else "")
            + (f", emergency until {license['until']}" if license.get("until") else "")
            for license in overview["licenses"]
        },
        "profiles": [
            f"{profile['name']}: {profile['license']}{' (default)' if profile['default'] else ''}"
            for profile in overview["profiles"]
        ],
        "users": overview["users"],
        "files": overview["files"],
    }
    return json.dumps(seen, indent=2, sort_keys=True) + "\n"
