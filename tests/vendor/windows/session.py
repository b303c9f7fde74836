# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stand-in's sshd runs for each session: Wine's cmd for a command, sftp-server for files.

The folder of the host has ``habits.json``, which says how the host differs from a friendly one.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

# A root of its own for sftp-server, in which the host's drive is /C:, as Windows' sftp-server has it.
_VIEW = """
mount -t tmpfs none {view}
cd {view}
mkdir C: usr dev
for folder in usr dev; do mount --rbind /$folder $folder; done
for folder in bin lib lib64; do
  if [ -L /$folder ]; then
    cp -P /$folder .
  elif [ -d /$folder ]; then
    mkdir $folder && mount --rbind /$folder $folder
  fi
done
mkdir etc && cp /etc/passwd /etc/group etc/
mount --bind {drive} C:
exec chroot . /usr/lib/openssh/sftp-server
"""


def main(folder: Path) -> int:
    habits = json.loads((folder / "habits.json").read_text(encoding="utf-8"))
    command = os.environ.get("SSH_ORIGINAL_COMMAND", "")
    with (folder / "commands.log").open("a", encoding="utf-8") as log:
        log.write(f"{command}\n")
    time.sleep(habits.get("delay", 0))
    if command == "sftp-server":
        return _transfer(folder, habits)
    if "shell" in habits:
        sys.stderr.write(habits["shell"])
        return 1
    sys.stdout.buffer.write(habits.get("greeting", "").encode("cp850"))
    sys.stdout.buffer.flush()
    return _execute(folder, command, habits)


def _execute(folder: Path, command: str, habits: dict[str, Any]) -> int:
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "WINEPREFIX": str(folder / "prefix"),
        "WINEARCH": "win64",
        "WINEDEBUG": "-all",
        "SSH_ORIGINAL_COMMAND": command,
    }
    program = ["wine", r"C:\windows\remote.exe"]
    done = subprocess.run(
        program,
        cwd=folder / "prefix" / "drive_c",
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if "output_ends_after" in habits else None,
        check=False,
    )
    if "output_ends_after" in habits:
        sys.stdout.buffer.write(done.stdout[: habits["output_ends_after"]])
    return done.returncode


def _transfer(folder: Path, habits: dict[str, Any]) -> int:
    if habits.get("has_no_sftp"):
        sys.stderr.write("'sftp-server' is not recognized as an internal or external command.\n")
        return 1
    view = folder / "view"
    view.mkdir(exist_ok=True)
    script = _VIEW.format(view=shlex.quote(str(view)), drive=shlex.quote(str(folder / "prefix" / "drive_c")))
    options = ["--mount"] if os.geteuid() == 0 else ["--mount", "--map-root-user"]
    # The mounts end with the last process in them.
    return subprocess.run(["unshare", *options, "sh", "-ec", script], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
