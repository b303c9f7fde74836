# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rehearse the migration of the worked example between two alternate roots in .build/demo.

Each host runs the real license server, on a loopback address of its own, and clients hold seats while it moves.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(CHECKOUT / "tests"), str(CHECKOUT / ".build" / "collections")]

from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview  # noqa: E402
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.terminal import overview_tables, text_table  # noqa: E402
from support.clients import Client, wait_for, without_seat  # noqa: E402
from support.lab import Lab, Run  # noqa: E402

ADDRESSES = {"old": "127.0.0.11", "new": "127.0.0.12"}
# Should the demonstration be killed, what it started ends by itself.
LIFETIME = 300
# user, profile, and how many seconds he takes to end his session when he is asked to
SESSIONS = (("AIMS\\anna", "PROSession", 0.5), ("AIMS\\bert", "PROSession", 2.0), ("AIMS\\cleo", "Client", 1.0))


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


def sessions(clients: list[Client], started: float) -> str:
    """Return when each client had a seat where, in seconds since the migration was started."""
    names = {address: host for host, address in ADDRESSES.items()}
    rows = []
    for client in clients:
        for server, since, until in client.held:
            begin = f"{since - started:.1f} s" if since > started else "before"
            end = f"{until - started:.1f} s" if until is not None else "still held"
            rows.append([client.user, client.profile, names[server], begin, end])
    return text_table(("Client", "Profile", "Server", "Seat from", "Until"), rows)


def show(lab: Lab, host: str) -> None:
    """Print the overview of a host."""
    print(overview_tables(Overview.from_dict(lab.overview(host), host)))


def migrate(lab: Lab, clients: list[Client]) -> None:
    """Move the licenses while clients are at work, and tell what they saw of it."""
    wait_for(clients, ADDRESSES["old"])
    show(lab, "old")
    heading("ansible-playbook aims.licensing.migrate")
    started = time.monotonic()
    print(recap_of(must(lab.play("migrate"))))
    wait_for(clients, ADDRESSES["new"])
    heading("What the clients saw")
    print(sessions(clients, started))
    gap = min(client.held[-1][1] for client in clients) - max(client.held[-2][2] or 0 for client in clients)
    print(f"\nFrom the last seat on the source to the first on the target: {gap:.1f} s")
    print(f"Longest time that a client had no seat: {max(without_seat(client) for client in clients):.1f} s")


def main() -> None:
    started = time.monotonic()
    lab = Lab(CHECKOUT / ".build" / "demo")
    lab.serve(LIFETIME, **ADDRESSES)
    clients = [Client(user, profile, list(ADDRESSES.values()), ends) for user, profile, ends in SESSIONS]
    try:
        heading("Two hosts as alternate roots, an authority as a ledger, the worked example activated on the source")
        must(lab.play("rehearse", "--tags", "prepare"))
        show(lab, "old")
        heading("ansible-playbook aims.licensing.migrate --check")
        print(plan_of(must(lab.play("migrate", "--check"))))
        heading("The source with clients at work")
        for client in clients:
            client.start()
        migrate(lab, clients)
        heading("The source afterwards")
        show(lab, "old")
        heading("The target afterwards")
        show(lab, "new")
        print(f"\n{transfers(lab, 'new')}")
        heading("The same command again")
        again = must(lab.play("migrate"))
        print(recap_of(again))
        if again.changed:
            sys.exit("The second run changed something.")
    finally:
        for client in clients:
            if client.is_alive():
                client.stop()
        lab.stop_services()
    heading(f"Done in {time.monotonic() - started:.0f} s")
    print(f"Report: {lab.work / 'reports' / 'old-to-new.html'}\nHosts, bundles and inventory: {lab.folder}")


if __name__ == "__main__":
    main()
