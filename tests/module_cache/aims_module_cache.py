# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets runs of the tests share the modules that Ansible has packed; see tests/support/module_cache.py."""

from __future__ import annotations

import base64
import dataclasses
import io
import os
import py_compile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.executor import module_common
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: aims_module_cache
type: aggregate
short_description: Keeps packed modules between runs
description: For the tests of this collection only; AIMS_MODULE_CACHE names the folder. Without it, nothing is kept.
"""


def with_bytecode(archive: bytes) -> bytes:
    """Add compiled files to an archive of Python files, which the same Python imports instead of compiling these."""
    made = io.BytesIO(archive)
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(made, "a", zipfile.ZIP_STORED) as archived:
        source, compiled = Path(folder, "source.py"), Path(folder, "source.pyc")
        for name in [name for name in archived.namelist() if name.endswith(".py")]:
            source.write_bytes(archived.read(name))
            py_compile.compile(
                str(source),
                str(compiled),
                dfile=name,
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
            archived.writestr(f"{name}c", compiled.read_bytes(), zipfile.ZIP_DEFLATED)
    return made.getvalue()


class CallbackModule(CallbackBase):
    """Puts the tests' folder in the place where a run keeps the modules that it has packed for its hosts."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "aims_module_cache"

    def __init__(self) -> None:
        super().__init__()
        if folder := os.environ.get("AIMS_MODULE_CACHE"):
            Path(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache").symlink_to(folder)
            _keep_bytecode()


def _keep_bytecode() -> None:
    """Have packed modules kept with bytecode. Ansible before 2.19 keeps them in another way, which is left alone."""
    kept: Any = getattr(module_common, "_CachedModule", None)
    if kept is None:
        return
    dump = kept.dump

    def dump_with_bytecode(module: Any, path: str) -> None:
        archive = with_bytecode(base64.b64decode(module.zip_data))
        dump(dataclasses.replace(module, zip_data=base64.b64encode(archive)), path)

    kept.dump = dump_with_bytecode
