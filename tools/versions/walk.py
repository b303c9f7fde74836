# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes pairs of hosts through the playbooks with the ansible-core that it runs with: ``walk.py FOLDER COLUMNS``.

COLUMNS is JSON, a list of ``[name, interpreter of the source, interpreter of the target]``. What became of each pair is
written to ``result.json`` in FOLDER, the output of all playbooks to ``log``. What is looked at lies on disk, in the
ledger and in the process table.
"""

from __future__ import annotations

import contextlib
import json
import platform
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(CHECKOUT / "tools"), str(CHECKOUT / "tests"), str(CHECKOUT / ".build" / "collections")]

from ansible.release import __version__  # noqa: E402
from ansible_test._util.target.common import constants  # noqa: E402
from playbooks.serving import Authority  # noqa: E402
from support.lab import HOME, Run  # noqa: E402
from versions.pairs import Column, Pair, Pairs  # noqa: E402

_ACTIVE = "{{ seen.overview.licenses | selectattr('status', 'eq', 'Active') | map(attribute='number') }}"
_LOOK: list[dict[str, Any]] = [
    {
        "name": "Read the host's state",
        "aims.licensing.aims_license_info": {"home": HOME, "root": "{{ aims_license_server_root }}"},
        "register": "seen",
    },
    {
        "name": "Say",
        "ansible.builtin.debug": {"msg": "{{ inventory_hostname }} has {{ active | sort | join(' ') or 'none' }}"},
        "vars": {"active": _ACTIVE},
    },
]


class Failed(Exception):
    """A pair is not where it should be."""


def see(happened: object, what: str) -> None:
    """Fail a pair of which something does not hold."""
    if not happened:
        raise Failed(what)


class Walk:
    """Takes pairs through playbooks.

    :ivar wrong: where each pair first went wrong, by its column; empty where it did not
    :ivar warned: what Ansible warned of
    """

    def __init__(self, lab: Pairs, log: Path) -> None:
        self.lab, self.log = lab, log
        self.wrong = {pair.column.name: "" for pair in lab.pairs}
        self.warned: set[str] = set()

    def step(self, playbook: str, *options: str, changes: bool, look: Callable[[Pair, Run], None]) -> None:
        """Run a playbook over all pairs, and look at each that is well.

        :param changes: whether it has to change something on a pair; otherwise nothing on its disks may change
        """
        if all(self.wrong.values()):
            return
        before = {pair.column.name: _disks(pair) for pair in self.lab.pairs}
        run = self.lab.play(playbook, *options)
        command = " ".join([playbook, *options])
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"\n==== {command}: exit code {run.code}\n{run.output}")
        self.warned.update(re.findall(r"^\[(?:DEPRECATION )?WARNING\]: .*$", run.output, re.MULTILINE))
        for pair in self.lab.pairs:
            with self.watched(pair, command):
                _went_well(run, pair, changes)
                see(changes or _disks(pair) == before[pair.column.name], "something changed on a disk")
                look(pair, run)

    @contextlib.contextmanager
    def watched(self, pair: Pair, step: str) -> Iterator[None]:
        """Keep what goes wrong with a pair, so that the others go on; only the first counts."""
        try:
            yield
        except Exception as error:
            name = pair.column.name
            self.wrong[name] = self.wrong[name] or f"{step}: {str(error) or repr(error)}"


def _disks(pair: Pair) -> dict[str, Any]:
    """What lies on the disks of a pair and in its ledger, without what license servers write while they serve."""
    tree = pair.tree(pair.folder / "hosts", pair.ledger)
    return {name: state for name, state in tree.items() if not re.search(r"/(Logging|Seats)(/|$)", name)}


def _went_well(run: Run, pair: Pair, changes: bool) -> None:
    recap = run.recap()
    counts = [recap[host] for host in (pair.source, pair.target) if host in recap]
    see(counts, f"it ended with {run.code} before it came here")
    said = re.findall(rf"^(?:fatal|failed): \[(?:{pair.target}|{pair.source})\b.*$", run.output, re.MULTILINE)
    bad = sum(count[kind] for count in counts for kind in ("failed", "unreachable", "rescued"))
    see(not bad and not said, " ".join(said)[:300] or "it failed")
    see("Traceback" not in run.output, "there is a traceback")
    changed = sum(count["changed"] for count in counts)
    see(bool(changed) is changes, f"{changed} tasks changed something")


def _runs(pair: Pair, host: str) -> None:
    """See that a host's license server runs, and on which Python."""
    wanted = pair.column.source if host == pair.source else pair.column.target
    found = pair.runs_on(host)
    see(found == str(Path(wanted).resolve()), f"the license server of {host} runs on {found or 'nothing'}")


def _holds(pair: Pair, host: str, transfers: int) -> None:
    """See that one host of a pair has all licenses and the other none, that it serves, and what was spent."""
    other = pair.target if host == pair.source else pair.source
    see(pair.held(host) == set(pair.numbers), f"{host} holds {sorted(pair.held(host))}")
    see(not pair.home(other).exists() or not pair.held(other), f"{other} has licenses too")
    see(pair.transfers() == dict.fromkeys(pair.numbers, transfers), f"spent: {pair.transfers()}")
    _runs(pair, host)


def walk(lab: Pairs, log: Path) -> Walk:
    """Take pairs there and back with a ledger, and there again over HTTPS."""
    taken = Walk(lab, log)

    def on_source(spent: int) -> Callable[[Pair, Run], None]:
        return lambda pair, run: _holds(pair, pair.source, spent)

    def on_target(spent: int) -> Callable[[Pair, Run], None]:
        return lambda pair, run: _holds(pair, pair.target, spent)

    def backed_up(pair: Pair, run: Run) -> None:
        _holds(pair, pair.source, 0)
        bundle = lab.work / "bundles" / pair.source / "latest"
        sealed = {file.name for file in (bundle / "files" / "Nodelocks").glob("*.lock")}
        see(sealed == {f"{number.replace('.', '')}.lock" for number in pair.numbers}, f"the bundle has {sealed}")

    def reported(pair: Pair, run: Run) -> None:
        _holds(pair, pair.target, 1)
        report = json.loads((lab.work / "reports" / f"{pair.source}-to-{pair.target}.json").read_text(encoding="utf-8"))
        see(report["moved"] == pair.numbers and report["pending"] == [], f"the report says {report['moved']} moved")

    def told(pair: Pair, run: Run) -> None:
        for host, numbers in ((pair.source, ["none"]), (pair.target, sorted(pair.numbers))):
            see(f"{host} has {' '.join(numbers)}" in run.output, f"it does not say what {host} has")

    taken.step("rehearse", "--tags", "prepare", changes=True, look=on_source(0))
    taken.step("backup", changes=True, look=backed_up)
    taken.step("migrate", "--check", changes=False, look=on_source(0))
    taken.step("migrate", changes=True, look=reported)
    taken.step("migrate", changes=False, look=reported)
    taken.step("reconcile", changes=False, look=on_target(1))
    hosts = "aims_license_sources:aims_license_targets"
    taken.step(lab.write_play("look", hosts, _LOOK), changes=False, look=told)
    taken.step("rollback", changes=True, look=on_source(2))
    with contextlib.ExitStack() as serving:
        authorities: dict[str, Authority] = {}
        for pair in lab.pairs:
            with taken.watched(pair, "authority serve"):
                authorities[pair.column.name] = serving.enter_context(pair.https())
                authorities[pair.column.name].declare()
        lab.write_inventory()

        def over_https(pair: Pair, run: Run) -> None:
            _holds(pair, pair.target, 3)
            server = json.loads((pair.home(pair.target) / "Config" / "server.json").read_text(encoding="utf-8"))
            address = authorities[pair.column.name].address
            see(address in json.dumps(server), f"{pair.target} was not told of {address}")

        taken.step("migrate", changes=True, look=over_https)
        taken.step("migrate", changes=False, look=over_https)
    return taken


def main(folder: Path, columns: list[list[str]]) -> None:
    lab = Pairs(folder / "hosts", [Column(*column) for column in columns])
    try:
        taken = walk(lab, folder / "log")
    finally:
        lab.stop_services()
    result = {
        "core": __version__,
        "python": platform.python_version(),
        "targets": [*constants.REMOTE_ONLY_PYTHON_VERSIONS, *constants.CONTROLLER_PYTHON_VERSIONS],
        "wrong": taken.wrong,
        "warned": sorted(taken.warned),
    }
    (folder / "result.json").write_text(json.dumps(result, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), json.loads(sys.argv[2]))
