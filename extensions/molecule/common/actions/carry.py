# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""carry.py FOLDER PAGE: uploads each request of a folder to a page, with curl, and puts the responses there."""

from __future__ import annotations

import base64
import json
import pathlib
import subprocess
import sys

folder, page = pathlib.Path(sys.argv[1]), sys.argv[2]
for request in sorted(folder.glob("*.request")):
    form = ["--form", "email=", "--form", f"request=@{request}", "--header", "Accept: application/json"]
    curl = ["curl", "--silent", "--show-error", "--fail", "--insecure", "--max-time", "20", *form, page]
    (result,) = json.loads(subprocess.run(curl, check=True, capture_output=True).stdout)["results"]
    (folder / pathlib.Path(result["file"]).name).write_bytes(base64.b64decode(result["content"]))
    print(result["number"], result["action"], result["outcome"])
