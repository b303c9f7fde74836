# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as users get it: built, installed into an empty folder, and run with no checkout in reach."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.lab import CHECKOUT, NUMBERS, Lab
from support.runs import must


def galaxy(folder: Path, *arguments: str) -> None:
    command = [str(Path(sys.executable).with_name("ansible-galaxy")), "collection", *arguments]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHON"))}
    environment = {**kept, "ANSIBLE_HOME": str(folder / "ansible"), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A collections path with nothing but the freshly built collection."""
    clean = tmp_path / "clean"
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=CHECKOUT, check=True, stdout=subprocess.PIPE).stdout.decode()
    for name in sorted(set(listed.split("\0")) - {""}):
        if os.path.lexists(CHECKOUT / name):
            (clean / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, clean / name, follow_symlinks=False)
    galaxy(tmp_path, "build", "--output-path", str(tmp_path), str(clean))
    (tarball,) = tmp_path.glob("aims-licensing-*.tar.gz")
    shutil.rmtree(clean)
    galaxy(tmp_path, "install", "--offline", "--collections-path", str(tmp_path / "collections"), str(tarball))
    return tmp_path / "collections"


def test_a_rehearsal_and_its_migration_run_from_the_tarball(installed: Path, lab: Lab) -> None:
    # A migration that reaches for the checkout would find it by one of these.
    assert not {"PYTHONPATH", "ANSIBLE_ROLES_PATH"} & set(lab.environment())
    # Nor does it take modules that were packed from the checkout.
    here = {"ANSIBLE_COLLECTIONS_PATH": str(installed), "AIMS_MODULE_CACHE": ""}
    prepared = must(lab.play("rehearse", "--tags", "prepare", "-vvv", **here))
    migrated = must(lab.play("migrate", "-vvv", **here))
    for run in (prepared, migrated):
        assert str(installed) in run.output
        for place in ("plugins", "roles", "playbooks", ".build"):
            assert f"{CHECKOUT}/{place}" not in run.output
    assert lab.held("old") == set() and lab.held("new") == set(NUMBERS)
    assert lab.transfers() == dict.fromkeys(NUMBERS, 1)
    again = must(lab.play("migrate", **here))
    assert again.changed == 0
    assert (lab.work / "reports" / "old-to-new.html").is_file()
