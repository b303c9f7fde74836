# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service's user that cannot write its folders can, once they are handed to it as the message says."""

from __future__ import annotations

import functools
import importlib
import os
import pwd
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins import modules as plugins
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.config import SYSTEMD, Config
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import Home
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting import install as install_module
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting import service
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.systemd import Unit
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server import process
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import HOME, Host
from ansible_collections.aims.licensing.tests.unit.plugins.remedies.pair import Pair
from support.needs import needs_root

USER = "nobody"


def started(host: Host, begin: Any) -> str:
    """What a part of the server's start tells the service's user on a host; nothing where it succeeds."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        told = "it ended"
        try:
            user = pwd.getpwnam(USER)
            os.chroot(host.root)
            os.chdir("/")
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
            with begin(Home(HOME)):
                told = ""
        except LicensingError as error:
            told = str(error)
        except BaseException as error:
            told = repr(error)
        finally:
            os.write(write, told.encode())
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read, "rb") as answer:
        return answer.read().decode()


@needs_root
@pytest.mark.parametrize("begin", [process.logging_to, process.seats_locked], ids=["log", "seats"])
def test_folders_that_the_services_user_cannot_write_are_handed_to_it_by_what_the_message_names(
    pair: Pair, begin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = [pair.old.folder / name for name in service.SERVICE_DIRECTORIES]
    for place in (pair.old.root, pair.old.folder.parent, pair.old.folder, *own):
        place.mkdir(exist_ok=True)
        place.chmod(0o755)
    told = started(pair.old, begin)
    assert "Give the service's user write access to this folder (aims_license_server_install does so)." in told
    # What the module does of a service, with a stand-in that says yes for systemd.
    (name,) = re.findall(r"aims_license_[a-z_]+", told)
    module = importlib.import_module(f"{plugins.__name__}.{name}")
    assert module.install is install_module.install
    (tmp_path / "bin").mkdir()
    for name in ("systemctl", "systemd-sysusers"):
        command = tmp_path / "bin" / name
        command.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
        command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(service, "USER", USER)
    monkeypatch.setattr(service, "Unit", functools.partial(Unit, root=pair.old.root))
    found = install_module.service_of(pair.old.home, Config(service=SYSTEMD))
    assert found is not None
    found.bring()
    assert started(pair.old, begin) == ""
