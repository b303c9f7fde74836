# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints, as JSON, the licenses that a home holds live: nodelocked and not fenced, read from its files."""

from __future__ import annotations

import json
import pathlib
import sys

home = pathlib.Path(sys.argv[1])
fenced = json.loads((home / "Config/server.json").read_text(encoding="utf-8"))["fenced"]
locks = [json.loads(lock.read_text(encoding="utf-8")) for lock in home.glob("Nodelocks/*.lock")]
print(json.dumps(sorted({lock["body"]["number"] for lock in locks} - set(fenced))))
