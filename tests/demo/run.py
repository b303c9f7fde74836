# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rehearse the migration of the worked example between two alternate roots in .build/demo."""

from __future__ import annotations

import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(CHECKOUT / "tests"), str(CHECKOUT / ".build" / "collections")]

from ansible_collections.aims.licensing.plugins.plugin_utils._tables import overview_tables, text_table  # noqa: E402
from lab import Lab, Run  # noqa: E402


def heading(text: str) -> None:
    print(f"\n\033[1m== {text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def must(run: Run) -> Run:
    """Stop the demonstration, with all the output, where a run failed."""
    if run.code:
        print(run.output)
        sys.exit(f"ansible-playbook ended with {run.code}")
    return run


def plan_of(run: Run) -> str:
    lines = run.output.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("Plan "))
    end = next(at for at in range(start, len(lines)) if lines[at].startswith(("ok:", "TASK ", "PLAY ")))
    return "\n".join(lines[start:end]).rstrip()


def recap_of(run: Run) -> str:
    return run.output[run.output.index("PLAY RECAP") :].strip()


def transfers(lab: Lab, host: str) -> str:
    rows = [
        [one["number"], one["transfers"]["left"], one["transfers"]["limit"], one["transfers"]["returns"] or "all there"]
        for one in lab.overview(host)["licenses"]
    ]
    return text_table(("License", "Transfers left", "of", "Next one returns"), rows)


def main() -> None:
    started = time.monotonic()
    lab = Lab(CHECKOUT / ".build" / "demo")
    heading("Two hosts as alternate roots, an authority as a ledger, the worked example activated on the source")
    must(lab.play("rehearse", "--tags", "prepare"))
    print(overview_tables(lab.overview("old")))
    heading("ansible-playbook aims.licensing.migrate --check")
    print(plan_of(must(lab.play("migrate", "--check"))))
    heading("ansible-playbook aims.licensing.migrate")
    print(recap_of(must(lab.play("migrate"))))
    heading("The source afterwards")
    print(overview_tables(lab.overview("old")))
    heading("The target afterwards")
    print(overview_tables(lab.overview("new")))
    print(f"\n{transfers(lab, 'new')}")
    heading("The same command again")
    again = must(lab.play("migrate"))
    print(recap_of(again))
    if again.changed:
        sys.exit("The second run changed something.")
    heading(f"Done in {time.monotonic() - started:.0f} s")
    print(f"Report: {lab.work / 'reports' / 'old-to-new.html'}\nHosts, bundles and inventory: {lab.folder}")


if __name__ == "__main__":
    main()
