# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the controller only: prints and writes the runbook of a move of the vendor's license server."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.utils.display import Display
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import (
    read_declared_licenses,
    read_profiles,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import Problem, quoted, refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import PRIVATE, Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.named_commands import (
    Purpose,
    read_commands,
    registers_users,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._action import LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import Bundle, newest_of
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.confirmations import read_ids
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.evidence import Sight
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.move import Move, Platform, Server
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.pro import PRO
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.record import Record as PairRecord
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.runbook import Runbook, make_runbook
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.steps import Kind
from ansible_collections.aims.licensing.plugins.plugin_utils._places import report_stem
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.runbook import (
    next_step,
    runbook_page,
    runbook_text,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._report.moves import planned_of
from ansible_collections.aims.licensing.plugins.plugin_utils._results import DIGESTS, FILE_NAME, OVERVIEW
from ansible_collections.aims.licensing.plugins.plugin_utils._shapes import (
    Flag,
    ListOf,
    MapOf,
    Maybe,
    ProblemShape,
    Record,
    Text,
    WrongShape,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._sights import Look, log_symptoms, sights_of

_LIMIT = 32 << 20
_RECORDS = "records"
# How the commands that try a port end where none answers: of bash and of PowerShell, and of timeout.
_NO_CONNECTION = (1, 124)
_USERS = Purpose.REGISTER_USER
_SEEN = MapOf(
    Text(),
    Record({}, {"answers": Maybe(Flag()), "runs": Maybe(Flag())}),
)
_LOOKS = MapOf(
    Text(),
    Record(
        {"nodelocks": DIGESTS, "overview": OVERVIEW, "read_only": ListOf(FILE_NAME), "unnumbered": ListOf(FILE_NAME)},
        {"symptoms": ListOf(ProblemShape(), 100)},
    ),
)

display = Display()


class ActionModule(LicensingAction):
    """Prints the runbook, writes it as a page and as JSON, and records what is confirmed."""

    options = frozenset(
        {
            "source",
            "target",
            "licenses",
            "profiles",
            "users",
            "codes",
            "offline",
            "pro_nodes",
            "pro_checks",
            "pro_log",
            "clients",
            "package",
            "carried_out",
            "fresh_backup",
            "show",
            "confirmed",
            "exceed_transfers",
            "bundles",
            "requests",
            "looks",
            "screenshot",
            "seen",
            "dest",
        }
    )
    required = frozenset({"source", "target", "licenses", "dest"})

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        args = self._task.args
        seen = _seen(args)
        move = self._move(seen)
        seen[PRO] = Look(_pro_reaches(move.pro_nodes or (), args.get("pro_checks")))
        dest = self.path("dest")
        if dest is None:
            raise refuse("No folder for runbooks is named.", "dest", "Set dest to a folder on the controller.")
        name = report_stem(move.source.host, move.target.host)
        folder = Folder(dest)
        record = _read_record(folder, f"{_RECORDS}/{name}.json", move.source.host, move.target.host)
        back = report_stem(move.target.host, move.source.host)
        other = _read_record(folder, f"{_RECORDS}/{back}.json", move.target.host, move.source.host)
        carried_out = read_ids(args.get("carried_out"), "carried_out")
        sights, bundle = self._look(move, seen, {*record.confirmed, *carried_out})
        runbook = make_runbook(
            move,
            sights,
            record,
            read_ids(args.get("confirmed"), "confirmed"),
            now_utc(),
            _user(),
            carried_out=carried_out,
            other=other,
            may_exceed=self.flag("exceed_transfers"),
            is_fresh=self.flag("fresh_backup"),
        )
        symptoms = [problem for look in seen.values() for problem in look.symptoms]
        runbook = replace(runbook, symptoms=(*symptoms, *log_symptoms(self.path("pro_log"))))
        for void in runbook.void:
            display.warning(str(void))
        data = runbook.as_dict()
        text = runbook_text(runbook)
        if self.flag("show", True):
            display.display(text)
        changed = self._write(folder, name, runbook, data)
        changed |= self._write_record(folder, f"{_RECORDS}/{back}.json", other, runbook.other)
        changed |= self._keep_picture(folder, name, self.path("screenshot"))
        return {
            "changed": changed,
            "runbook": data,
            "text": text,
            "page": str(dest / f"{name}.html"),
            "data": str(dest / f"{name}.json"),
            "carried_out": list(carried_out),
            "next_step": next_step(runbook, str(dest / f"{name}.html")),
            **_tasks_of(runbook, bundle),
        }

    def _look(
        self, move: Move, seen: Mapping[str, Look], done: Collection[str]
    ) -> tuple[dict[str, Sight], Bundle | None]:
        """Return what is seen of each host, and the source's newest bundle if it counts.

        :param done: the ids of steps that a person has confirmed, or the playbook has carried out
        """
        bundles, requests, screenshot, log = (
            self.path(option) for option in ("bundles", "requests", "screenshot", "pro_log")
        )
        # A bundle from before this move does not show what the source gives up in it.
        if self.flag("fresh_backup") and f"{move.source.host}/{Kind.BACKUP}" not in done:
            bundles = None
        sights, doubts = sights_of(move, seen, bundles, requests, screenshot, log, self.vault)
        for doubt in doubts:
            display.warning(f"The bundle does not count as evidence: {doubt}")
        return sights, newest_of(bundles, move.source.host) if bundles is not None and not doubts else None

    def _move(self, seen: Mapping[str, Look]) -> Move:
        args = self._task.args
        licenses = read_declared_licenses(args["licenses"], "licenses", without_codes=True)
        nodes, users = args.get("pro_nodes"), args.get("users")
        source, target = (
            replace(server, service=seen.get(server.host, Look()).service)
            for server in (_server(args[name], name) for name in ("source", "target"))
        )
        look = seen.get(source.host, Look())
        return Move(
            source,
            target,
            licenses,
            {str(number): str(name) for number, name in (args.get("codes") or {}).items()},
            read_profiles(args.get("profiles") or [], "profiles", [license.number for license in licenses]),
            None if users is None else tuple(str(user) for user in users),
            self.flag("offline"),
            str(args.get("requests") or "./aims-license/offline"),
            None if nodes is None else tuple(str(node) for node in nodes),
            look.read_only,
            staying=look.staying([license.number for license in licenses]),
            names_screenshot=bool(args.get("screenshot")),
            clients=tuple(str(client) for client in args.get("clients") or ()),
            has_package=self.flag("package"),
            has_tried_nodes=bool(nodes) and all(node in (args.get("pro_checks") or {}) for node in nodes),
            has_pro_log=bool(args.get("pro_log")),
        )

    def _write(self, folder: Folder, name: str, runbook: Runbook, data: Mapping[str, Any]) -> bool:
        """Write what differs from what is there; when the runbook was made is no difference."""
        is_there = folder.path.is_dir()
        place = f"{_RECORDS}/{name}.json"
        record = _record_text(runbook.record)
        is_recorded = is_there and folder.find(place, _LIMIT) == record
        earlier = _read(folder.find(f"{name}.json", _LIMIT)) if is_there else {}
        is_written = is_there and _undated(earlier) == _undated(data) and folder.has(f"{name}.html")
        if self.dry:
            return not (is_recorded and is_written)
        folder.make(mode=0o700)
        if not is_recorded:
            folder.make(_RECORDS, mode=0o700)
            folder.write(place, record, PRIVATE)
        if not is_written:
            folder.write(f"{name}.json", json.dumps(data, indent=1, ensure_ascii=False).encode(), PRIVATE)
            folder.write(f"{name}.html", runbook_page(runbook).encode(), PRIVATE)
        return not (is_recorded and is_written)

    def _write_record(self, folder: Folder, place: str, earlier: PairRecord, record: PairRecord) -> bool:
        """Write the record of the way back, where this move has changed it."""
        if record == earlier:
            return False
        if not self.dry:
            folder.write(place, _record_text(record), PRIVATE)
        return True

    def _keep_picture(self, folder: Folder, name: str, picture: Path | None) -> bool:
        """Keep the picture of the license manager beside the record, for when the source is gone."""
        if picture is None or not picture.is_file() or not 0 < picture.stat().st_size <= _LIMIT:
            return False
        suffix = picture.suffix.lower() if picture.suffix[1:].isalnum() else ""
        place, content = f"{_RECORDS}/{name}-screenshot{suffix}", picture.read_bytes()
        if folder.path.is_dir() and folder.find(place, _LIMIT) == content:
            return False
        if not self.dry:
            folder.write(place, content, PRIVATE)
        return True


def _tasks_of(runbook: Runbook, bundle: Bundle | None) -> dict[str, Any]:
    """Return what the tasks take that carry out the due steps of the playbook, and write the report."""
    move = runbook.move
    return {
        "acts": [step.id for step in runbook.acts],
        "kinds": sorted({step.kind.value for step in runbook.acts}),
        "deactivates": [step.subject for step in runbook.acts if step.kind is Kind.DEACTIVATE],
        "activates": [
            {"number": license.number, "profile": license.profile, "default": license.default}
            for license in move.licenses
            if move.activates(license.number)
        ],
        "bundle": str(bundle.path) if bundle else None,
        "planned": planned_of(runbook, bundle),
    }


def _record_text(record: PairRecord) -> bytes:
    return json.dumps(record.as_dict(), indent=1, sort_keys=True, ensure_ascii=False).encode()


def _server(option: Any, name: str) -> Server:
    keys = ("host", "platform", "address", "home")
    data = option if isinstance(option, Mapping) else {}
    platforms = [platform.value for platform in Platform]
    if not all(isinstance(data.get(key), str) for key in keys) or data["platform"] not in platforms:
        todo = f"Write {{{', '.join(keys)}}}; platform is {', '.join(platforms[:-1])} or {platforms[-1]}."
        raise refuse(f"{quoted(option)} is not a license server of a move.", name, todo)
    named = read_commands(data.get("vendor_commands"), f"{name}, vendor_commands")
    commands = frozenset(purpose for purpose in named if purpose is not _USERS or registers_users(named))
    return Server(data["host"], Platform(data["platform"]), data["address"], data["home"], commands)


def _pro_reaches(nodes: Sequence[str], option: Any) -> bool | None:
    """Whether all nodes of PRO reach the target; None where one of them was not asked, or had no program to try it."""
    codes = option if isinstance(option, Mapping) else {}
    tried = [codes.get(node) for node in nodes]
    if any(code in _NO_CONNECTION for code in tried):
        return False
    return True if tried and all(code == 0 for code in tried) else None


def _seen(args: Mapping[str, Any]) -> dict[str, Look]:
    """Read what tasks have seen of the hosts: their ports, services and files."""
    option, name = args.get("seen") or {}, "seen"
    try:
        seen = _SEEN.read(option, name)
        option, name = args.get("looks") or {}, "looks"
        looks = _LOOKS.read({host: _known(look) for host, look in option.items()}, name)
    except (WrongShape, AttributeError, TypeError) as wrong:
        todo = "Write {HOST: {answers: ..., runs: ...}}, and as looks what a look at each host returned, by host."
        raise refuse(
            f"{quoted(option)} is not what was seen of hosts.", getattr(wrong, "key", "") or name, todo
        ) from None
    return {host: _look(seen.get(host, {}), looks.get(host)) for host in (*seen, *looks)}


def _known(look: Mapping[str, Any]) -> dict[str, Any]:
    return {key: look[key] for key in ("nodelocks", "overview", "read_only", "unnumbered", "symptoms") if key in look}


def _look(seen: Mapping[str, Any], look: Mapping[str, Any] | None) -> Look:
    answers, runs = seen.get("answers"), seen.get("runs")
    if look is None:
        return Look(answers, runs)
    overview = Overview.from_dict(look["overview"], "looks")
    server = overview.server
    return Look(
        answers,
        server.running if runs is None else runs,
        "" if server.running is None else server.unit or "",
        look["nodelocks"],
        tuple(look["read_only"]),
        tuple(look["unnumbered"]),
        overview,
        tuple(Problem(**row) for row in look.get("symptoms", ())),
    )


def _read(text: bytes | None) -> dict[str, Any]:
    """Read an earlier file; a damaged one says nothing."""
    try:
        data = json.loads(text or b"{}")
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _read_record(folder: Folder, name: str, source: str, target: str) -> PairRecord:
    """Read the record of a pair; refuse one of another pair, or one whose confirmations would be lost unread."""
    text = folder.find(name, _LIMIT) if folder.path.is_dir() else None
    if text is None:
        return PairRecord(source, target)
    data, pair = _read(text), {"source": source, "target": target}
    if data.get("pair") != pair:
        todo = "Put the right file back from a backup, or move this one away: confirmations are then asked for again."
        raise refuse("The record of the pair is damaged, or of another pair.", str(Path(folder.place(name))), todo)
    return PairRecord.from_dict(data, source, target)


def _undated(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in ("made", "symptoms")}


def _user() -> str:
    """Return who runs this on the controller."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError, ImportError):
        return str(os.getuid())
