# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""killed_run.py PROJECT HOST HOME least|most COUNT PLAYBOOK INVENTORY…: runs a playbook until kill_when.py has killed.

Then everything that the run has started on the controller is killed as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def main(project: str, host: str, home: str, which: str, count: str, playbook: str, *inventories: str) -> int:
    sys.path.insert(0, f"{project}/tests")
    from support.runs import Started

    folder = Path(os.environ["AIMS_MOLECULE_DIRECTORY"])
    ssh = ["ssh", "-F", str(folder / "site" / "ssh_config"), host]
    watch = subprocess.Popen(
        [*ssh, "sudo", "-n", "python3", "/run/kill_when.py", home, which, count], stdout=subprocess.PIPE
    )
    command = ["ansible-playbook", *(f"--inventory={inventory}" for inventory in inventories), playbook]
    started = Started(command, folder, dict(os.environ))
    killed = watch.communicate()[0].decode()
    over = started.over
    started.kill()
    run = started.wait()
    print(killed, "" if killed and not over else run.output)
    return int(over or not killed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
