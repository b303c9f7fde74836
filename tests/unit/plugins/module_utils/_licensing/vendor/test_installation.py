# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendor's package is installed by the system's package manager, and its service has to run as documented."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting import packages
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.daemon import Daemon
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor import installation
from support.vendor_tree import put

UNIT = "some.service"
# The commands of each package manager, as far as they are used here: files have "name<TAB>version" in them.
APT = {
    "dpkg-deb": 'case "$(cat "$3")" in *"\t"*) cat "$3" ;; *) echo "dpkg-deb: error: no archive" >&2; exit 2 ;; esac',
    "dpkg-query": 'cat "$STATE/$3" 2>/dev/null || { echo "no packages found" >&2; exit 1; }',
    "apt-get": 'read line && exit 9; [ -e "$STATE/broken" ] && { echo "E: Unmet dependencies" >&2; exit 100; }; '
    'echo "$DEBIAN_FRONTEND $LC_ALL $*" >>"$STATE/calls"; printf "installed\\t24.1.0.2\\n" >"$STATE/server"',
}
DNF = {
    "rpm": '[ "$2" = --package ] && { cat "$5"; exit; }; cat "$STATE/$4" 2>/dev/null || { echo "no such"; exit 1; }',
    "dnf": 'echo "$*" >>"$STATE/calls"; echo 24.1.0.2-1 >"$STATE/server"',
}


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], Path]:
    """Have the commands of a package manager, and no other one; return the folder of their state."""

    def have(commands: dict[str, str]) -> Path:
        for name, text in commands.items():
            put(tmp_path, f"bin/{name}", f"#!/bin/sh\n{text}\n".encode()).chmod(0o755)
        (tmp_path / "bin").mkdir(exist_ok=True)
        for name in ("sh", "cat"):
            (tmp_path / "bin" / name).symlink_to(f"/bin/{name}")
        state = tmp_path / "state"
        state.mkdir()
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        monkeypatch.setenv("STATE", str(state))
        return state

    return have


@pytest.mark.parametrize(
    ("commands", "suffix", "version"), [(APT, ".deb", "24.1.0.2"), (DNF, ".rpm", "24.1.0.2-1")], ids=["apt", "dnf"]
)
def test_a_package_is_known_by_its_file_and_installed_once(
    system: Callable[[dict[str, str]], Path], tmp_path: Path, commands: dict[str, str], suffix: str, version: str
) -> None:
    state = system(commands)
    file = str(put(tmp_path, f"server{suffix}", f"server\t{version}\n".encode()))
    manager = packages.package_manager(file)
    assert manager.look(file) == packages.SystemPackage("server", version, None)
    manager.install(file)
    assert manager.look(file).is_satisfied and manager.look("server").is_satisfied
    assert file in (state / "calls").read_text(encoding="utf-8")
    newer = str(put(tmp_path, f"newer{suffix}", b"server\t25.0\n"))
    assert not manager.look(newer).is_satisfied


def test_apt_asks_nobody_and_speaks_english(system: Callable[[dict[str, str]], Path]) -> None:
    state = system(APT)
    packages.package_manager("server").install("server")
    called = (state / "calls").read_text(encoding="utf-8")
    assert called == "noninteractive C --quiet --yes --no-install-recommends install server\n"


def test_a_removed_package_whose_settings_are_left_is_not_installed(system: Callable[[dict[str, str]], Path]) -> None:
    state = system(APT)
    put(state, "server", b"config-files\t24.1\n")
    assert packages.package_manager("server").look("server").installed is None


def test_what_is_no_package_is_refused(system: Callable[[dict[str, str]], Path], tmp_path: Path) -> None:
    state = system(APT)
    wrong = str(put(tmp_path, "a.deb", b"no package"))
    with pytest.raises(LicensingError, match="This is no package of this system: dpkg-deb: error: no archive"):
        packages.package_manager(wrong).look(wrong)
    for package, words in {
        str(put(tmp_path, "a.rpm")): r"Give a \.deb file",
        "/nowhere/a.deb": "The package file is not there",
        "-o=x": "is no name of a package",
        "a b": "is no name of a package",
    }.items():
        with pytest.raises(LicensingError, match=words):
            packages.package_manager(package)
    put(state, "broken")
    with pytest.raises(LicensingError, match=r"cannot be installed: E: Unmet dependencies\..*by hand on the host"):
        packages.package_manager("server").install("server")


def test_a_system_without_a_package_manager_says_so(system: Callable[[dict[str, str]], Path]) -> None:
    system({})
    with pytest.raises(LicensingError, match="neither apt-get nor dnf"):
        packages.package_manager("server")


class Host:
    """What the installation sees of a machine.

    :ivar looks: how often the service was looked for
    """

    def __init__(self, unit: str | None = UNIT, after: int = 0, ports: bool = True) -> None:
        self.unit, self.after, self.ports = unit, after, ports
        self.looks = 0
        self.state = (False, False)

    def find(self, program: str) -> Daemon:
        self.looks += 1
        runs = self.unit is not None and self.looks > self.after
        return Daemon(self.unit, (7,) if runs else ())

    def enable(self, unit: str) -> None:
        self.state = (True, True)


@pytest.fixture
def installing(
    system: Callable[[dict[str, str]], Path], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., installation.Installation]:
    """Install the package ``server`` on a host."""
    system(APT)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(installation, "PATIENCE", 2.0)
    monkeypatch.setattr(installation, "holders", lambda address, port: [])

    def install(host: Host, dry: bool = False) -> installation.Installation:
        monkeypatch.setattr(installation, "find_daemon", host.find)
        monkeypatch.setattr(installation, "unit_state", lambda unit: host.state)
        monkeypatch.setattr(installation, "enable_now", host.enable)
        monkeypatch.setattr(installation, "_answers", lambda port: host.ports)
        return installation.install("server", dry)

    return install


def words(done: installation.Installation) -> list[str]:
    return [str(change) for change in done.changes]


def test_a_service_that_takes_its_time_is_waited_for(installing: Callable[..., installation.Installation]) -> None:
    host = Host(after=2)
    assert words(installing(host)) == ["install server"]
    assert host.looks >= 3 and host.state == (True, True)
    assert words(installing(Host(after=0), dry=True)) == [f"enable {UNIT}", f"start {UNIT}"]
    assert words(installing(host)) == []


def test_what_is_installed_is_started_without_a_package(
    installing: Callable[..., installation.Installation],
) -> None:
    host = Host()
    installing(host)
    host.state = (False, True)
    started = installation.start()
    assert started is not None and words(started) == [f"start {UNIT}"] and host.state == (True, True)
    installing(missing := Host(), dry=True)
    missing.unit = None
    assert installation.start() is None


def test_a_service_is_stopped_once_and_one_that_goes_on_is_told(
    installing: Callable[..., installation.Installation], monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host()
    installing(host)
    assert words(installation.stop(dry=True)) == [f"stop {UNIT}"]
    monkeypatch.setattr(installation, "stop_now", lambda unit: None)
    with pytest.raises(LicensingError, match=f"The service {UNIT} still runs"):
        installation.stop()

    def stop(unit: str) -> None:
        host.after, host.ports = host.looks + 1000, False
        monkeypatch.setattr(installation, "_answers", lambda port: False)

    monkeypatch.setattr(installation, "stop_now", stop)
    assert words(installation.stop()) == [f"stop {UNIT}"]
    assert installation.stop() == installation.Installation()


def test_a_process_that_no_service_has_started_is_left_alone(
    installing: Callable[..., installation.Installation], monkeypatch: pytest.MonkeyPatch
) -> None:
    installing(Host())
    monkeypatch.setattr(installation, "find_daemon", lambda program: Daemon(None, (7,)))
    with pytest.raises(LicensingError, match="no service of systemd is known to have started it"):
        installation.stop()


def test_a_package_without_the_service_is_told(installing: Callable[..., installation.Installation]) -> None:
    with pytest.raises(LicensingError, match="no service of it starts licsrv"):
        installing(Host(unit=None))


def test_a_service_that_does_not_answer_is_told_with_its_journal(
    installing: Callable[..., installation.Installation],
) -> None:
    with pytest.raises(LicensingError, match=r"does not answer on port 3400, 3401. Its journal ends with"):
        installing(Host(ports=False))


def test_ports_rights_and_space_are_looked_at_first(
    installing: Callable[..., installation.Installation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "holders", lambda address, port: ["nginx (process 9)", "licsrv (process 8)"])
    monkeypatch.setattr(installation, "_SPACE", 1 << 62)
    with pytest.raises(LicensingError) as refused:
        installing(Host())
    text = str(refused.value)
    assert "Port 3400 is in use by nginx (process 9)" in text and "Port 3401 is in use by nginx" in text
    assert "MB are needed" in text
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LicensingError, match="Only root can install a package"):
        installing(Host())


@pytest.mark.parametrize(("free", "suffices"), [(99, False), (100, True)])
def test_as_much_space_is_wanted_as_is_documented(
    installing: Callable[..., installation.Installation],
    monkeypatch: pytest.MonkeyPatch,
    free: int,
    suffices: bool,
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=free << 20))
    if suffices:
        assert words(installing(Host(), dry=True)) == ["install server"]
        return
    with pytest.raises(LicensingError, match="Only 99 MB are free, and 100 MB are needed"):
        installing(Host(), dry=True)


def test_an_old_release_without_ipv6_and_another_system_are_warned_of(
    installing: Callable[..., installation.Installation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "_system", lambda: ("rocky", "9.4"))
    monkeypatch.setattr(installation, "_has_no_ipv6", lambda: False)
    assert installing(Host(), dry=True).warnings == ()
    monkeypatch.setattr(installation, "_has_no_ipv6", lambda: True)
    (warning,) = installing(Host(), dry=True).warnings
    assert "before release 24.1.0.2 crash" in warning
    installing(Host())
    assert installing(Host()).warnings == ()
    monkeypatch.setattr(installation, "_system", lambda: ("debian", "12"))
    assert "this is debian 12" in installing(Host()).warnings[0]
