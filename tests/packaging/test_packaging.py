# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ships is what was meant to ship, and the texts about the collection agree with each other."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tarfile

import pytest
import yaml

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
SHIPPED = {"CHANGELOG.rst", "LICENSE", "README.md", "docs", "meta", "playbooks", "plugins", "roles"}
# written by ansible-galaxy itself
MANIFESTS = {"FILES.json", "MANIFEST.json"}


def load(name: str) -> dict:
    return yaml.safe_load((CHECKOUT / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names of the files in a freshly built tarball."""
    target = tmp_path_factory.mktemp("tarball")
    galaxy = pathlib.Path(sys.executable).with_name("ansible-galaxy")
    command = [str(galaxy), "collection", "build", "--output-path", str(target), str(CHECKOUT)]
    built = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert built.returncode == 0, built.stdout + built.stderr
    (tarball,) = target.glob("*.tar.gz")
    with tarfile.open(tarball) as archive:
        return [member.name for member in archive if not member.isdir()]


def test_tarball_holds_the_collection_and_nothing_else(shipped: list[str]) -> None:
    assert {name.split("/")[0] for name in shipped} <= SHIPPED | MANIFESTS


def test_tarball_holds_every_committed_file_of_the_collection(shipped: list[str]) -> None:
    command = ["git", "ls-files", "-z", "--", *sorted(SHIPPED)]
    listed = subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout
    committed = {name for name in listed.split("\0") if name and os.path.lexists(CHECKOUT / name)}
    assert committed <= set(shipped)


def test_action_group_names_every_module_once() -> None:
    group = load("meta/runtime.yml")["action_groups"]["aims_license"]
    modules = sorted(path.stem for path in CHECKOUT.glob("plugins/modules/*.py") if path.stem != "__init__")
    assert group == modules


def test_changelog_opens_with_the_version_in_galaxy_yml() -> None:
    changelog = (CHECKOUT / "CHANGELOG.rst").read_text(encoding="utf-8")
    released = [line for line in changelog.splitlines() if line.startswith("v")]
    assert released[0] == f"v{load('galaxy.yml')['version']}"


def test_execution_environment_names_files_that_ship(shipped: list[str]) -> None:
    assert set(load("meta/execution-environment.yml")["dependencies"].values()) <= set(shipped)
