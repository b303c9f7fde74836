# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/runbook-example.md: the runbook of the worked example from Windows to Linux.

With ``--check``, nothing is written: the command ends with 1 if the page differs.
"""

from __future__ import annotations

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "runbook-example.md"
HEAD = """# Runbook of the worked example

The runbook of a move of the licenses of the [worked example](domain.md#worked-example) from Windows to Linux, as the
playbook `runbook` prints it before anything is done. [The vendor's license server](vendor.md) says how to get yours.
`python tests/docs/runbook_example.py` writes this page.
"""


def page() -> str:
    """Return the page as it has to be."""
    sys.path[:0] = [str(CHECKOUT / ".build" / "collections"), str(CHECKOUT / "tests")]
    from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.runbook import runbook_text
    from support.moves import move, runbook

    return f"{HEAD}\n```text\n{runbook_text(runbook(move(), is_backed_up=False))}```\n"


def main(arguments: list[str]) -> int:
    if "--check" not in arguments:
        PAGE.write_text(page(), encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
        print("docs/runbook-example.md differs from the runbook. Run: python tests/docs/runbook_example.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
