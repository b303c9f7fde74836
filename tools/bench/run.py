# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Count the module runs on the hosts of a migration, and time it against a floor measured in the same minute.

The floor is a playbook with as many plays, as many tasks on the hosts, and the same delegation, whose tasks only ping:
what Ansible itself costs. The second floor pings with a copy of the module per module of ours, because Ansible puts
together what it sends once per module and run.

Exits with 1 where a run starts more modules on the hosts than LIMITS allows; never for time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible.modules import ping

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(CHECKOUT / "tests"), str(CHECKOUT / ".build" / "collections")]

from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.terminal import text_table  # noqa: E402
from support.lab import Lab, Run  # noqa: E402

FULL, UNCHANGED = "full migration", "nothing to do"
LIMITS = {FULL: 9, UNCHANGED: 4}
AIM = 1.3
# the two floors: every task is ping itself, or a copy of it per module
SAME, OWN = "floor", "floor with as many modules"


@dataclass(frozen=True)
class Execution:
    """One start of Python on a host, and the module it was started for, where that can be seen."""

    host: str
    module: str


class Counter:
    """Counts starts of Python on the hosts of a lab: each module run is one, and nothing else starts it there.

    Tasks, loops and actions that run several modules or none do not matter to it, as they would to a callback.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._log = lab.folder / "executions"

    def __enter__(self) -> Counter:
        for group in self._lab.inventory["all"]["children"].values():
            for host, variables in group["hosts"].items():
                variables["ansible_python_interpreter"] = str(self._interpreter(host))
        self._lab.write_inventory()
        return self

    def __exit__(self, *exception: object) -> None:
        for group in self._lab.inventory["all"]["children"].values():
            for variables in group["hosts"].values():
                del variables["ansible_python_interpreter"]
        self._lab.write_inventory()

    def _interpreter(self, host: str) -> Path:
        file = self._lab.folder / "interpreters" / host / "python"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            f'#!/bin/sh\necho "{host} ${{1:--}}" >> "{self._log}"\nexec "{sys.executable}" "$@"\n', encoding="utf-8"
        )
        file.chmod(0o755)
        return file

    def count(self, playbook: str, pipelining: bool = False) -> tuple[Run, list[Execution]]:
        """Run a playbook; return the executions in their order.

        :param pipelining: whether modules come by standard input; they have no name for the log then
        """
        self._log.write_text("", encoding="utf-8")
        run = must(self._lab.play(playbook, ANSIBLE_PIPELINING=str(pipelining).lower()))
        found = []
        for line in self._log.read_text(encoding="utf-8").splitlines():
            host, argument = line.split(" ", 1)
            found.append(Execution(host, Path(argument).stem.removeprefix("AnsiballZ_")))
        return run, found


def must(run: Run) -> Run:
    """Stop, with all the output, where a run failed."""
    if run.code:
        print(run.output)
        sys.exit(f"ansible-playbook ended with {run.code}")
    return run


def plays_of(run: Run) -> int:
    return sum(line.startswith("PLAY [") for line in run.output.splitlines())


def write_floor(lab: Lab, kind: str, plays: int, executions: Sequence[Execution], own: bool) -> str:
    """Write the floor of a run: its plays, the last one pinging where the run's modules ran.

    :param own: whether each module of the run is stood for by a copy of ping under a name of its own
    """
    tasks: list[dict[str, Any]] = []
    for at, execution in enumerate(executions, 1):
        module = f"ping_for_{execution.module}" if own else "ansible.builtin.ping"
        task: dict[str, Any] = {"name": f"Ping {at}", module: None}
        if own:
            copy = lab.folder / "library" / f"{module}.py"
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(str(ping.__file__), copy)
        if execution.host != lab.target:
            task["delegate_to"] = execution.host
        tasks.append(task)
    first = [{"name": f"Play {at}", "hosts": "all", "gather_facts": False} for at in range(1, plays)]
    last = {"name": f"Play {plays}", "hosts": "aims_license_targets", "gather_facts": False, "tasks": tasks}
    file = lab.folder / f"{kind} {OWN if own else SAME}.yml".replace(" ", "-")
    file.write_text(yaml.safe_dump([*first, last], sort_keys=False), encoding="utf-8")
    return str(file)


class Start:
    """The lab before the migration, kept to be put back before each repetition."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._kept = lab.folder / "kept"
        lab.stop_services()
        shutil.copytree(lab.folder / "hosts", self._kept / "hosts", symlinks=True)
        shutil.copy2(lab.ledger, self._kept / "ledger")

    def put_back(self) -> None:
        self._lab.stop_services()
        for folder in (self._lab.folder / "hosts", self._lab.work):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._kept / "hosts", self._lab.folder / "hosts", symlinks=True)
        shutil.copy2(self._kept / "ledger", self._lab.ledger)
        self._lab.start_service(self._lab.source)


def check_counter(lab: Lab, counter: Counter) -> None:
    """Stop unless the counter finds six pings where six are run: four in a loop, two delegated to one host."""
    ping = {"name": "Ping", "ansible.builtin.ping": None}
    tasks = [
        {**ping, "loop": [1, 2]},
        {**ping, "delegate_to": lab.source},
        {"name": "Run no module", "ansible.builtin.debug": {"msg": ""}},
        {**ping, "when": False},
    ]
    file = lab.folder / "known.yml"
    file.write_text(yaml.safe_dump([{"name": "Known", "hosts": "all", "gather_facts": False, "tasks": tasks}]))
    for pipelining in (False, True):
        found = [execution.host for execution in counter.count(str(file), pipelining)[1]]
        if (len(found), found.count(lab.source), found.count(lab.target)) != (6, 4, 2):
            sys.exit(f"The counter found {len(found)} module runs where there are 6.")


def timed(lab: Lab, playbook: str) -> tuple[float, Run]:
    started = time.perf_counter()
    run = must(lab.play(playbook))
    return time.perf_counter() - started, run


def measure(
    lab: Lab, start: Start, floors: dict[tuple[str, str], str], repeat: int
) -> tuple[dict[str, list[float]], list[float]]:
    """Return the seconds by kind of run, and the seconds without a license server, of alternating repetitions."""
    seconds: dict[str, list[float]] = {}
    without: list[float] = []
    for _repetition in range(repeat):
        start.put_back()
        for kind in LIMITS:
            took, run = timed(lab, "migrate")
            if (run.changed > 0) != (kind == FULL):
                sys.exit(f"The run for '{kind}' changed {run.changed}.")
            seconds.setdefault(kind, []).append(took)
            for floor in (SAME, OWN):
                seconds.setdefault(f"{kind}, {floor}", []).append(timed(lab, floors[kind, floor])[0])
            if kind == FULL:
                (report,) = (lab.work / "reports").glob("*.json")
                without.append(json.loads(report.read_text(encoding="utf-8"))["without_service_seconds"])
    return seconds, without


def count_runs(lab: Lab, start: Start) -> tuple[dict[str, list[Execution]], dict[tuple[str, str], str]]:
    """Return the module runs by kind of run, and the playbooks of their floors by kind of run and floor."""
    counts: dict[str, list[Execution]] = {}
    floors: dict[tuple[str, str], str] = {}
    start.put_back()
    with Counter(lab) as counter:
        check_counter(lab, counter)
        for kind in LIMITS:
            run, counts[kind] = counter.count("migrate")
            for floor in (SAME, OWN):
                floors[kind, floor] = write_floor(lab, kind, plays_of(run), counts[kind], floor == OWN)
        for (kind, _floor), playbook in floors.items():
            if len(counter.count(playbook, pipelining=True)[1]) != len(counts[kind]):
                sys.exit(f"The floor of '{kind}' does not run as many modules as the run itself.")
    return counts, floors


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--repeat", type=int, default=5, metavar="N", help="repetitions to take medians of (%(default)s)"
    )
    parser.add_argument("--folder", type=Path, default=CHECKOUT / ".build" / "bench", help="where to work")
    options = parser.parse_args()
    os.environ.setdefault("ANSIBLE_COLLECTIONS_PATH", str(CHECKOUT / ".build" / "collections"))
    lab = Lab(options.folder.absolute())
    # Each repetition starts license servers of its own; what a killed bench leaves ends by itself.
    lab.serve(3600, **{lab.source: "127.0.0.21", lab.target: "127.0.0.22"})
    try:
        must(lab.play("rehearse", "--tags", "prepare"))
        start = Start(lab)
        counts, floors = count_runs(lab, start)
        seconds, without = measure(lab, start, floors, options.repeat)
    finally:
        lab.stop_services()

    rows, over = [], []
    for kind, limit in LIMITS.items():
        took, floor, own = (statistics.median(seconds[name]) for name in (kind, f"{kind}, {SAME}", f"{kind}, {OWN}"))
        times = (f"{took:.2f} s", f"{floor:.2f} s", f"{took / floor:.2f}x", f"{own:.2f} s", f"{took / own:.2f}x")
        rows.append([kind, len(counts[kind]), limit, *times])
        if len(counts[kind]) > limit:
            over.append(f"{kind}: {len(counts[kind])} modules were run on the hosts, at most {limit} are allowed")
    print(text_table(("Run", "Modules run", "Limit", "Time", "Floor", "Ratio", "Own floor", "Ratio"), rows))
    print(f"\nThe aim is a ratio of {AIM}. The own floor pings with as many different modules as the run has.")
    print(f"Medians of {options.repeat} alternating repetitions, two hosts over local connections with pipelining.")
    print(f"Without a license server (fence to last activation): {statistics.median(without):.2f} s")
    for kind, executions in counts.items():
        print(f"\nModules of '{kind}':")
        print("\n".join(f"  {execution.host}  {execution.module}" for execution in executions))
    measured = {
        "seconds": seconds,
        "without_service_seconds": without,
        "modules": {k: len(v) for k, v in counts.items()},
    }
    (lab.folder / "bench.json").write_text(json.dumps(measured, indent=1), encoding="utf-8")
    for line in over:
        print(line, file=sys.stderr)
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
