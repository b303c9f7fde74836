# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules as Ansible packs them for hosts, kept between the runs of the tests.

Ansible follows a module's imports through the whole core and compiles each file. In each run that costs a second of
processor time for each module. What it packs depends on the sources only, so the folder is named by their digest.
``tests/module_cache`` has the plugin that a run finds it by. ``python module_cache.py`` prints the environment for it.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import time
from pathlib import Path

import ansible.release

CHECKOUT = Path(__file__).resolve().parents[2]
PLUGIN = CHECKOUT / "tests" / "module_cache"
_FOLDER = CHECKOUT / ".build" / "cache" / "modules"
_DAY = 24 * 3600.0


def _digest() -> str:
    """The digest of what a packed module depends on: the collection's Python files, Ansible and Python."""
    summed = hashlib.sha256(f"{ansible.release.__version__} {sys.version}".encode())
    for path in sorted((CHECKOUT / "plugins").rglob("*.py")):
        summed.update(f"{path}\0{path.stat().st_size}\0".encode())
        summed.update(path.read_bytes())
    return summed.hexdigest()[:16]


def module_cache() -> dict[str, str]:
    """Return the environment in which a run keeps packed modules, and takes those that another has kept."""
    folder = _FOLDER / _digest()
    if not folder.is_dir():
        for former in _FOLDER.glob("*"):
            if former.stat().st_mtime < time.time() - _DAY:
                shutil.rmtree(former, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
    return {"ANSIBLE_CALLBACK_PLUGINS": str(PLUGIN), "AIMS_MODULE_CACHE": str(folder)}


if __name__ == "__main__":
    print(*(f"{name}={value}" for name, value in module_cache().items()))
