# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The results of the modules by name and shape. Everything else that a host returns is dropped.

Ansible acts on some keys of a result: it sets variables from C(ansible_facts), also for the host that a task was
delegated for, and adds hosts from C(add_host). No module of the collection returns these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import (
    CLONED,
    COMPONENTS,
    DRIFTED,
    OTHER,
    SAME,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import Status
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import (
    ACTIVATE,
    DEACTIVATE,
    FENCE,
    OPERATOR,
    UNKNOWN,
    UPDATE,
    parse_date,
    parse_number,
    parse_profile,
    parse_time,
    parse_user,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._shapes import (
    Choice,
    Flag,
    ListOf,
    MapOf,
    Maybe,
    Message,
    Options,
    Parsed,
    ProblemShape,
    Record,
    Seconds,
    Shape,
    Text,
    Whole,
    WrongShape,
)

LINE = Text()
NUMBER = Parsed(parse_number, "a license number")
PROFILE = Parsed(parse_profile, "a profile name")
USER = Parsed(parse_user, "a registered user")
DATE = Parsed(parse_date, "a date")
TIME = Parsed(parse_time, "a time")
COUNT = Whole()
BASE64 = r"[A-Za-z0-9+/=]*"
KEY = Text(100, BASE64)
REQUEST = Text(100_000, BASE64)
# The largest file of a home in base64, sealed.
CONTENT = Text(64 << 20, r"[A-Za-z0-9+/=\n]*")
FILE_NAME = Text(500)
REALM = Record({"name": Text(100), "id": Text(16, "[0-9a-f]{16}"), "key": KEY}, {"ca": Text(100_000, lines=True)})
DIFF = Record(
    {"before": Text(16 << 20, lines=True), "after": Text(16 << 20, lines=True)},
    {"prepared": Text(100_000, lines=True)},
)
TRANSFERS = Record(
    {
        "limit": COUNT,
        "window_seconds": COUNT,
        "spent": ListOf(TIME, 1000),
        "left": COUNT,
        "returns": Maybe(TIME),
    }
)
DRIFT = Record(
    {
        "verdict": Choice((SAME, DRIFTED, CLONED, OTHER)),
        "changed": ListOf(Choice(COMPONENTS), len(COMPONENTS)),
        "components": LINE,
        "means": LINE,
    }
)
STATUS = Choice(tuple(status.value for status in Status))
SERVER = Record(
    {
        "installed": Flag(),
        "version": Maybe(Text(100)),
        "digest": Maybe(Text(200)),
        "backend": Text(20),
        "home": LINE,
        "root": LINE,
        "home_id": Maybe(Text(100)),
        "authority": Maybe(LINE),
        "realm": Maybe(REALM),
        "maintenance": Maybe(Flag()),
        "maintenance_by": Maybe(Choice((FENCE, OPERATOR))),
        "draining": ListOf(NUMBER, 100_000),
        "service": Text(20),
        "running": Maybe(Flag()),
        "listen": Maybe(Record({"clients": Text(100), "management": Text(100)})),
    },
    # Of the vendor's server: who listens on which port.
    {"unit": Maybe(Text(300)), "ports": MapOf(Text(5, "[0-9]{1,5}"), ListOf(LINE, 100))},
)
LICENSE: dict[str, Shape] = {
    "number": NUMBER,
    "file": FILE_NAME,
    # No file of the vendor's server shows these in a format that is public.
    "type": Maybe(Text(100)),
    "seats": Maybe(COUNT),
    "start": Maybe(DATE),
    "expiry": Maybe(DATE),
    "maintenance_expiry": Maybe(DATE),
    "invalid": Maybe(LINE),
    "protection": Text(100),
    "status": STATUS,
    "fenced": Maybe(TIME),
    "var": Maybe(Flag()),
    "code_key": Maybe(KEY),
    "transfers": Maybe(TRANSFERS),
    "serial": Maybe(Whole(most=2**63)),
    "holder": Maybe(KEY),
    "until": Maybe(TIME),
    "drift": Maybe(DRIFT),
    "in_use": Maybe(COUNT),
}
# Check mode does not know the content of a response that is still to come, and returns less of such a license.
FORESEEN = ("number", "status", "fenced", "until")
CLIENT = Record(
    {"client": Maybe(LINE), "address": Maybe(LINE), "user": LINE, "profile": LINE, "license": NUMBER, "since": TIME}
)
PENDING = Record(
    {
        "number": NUMBER,
        "action": Choice((ACTIVATE, DEACTIVATE, UPDATE, UNKNOWN)),
        "request_id": Maybe(Text(100)),
        "made": Maybe(TIME),
        "file": FILE_NAME,
        "answered": Flag(),
        "holder": Maybe(KEY),
    },
    {"drift": Maybe(DRIFT), "here": Flag()},
)


def _overview(license: Shape) -> Record:
    profile: dict[str, Shape] = {
        "name": PROFILE,
        "license": NUMBER,
        "in_use": Maybe(COUNT),
        "reuse": Maybe(COUNT),
        "default": Flag(),
    }
    return Record(
        {
            "server": SERVER,
            "licenses": ListOf(license),
            "profiles": ListOf(Record(profile)),
            "clients": ListOf(CLIENT, 1000),
            "clients_total": COUNT,
            "users": ListOf(USER, 100_000),
            "files": ListOf(FILE_NAME, 100_000),
            "pending": ListOf(PENDING),
        }
    )


OVERVIEW = _overview(Record(LICENSE))
OVERVIEW_AFTER = _overview(
    Record(
        {name: LICENSE[name] for name in FORESEEN},
        {name: shape for name, shape in LICENSE.items() if name not in FORESEEN},
    )
)
RESULT = Record(
    {
        "number": NUMBER,
        "action": Choice(("activated", "deactivated", "updated", "pending", "unchanged")),
        "spends": Maybe(Whole(most=1)),
    },
    {
        "transfers": Maybe(Record({"spent": ListOf(TIME, 1000)}, TRANSFERS.required)),
        "fenced_since": Maybe(TIME),
        "until": Maybe(TIME),
        "live": Maybe(Flag()),
        "holder": Maybe(KEY),
        "refused": Maybe(ProblemShape()),
        "note": Maybe(Message()),
    },
)
CHANGE: Mapping[str, Shape] = {
    "results": ListOf(RESULT),
    "requests": ListOf(Record({"number": NUMBER, "file": FILE_NAME, "content": REQUEST})),
    "overview": OVERVIEW_AFTER,
}
GRANT = Record({name: LICENSE[name] for name in ("type", "seats", "expiry", "maintenance_expiry")})
DRAINED = Record({"seconds": Seconds(), "total": COUNT, "clients": ListOf(CLIENT, 1000), "answered": Flag()})
# Continues a drain; for the action plugin only.
AGAIN: Mapping[str, Shape] = {"again": Text(100)}
SHA256 = Text(64, "[0-9a-f]{64}")
DIGESTS = MapOf(FILE_NAME, SHA256)
FILE = Record(
    {
        "name": FILE_NAME,
        "mode": Text(4, "[0-7]{4}"),
        "secret": Flag(),
        "sha256": SHA256,
        "content": CONTENT,
    }
)
SEAT = Record(
    {
        "profile": PROFILE,
        "license": NUMBER,
        "outcome": Choice(("granted", "in use", "refused")),
        "reason": Maybe(Message()),
    }
)

# The result of each module that succeeds, without what every module returns.
RETURNED: Mapping[str, Record] = {
    "aims_license_activate": Record(CHANGE),
    "aims_license_authority": Record(
        {"realm": Maybe(REALM), "issued": ListOf(NUMBER, 100_000), "licenses": ListOf(NUMBER, 1_000_000)}
    ),
    "aims_license_backup": Record({"files": ListOf(FILE, 100_000), "overview": OVERVIEW}),
    "aims_license_client": Record(
        {
            "path": LINE,
            "original": Maybe(LINE),
            "listed": Flag(),
            "entries": ListOf(Record({"line": COUNT, "kind": Text(20), "entry": LINE}), 100_000),
        }
    ),
    "aims_license_deactivate": Record({**CHANGE, "drained": DRAINED}, AGAIN),
    "aims_license_info": Record(
        {
            "overview": OVERVIEW,
            "fingerprint": Record({}, {name: Text(100, "[0-9a-f]*") for name in COMPONENTS}),
            "obstacles": ListOf(ProblemShape(), 1000),
            "carried": Record({"files": DIGESTS, "brought": DIGESTS, "sources": ListOf(LINE)}),
            "places": Record({"home": Maybe(Text(100)), "machine": Maybe(Text(100))}),
        },
        {
            "nodelocks": DIGESTS,
            "read_only": ListOf(FILE_NAME),
            "unnumbered": ListOf(FILE_NAME),
            "symptoms": ListOf(ProblemShape(), 100),
        },
    ),
    "aims_license_maintenance": Record({"drained": DRAINED, "overview": OVERVIEW_AFTER}, AGAIN),
    "aims_license_profile": Record({"overview": OVERVIEW_AFTER}),
    "aims_license_server_install": Record(
        {"changes": ListOf(LINE, 1000), "overview": OVERVIEW}, {"realm": Maybe(REALM)}
    ),
    "aims_license_update": Record(
        {**CHANGE, "renewed": ListOf(Record({"number": NUMBER, "before": GRANT, "after": GRANT}))}
    ),
    "aims_license_verify": Record({"seats": ListOf(SEAT), "overview": OVERVIEW}),
}
_TRANSPORT = Record(
    {},
    {
        "changed": Flag(),
        "failed": Flag(),
        "msg": Message(),
        "invocation": Record({}, {"module_args": Options()}),
        "diff": DIFF,
    },
)
# The result of a module that failed; the first three are Ansible's own keys for what the host printed.
_FAILED = Record(
    {},
    {
        "module_stdout": Message(),
        "module_stderr": Message(),
        "rc": Whole(-1000),
        "problems": ListOf(ProblemShape(), 1000),
    },
)


def read_result(module: str, host: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of a module, with only the listed keys in their shapes.

    Deprecations, tracebacks and keys that begin with C(_ansible_) are dropped too: they are meant for Ansible itself.

    :raises LicensingError: a value has a wrong shape
    """
    try:
        common = _TRANSPORT.read(result, "")
        if common.get("failed"):
            return {"msg": f"{module} failed without a message.", **common, **_FAILED.read(result, "")}
        return {"changed": False, **common, **RETURNED[module].read(result, ""), **_warnings(result)}
    except WrongShape as wrong:
        raise strange_answer(host, module, f"{wrong.key or 'its result'} is not {wrong.expected}") from None


def strange_answer(host: str, module: str, why: str) -> LicensingError:
    """Return the error for a result that no module of the collection returns."""
    return refuse(
        f"{host} returned an invalid result of {module}: {why}.",
        host,
        "The result is not used. Check that host and its ansible_python_interpreter: "
        "something between the module and the controller changes results.",
    )


def _warnings(result: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the warnings as texts; since ansible-core 2.19 they are objects."""
    listed = result.get("warnings")
    texts = [_warning(warning) for warning in listed[:100]] if isinstance(listed, list) else []
    kept = [Message().read(text, "warnings") for text in texts if text]
    return {"warnings": kept} if kept else {}


def _warning(warning: object) -> str:
    text = warning if isinstance(warning, str) else getattr(getattr(warning, "event", None), "msg", "")
    return text if isinstance(text, str) else ""
