# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remedies that name a module, a package or a service: the one that the message names is called, and ends it."""

from __future__ import annotations

import base64
import contextlib
import importlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from ansible.module_utils import basic
from ansible.parsing.vault import VaultSecret
from ansible_collections.aims.licensing.plugins.action import aims_license_plan
from ansible_collections.aims.licensing.plugins.module_utils import _licensing
from ansible_collections.aims.licensing.plugins.module_utils._licensing import cli
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client import Refused
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.config import SYSTEMD
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager import freshness
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Profile
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.entitlements import Entitlements
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import newest, read_bundle
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.vault import RunVault
from ansible_collections.aims.licensing.plugins.plugin_utils._package import build_package
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.plan import Plan
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    CODES,
    HOME,
    NUMBERS,
    PROFILES,
    SERVER,
    SESSION,
    CoreLab,
    Host,
    entries,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.running_server import Service
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.test_authority_service import (
    SYSTEMCTL,
)
from ansible_collections.aims.licensing.tests.unit.plugins.modules.test_authority import Task
from ansible_collections.aims.licensing.tests.unit.plugins.remedies.pair import Pair, commands, copy, execute
from support.licsrv import Server

PLUGINS = f"{_licensing.__name__.rpartition('.module_utils')[0]}"
VAULT = RunVault([("default", VaultSecret(b"of the tests"))], None)


def named_in(text: str) -> str:
    """The module that a message names."""
    (name,) = set(re.findall(r"aims_license_[a-z_]+", text))
    return str(name)


def call(name: str, **options: Any) -> dict[str, Any]:
    """What a module returns: it reads its arguments, and prints its result, as on a host."""
    module = importlib.import_module(f"{PLUGINS}.modules.{name}")
    handed = json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode()
    arguments = mock.patch.multiple(basic, create=True, _ANSIBLE_ARGS=handed, _ANSIBLE_PROFILE="legacy")
    # The process of the tests is older than a module's may be when it begins to change a host.
    fresh = mock.patch.object(freshness, "_began", freshness.uptime)
    with arguments, fresh, contextlib.redirect_stdout(io.StringIO()) as shown, pytest.raises(SystemExit):
        module.main()
    result: dict[str, Any] = json.loads(shown.getvalue())
    return result


def on(host: Host, name: str, **options: Any) -> dict[str, Any]:
    return call(name, home=HOME, root=str(host.root), **options)


def done(result: dict[str, Any]) -> dict[str, Any]:
    assert not result.get("failed"), result
    return result


def activated(pair: Pair, host: Host, name: str, *numbers: str, **more: Any) -> dict[str, Any]:
    """What a module that activates returns of licenses of the worked example."""
    place = {"authority": f"ledger:{pair.lab.ledger_path}", "realm": pair.lab.realm.as_dict()}
    return on(host, name, licenses=entries(*numbers, **more), **place)


def task_of(name: str, **options: Any) -> Any:
    """Make the controller's half of a module that needs no host."""
    action: Any = importlib.import_module(f"{PLUGINS}.action.{name}").ActionModule
    task = SimpleNamespace(args=options, check_mode=False, delegate_to=None, action=name, resolved_action=name)
    plugin = action.__new__(action)
    plugin._task, plugin._templar = task, None
    return plugin


def backed_up(name: str, host: Host, dest: Path) -> dict[str, Any]:
    """Do a task of the module that backs up, with its controller's half."""
    parent: Any = importlib.import_module(f"{PLUGINS}.action.{name}").ActionModule

    class Backup(parent):  # type: ignore[misc]  # action plugins carry no types
        vault = VAULT

        def __init__(self) -> None:
            self._task = SimpleNamespace(
                args={"dest": str(dest)}, check_mode=False, delegate_to=None, action=name, resolved_action=name
            )
            # Only the vendor's server has its profiles from the inventory.
            self._templar = None

        def module(self, task_vars: dict[str, Any], **filled_in: Any) -> dict[str, Any]:
            return done(on(host, name, dest=str(dest), **filled_in))

    result: dict[str, Any] = Backup().act({"inventory_hostname": "old"})
    return result


def grants(host: Host) -> Any:
    return Entitlements(host.home, host.manager.fingerprint(), host.clock).current()


def todo(host: Host, number: str = SERVER) -> str:
    """What a client is told to do of a license that the server does not serve."""
    problem = grants(host).grant(number).problem
    assert problem is not None
    return str(problem.todo)


def test_an_overview_that_is_none_is_what_the_module_of_the_message_returns(pair: Pair) -> None:
    with pytest.raises(LicensingError, match="Give the overview that ") as refused:
        Overview.from_dict({}, "seen")
    result = done(on(pair.old, named_in(str(refused.value))))
    assert {one.number for one in Overview.from_dict(result["overview"], "seen").licenses} == set(NUMBERS)


def test_a_host_of_a_plan_is_given_as_the_module_of_the_message_returns_it(pair: Pair) -> None:
    with pytest.raises(LicensingError, match="Give host, and as info ") as refused:
        aims_license_plan._side("old", "source")
    result = done(on(pair.old, named_in(str(refused.value))))
    side = aims_license_plan._side({"host": "old", "info": result}, "source")
    assert side.reachable and set(side.overview.numbers) == set(NUMBERS)


def test_a_plan_that_is_none_is_what_the_module_of_the_message_returns(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LicensingError, match="Give the plan that ") as refused:
        Plan.from_dict({}, "planned")
    monkeypatch.setattr(aims_license_plan.display, "display", lambda text, **more: None)
    sides = {
        side: {"host": name, "info": done(on(host, "aims_license_info")), "authority": "offline"}
        for side, name, host in (("source", "old", pair.old), ("target", "new", pair.new))
    }
    options = {"licenses": entries(SERVER), "realm": pair.lab.realm.as_dict(), **sides}
    result = task_of(named_in(str(refused.value)), **options).act({})
    plan = Plan.from_dict(result["plan"], "planned")
    assert [row.number for row in plan.licenses] == [SERVER]


def test_a_license_without_a_key_is_issued_by_the_task_or_the_command_of_the_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, other = tmp_path / "authority.db", tmp_path / "other.db"
    result = call("aims_license_authority", authority=f"ledger:{path}", licenses=[{"number": SERVER}])
    assert "lacks the key" in result["msg"]
    action = importlib.import_module(f"{PLUGINS}.action.{named_in(result['msg'])}").ActionModule
    assert issubclass(Task, action)
    assert Task(path, CODES[SERVER]).done()["issued"] == [SERVER]
    (command,) = re.findall(r"'(authority issue)'", result["msg"])
    assert cli.main(["authority", "init", "--ledger", str(other)]) == 0
    particulars = ["--type", "Rehearsal license", "--seats", "10", "--code-file", str(tmp_path / "code")]
    assert cli.main([*command.split(), SERVER, *particulars, "--ledger", str(other)]) == 0


def test_a_license_that_is_not_active_here_is_activated_by_the_module_of_the_message(pair: Pair) -> None:
    copy(pair.old, pair.new, "Config/server.json", "Licenses")
    pair.lab.deactivate(pair.old)
    told = todo(pair.new)
    assert told.startswith("Activate it here (")
    done(activated(pair, pair.new, named_in(told), SERVER))
    assert grants(pair.new).grant(SERVER).problem is None


def test_a_bundle_of_another_license_server_is_replaced_by_one_of_this_host(pair: Pair, tmp_path: Path) -> None:
    options = {"licenses": [SERVER], "authority": f"ledger:{pair.lab.ledger_path}", "bundle": str(tmp_path)}
    refused = on(pair.old, "aims_license_deactivate", bundle_home_id="0" * 32, **options)
    assert "belongs to another license server" in refused["msg"]
    backed_up(named_in(refused["msg"]), pair.old, tmp_path)
    bundle = newest(tmp_path / "old")
    assert bundle is not None
    result = done(on(pair.old, "aims_license_deactivate", bundle_home_id=bundle.manifest.home_id, **options))
    assert [row["action"] for row in result["results"]] == ["deactivated"]


def test_a_license_that_no_bundle_covers_is_backed_up_while_it_is_active(pair: Pair, tmp_path: Path) -> None:
    pair.lab.deactivate(pair.old, SERVER)
    backed_up("aims_license_backup", pair.old, tmp_path / "bundles")
    bundle = newest(tmp_path / "bundles" / "old")
    assert bundle is not None
    pair.lab.activate(pair.old, SERVER)
    with pytest.raises(LicensingError, match="Back up the host while the licenses are active ") as refused:
        bundle.require_covers(NUMBERS)
    backed_up(named_in(str(refused.value)), pair.old, tmp_path / "bundles")
    bundle = newest(tmp_path / "bundles" / "old")
    assert bundle is not None
    bundle.require_covers(NUMBERS)
    pair.run()
    assert pair.holds(pair.new)


def test_a_bundle_that_is_not_there_is_made_by_the_module_of_the_message(pair: Pair, tmp_path: Path) -> None:
    place = tmp_path / "bundles" / "old" / "latest"
    with pytest.raises(LicensingError, match="There is no bundle here") as refused:
        read_bundle(place)
    backed_up(named_in(str(refused.value)), pair.old, tmp_path / "bundles")
    assert read_bundle(place).covered == set(NUMBERS)


@pytest.mark.parametrize("way", ["another name", "the other license"])
def test_a_profile_name_of_another_license_is_changed_as_the_message_says(pair: Pair, way: str) -> None:
    pair.lab.deactivate(pair.old, SERVER)
    same = {"profile": PROFILES[SESSION][0]}
    result = activated(pair, pair.old, "aims_license_activate", SERVER, **same)
    (declared, owner, again, profile) = re.findall(
        r"Declare another name for license (\S+); or first give license (\S+) (another) one here and remove (\S+) \(",
        result["msg"],
    )[0]
    assert (declared, owner, again) == (SERVER, SESSION, "another")
    if way == "another name":
        same = {"profile": "Another"}
    else:
        profiles = [{"name": "Another", "license": owner}]
        done(on(pair.old, named_in(result["msg"]), profiles=profiles, absent=[profile]))
    done(activated(pair, pair.old, "aims_license_activate", SERVER, **same))
    assert (same["profile"], SERVER) in pair.old.profiles()
    assert ("Another", SERVER if way == "another name" else SESSION) in pair.old.profiles()


def test_a_host_without_a_license_server_gets_it_by_the_module_of_the_message(pair: Pair) -> None:
    pair.lab.deactivate(pair.old)
    shutil.rmtree(pair.new.folder)
    result = activated(pair, pair.new, "aims_license_activate", SERVER)
    assert "Install it first (" in result["msg"]
    package = base64.b64encode(build_package()).decode()
    done(on(pair.new, named_in(result["msg"]), package=package, authority=f"ledger:{pair.lab.ledger_path}"))
    done(activated(pair, pair.new, "aims_license_activate", SERVER))
    assert pair.holds(pair.new, SERVER)


@pytest.mark.parametrize("way", ["install", "point"])
def test_a_profile_of_a_license_that_is_not_installed_gives_seats_again(pair: Pair, way: str) -> None:
    pair.lab.deactivate(pair.old)
    pair.lab.activate(pair.new, SESSION)
    config = pair.new.home.config()
    pair.new.home.save(replace(config, profiles=(*config.profiles, Profile("PROServer", SERVER))))
    told = todo(pair.new)
    assert told.startswith("Install it, or assign an installed license to the profile (")
    if way == "install":
        done(activated(pair, pair.new, "aims_license_activate", SERVER))
    else:
        done(on(pair.new, named_in(told), profiles=[{"name": "PROServer", "license": SESSION}]))
    seen = grants(pair.new)
    assert seen.grant(seen.profiles["PROServer"].license).problem is None


@pytest.mark.parametrize("way", ["name one", "mark one"])
def test_who_names_no_profile_names_one_or_has_one_marked(pair: Pair, way: str) -> None:
    plain = [{"name": PROFILES[number][0], "license": number, "default": False} for number in NUMBERS]
    done(on(pair.old, "aims_license_profile", profiles=plain))
    with Server(HOME, str(pair.old.root)) as server:
        seats = server.seats
        with pytest.raises(Refused) as refused:
            seats.take(seats.new_id(), None, "AIMS\\anna", "workstation")
        told = str(refused.value)
        assert "Name a profile, or mark one Default (" in told
        if way == "mark one":
            marked = [{**one, "default": one["license"] == CLIENT} for one in plain]
            done(on(pair.old, named_in(told), profiles=marked))
        seats.take(seats.new_id(), "Client" if way == "name one" else None, "AIMS\\anna", "workstation")


def test_a_home_whose_licenses_another_authority_signed_is_restored_from_its_bundle(pair: Pair, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(pair.old.folder, bundle)
    (tmp_path / "other").mkdir()
    other = CoreLab(tmp_path / "other", CoreLab.new_ledger(tmp_path / "other"))
    pair.old.home.save(replace(pair.old.home.config(), realm=other.realm))
    other.close()
    assert todo(pair.old) == "Restore the home from the newest bundle."
    shutil.rmtree(pair.old.folder)
    shutil.copytree(bundle, pair.old.folder)
    assert grants(pair.old).grant(SERVER).problem is None


WITHOUT = """
import importlib.metadata as metadata, re, sys
from {requirements} import missing, require_{library} as require

class Hidden:
    def find_spec(self, name, *rest):
        if name.partition(".")[0] in hidden:
            raise ImportError(name)

hidden = {{"{library}"}}
sys.meta_path.insert(0, Hidden())
(problem,) = missing(require)
names = set(re.findall(r"(?:apt|dnf|pip) install ([\\w-]+)", problem.todo))
for name in re.findall(r"pip install ([\\w-]+)", problem.todo):
    hidden -= {{str(file).partition("/")[0] for file in metadata.files(name)}}
assert not missing(require), missing(require)
print(*sorted(names, key=len))
"""


@pytest.mark.parametrize("library", ["cryptography", "tornado"])
def test_a_library_that_is_missing_is_brought_by_the_package_of_the_message(library: str) -> None:
    """A distribution's package of a library for Python 3 has its name, behind python3-."""
    program = WITHOUT.format(requirements=f"{_licensing.__name__}.requirements", library=library)
    core = Path(str(_licensing.__file__)).parents[6]
    ran = subprocess.run(
        [sys.executable, "-B", "-c", program],
        env={**os.environ, "PYTHONPATH": str(core)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ran.stdout.split(), ran.stderr) == ([library, f"python3-{library}"], "")


def test_a_copied_home_whose_server_runs_is_put_away_once_it_is_stopped(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(pair.new.folder)
    copy(pair.old, pair.new)
    for name in ("bin", "run"):
        (tmp_path / name).mkdir()
    (tmp_path / "bin/systemctl.py").write_text(SYSTEMCTL, encoding="utf-8")
    command = tmp_path / "bin/systemctl"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} {command}.py "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    with Server(HOME, str(pair.new.root)) as server:
        pair.new.home.save(replace(pair.new.home.config(), service=SYSTEMD))
        (tmp_path / "run/aims-license-server.pid").write_text(str(server.process.pid), encoding="utf-8")
        text = pair.told()
        assert "The home on new is a copy of that on old" in text
        execute(commands(text, "systemctl stop "))
        assert server.process.wait(10) == -signal.SIGKILL
    pair.new.home.create()
    pair.run()
    assert pair.holds(pair.new)


@pytest.mark.parametrize("way", ["restart it", "aims_license_migrate_drain_force: true"])
def test_a_server_that_does_not_answer_is_restarted_or_its_sessions_are_ended(
    pair: Pair, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIMS_LICSRV_STOP_AFTER", "120")
    service = Service(pair.old)
    process = int(service.status["pid"])
    os.kill(process, signal.SIGSTOP)
    try:
        with pytest.raises(LicensingError) as refused:
            pair.lab.deactivate(pair.old, drain_seconds=1)
        assert "did not say" in str(refused.value) and way in str(refused.value)
        if way == "restart it":
            os.kill(process, signal.SIGKILL)
            while pair.old.overview["server"]["running"]:
                pass
            assert service.install().words[-1] == "start the license server"
        pair.lab.deactivate(pair.old, drain_seconds=1, force=way != "restart it")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        with contextlib.suppress(LicensingError):
            os.kill(service.status["pid"], signal.SIGKILL)
    pair.run()
    assert pair.holds(pair.new)
