# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose Python interpreter runs each module as it should, and then changes what it returns."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

from support.lab import Lab

_INTERPRETER = """\
#!{python}
import json, subprocess, sys
sent = sys.stdin.read()
with open({sent!r}, "a") as record:
    record.write(sent)
done = subprocess.run([{python!r}, *sys.argv[1:]], input=sent, capture_output=True, text=True)
sys.stderr.write(done.stderr)
try:
    result = json.loads(done.stdout)
except ValueError:
    sys.stdout.write(done.stdout)
    sys.exit(done.returncode)
{change}
print(json.dumps(result))
"""


def turn_hostile(lab: Lab, host: str, change: str) -> Path:
    """Have a host change the results of its modules, and keep what is sent to it.

    :param change: statements over ``result``, the module's result as data
    :return: the file with everything that the host's interpreter was sent
    """
    sent = lab.folder / f"sent-to-{host}"
    interpreter = lab.folder / f"python-of-{host}"
    text = _INTERPRETER.format(python=sys.executable, sent=str(sent), change=textwrap.dedent(change))
    interpreter.write_text(text, encoding="utf-8")
    interpreter.chmod(0o755)
    for group in lab.inventory["all"]["children"].values():
        if host in group["hosts"]:
            group["hosts"][host]["ansible_python_interpreter"] = str(interpreter)
    lab.write_inventory()
    return sent
