# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the controller only: plans a pair and shows the plan."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.utils.display import Display
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import (
    DeclaredLicense,
    read_declared_licenses,
    read_profiles,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, Problem, refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fields import Fields, Kind
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Profile, now_utc
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._action import ACCEPT, LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import Bundle, newest_of, read_bundle
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.move import Move, Platform, Server
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.assessment import assess
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.calls import (
    Activation,
    as_options,
    is_source_verified,
    unfinished,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.checks import copies
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.pair import Pair, quotes_of
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.plan import make_plan, plan_text, with_files
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.preview import quote_request
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.realms import realm_problems
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.reconciliation import Source, reconcile
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.rehearsal import rehearsal
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.sides import KIND, Side
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.runbook import left_text

SERVER_KIND = Kind("a license server of the vendor's", "Give what aims_license_inventory returned of it in servers.")

display = Display()


class ActionModule(LicensingAction):
    """Returns the plan, or fails with everything that prevents it."""

    options = frozenset(
        {
            "source",
            "target",
            "licenses",
            "profiles",
            "keep_profiles",
            "quotes",
            "bundles",
            "lost",
            "emergency",
            "without_files",
            "realm",
            "users",
            "hosts_only",
            "rehearsal",
            "issued",
            "reconcile",
            ACCEPT,
            "codes_from",
            "warn_days",
        }
    )
    required = frozenset({"source", "target", "licenses"})

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        args, hosts_only, is_rehearsal = self._task.args, self.flag("hosts_only"), self.flag("rehearsal")
        without_codes = hosts_only or is_rehearsal or bool(args.get("reconcile"))
        declared = read_declared_licenses(self.licenses(task_vars), "licenses", without_codes=without_codes)
        further = read_profiles(args.get("profiles") or [], "profiles", [license.number for license in declared])
        source, target = (_side(args[name], name) for name in ("source", "target"))
        if args.get("reconcile"):
            return _reconciled(args["reconcile"], source, target, declared, further)
        pair = Pair(source, target, declared, now_utc(), quotes_of(args.get("quotes") or []), further=further)
        if is_rehearsal:
            return self._rehearsal(pair)
        if hosts_only:
            return self._compared(pair)
        return self._planned(pair)

    def _planned(self, pair: Pair) -> dict[str, Any]:
        """Return the plan, and the options of the modules that execute it."""
        args, bundles = self._task.args, self.path("bundles")
        declared, further, source = pair.declared, pair.further, pair.source
        pair = replace(pair, source=replace(source, obstacles=(*source.obstacles, *self._obstacles(bundles))))
        bundle = self._bundle(source, bundles)
        if bundle is not None:
            pair = replace(pair, remembered=bundle.overview)
        if args.get("lost") and pair.remembered is not None:
            pair = pair.without_source(pair.remembered, is_bridged=self.flag("emergency"))
        elif self.flag("keep_profiles"):
            pair = pair.with_profiles_of_target()
        pair = replace(pair, users=_users(args.get("users")), warns_within=self.days("warn_days"))
        plan = make_plan(pair, against=self._realm_problems(pair))
        files = bundle.manifest.carried if bundle else None
        plan = with_files(plan, pair, files, waived=self.flag("without_files"))
        text = plan_text(plan, source.host, pair.target.host)
        display.display(text)
        return {
            "changed": False,
            "plan": plan.as_dict(),
            "text": text,
            "bundle": str(bundle.path) if bundle else "",
            "before": (bundle.overview if bundle else source.overview).as_dict(),
            "source_overview": (bundle.overview if bundle and args.get("lost") else source.overview).as_dict(),
            "activation": Activation.of(plan, declared, further, source.host).as_dict(),
            "unfinished": as_options(unfinished(plan, declared)),
            "verify_source": is_source_verified(pair.source),
        }

    def _rehearsal(self, pair: Pair) -> dict[str, Any]:
        """Return the state of the pair's rehearsal."""
        source = pair.source.overview if pair.source.reachable else None
        flags = {"is_issued": self.flag("issued"), "is_dry": self.dry}
        return {
            "changed": False,
            "rehearsal": rehearsal(pair.numbers, pair.target.overview, source, **flags).as_dict(),
        }

    def _bundle(self, source: Side, bundles: Path | None) -> Bundle | None:
        """Return the bundle of a lost source, or else the source's newest bundle if this run can authenticate it."""
        lost = self.path("lost")
        if lost is not None:
            return self.trust(read_bundle(lost))
        bundle = newest_of(bundles, source.host) if bundles else None
        problem = bundle.doubt(self.vault) if bundle and not self.flag(ACCEPT) else None
        if problem is None:
            return bundle
        # A source that shows itself is backed up anew before it gives anything up, and its files are compared.
        if not source.reachable:
            raise LicensingError([problem])
        display.warning(f"Not used for the plan: {problem}")
        return None

    def _realm_problems(self, pair: Pair) -> list[Problem]:
        realm = self._task.args.get("realm")
        declared = Realm.from_dict(realm, "aims_license_server_realm") if realm else None
        arrives = any(assessment.step.arrives for assessment in assess(pair))
        return realm_problems(declared, pair.source, pair.target, arrives)

    def _compared(self, pair: Pair) -> dict[str, Any]:
        """Refuse hosts that are copies of each other; otherwise return the options for the quote."""
        problems = copies(pair, assess(pair)) if pair.source.reachable else []
        if problems:
            raise LicensingError(problems)
        shown, lost = pair.source.overview if pair.source.reachable else None, self.path("lost")
        if lost is not None:
            shown = self.trust(read_bundle(lost)).overview
            pair = pair.without_source(shown, is_bridged=self.flag("emergency"))
        return {"changed": False, "quote": quote_request(pair, shown, self._task.args.get("realm")).as_dict()}

    @staticmethod
    def _obstacles(bundles: Path | None) -> list[Problem]:
        """Return what prevents a backup of the source into the folder of bundles."""
        todo = "Make it writable for the user who runs this, or set aims_license_migrate_dir to another folder."
        try:
            existing = next((path for path in (bundles, *bundles.parents) if path.exists()), None) if bundles else None
            refused = existing is not None and not os.access(existing, os.R_OK | os.W_OK | os.X_OK)
        except OSError as error:
            raise refuse(f"The folder of bundles cannot be read: {error.strerror}.", str(bundles), todo) from None
        what = "The folder of bundles on the controller cannot be written."
        return [Problem(what, str(existing), todo)] if refused else []


def _reconciled(
    option: object,
    source: Side,
    target: Side,
    declared: tuple[DeclaredLicense, ...],
    further: tuple[Profile, ...],
) -> dict[str, Any]:
    """Return what brings the target to what is declared for it, and what of that is left to persons."""
    fields = Fields.of(option, SERVER_KIND, "reconcile")
    address, home = fields.text("address"), fields.text("home")
    server = Server(fields.text("host"), fields.word("platform", Platform, "linux or windows"), address, home)
    move = Move(
        server,
        server,
        declared,
        {number: str(name) for number, name in fields.texts_by_name("codes").items()},
        further,
        fields.texts("users") if fields.values.get("users") else None,
        fields.flag("offline"),
        has_package=bool(fields.text("package")),
    )
    from_host = None
    if fields.values.get("source"):
        from_host = Source(source.host, source.overview if source.reachable else None)
    result = reconcile(move, target.overview, from_host, registers=fields.flag("registers"), obstacles=target.obstacles)
    return {
        "changed": False,
        "reconciliation": {
            "activates": as_options(result.activates),
            "left": left_text(server.host, result.steps, result.problems),
            "notes": list(result.notes),
        },
    }


def _side(option: object, name: str) -> Side:
    """Read a side of the plan from the result of ``aims_license_info``; without an overview it was not reached."""
    fields = Fields.of(option, KIND, name)
    info = fields.part("info").values if fields.values.get("info") else {}
    known = {key: info[key] for key in ("fingerprint", "places", "obstacles", "carried") if info.get(key)}
    side = {
        **known,
        "host": fields.values.get("host"),
        "overview": info.get("overview", Overview().as_dict()),
        "reachable": "overview" in info,
        "authority": fields.values.get("authority"),
        "returns": boolean(fields.values.get("returns", False)),
    }
    return Side.from_dict(side, name)


def _users(users: Any) -> tuple[str, ...] | None:
    """Read the declared users; null declares none, and ansible-core before 2.19 may pass it as an empty string."""
    return None if users is None or users == "" else tuple(str(user) for user in users)
