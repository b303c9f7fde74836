# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets runs of the tests share the modules that Ansible has packed; see tests/support/module_cache.py."""

from __future__ import annotations

import os
from pathlib import Path

from ansible import constants
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: aims_module_cache
type: aggregate
short_description: Keeps packed modules between runs
description: For the tests of this collection only; AIMS_MODULE_CACHE names the folder. Without it, nothing is kept.
"""


class CallbackModule(CallbackBase):
    """Puts the tests' folder in the place where a run keeps the modules that it has packed for its hosts."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "aims_module_cache"

    def __init__(self) -> None:
        super().__init__()
        if folder := os.environ.get("AIMS_MODULE_CACHE"):
            Path(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache").symlink_to(folder)
