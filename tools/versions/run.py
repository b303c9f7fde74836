# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the playbooks with each ansible-core against hosts with each Python, and prints a table of what came out.

Interpreters are taken from PATH and from PYTHONS, which names more of them; one that is missing is an error.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = CHECKOUT / ".build" / "versions"
# ansible-core → the Python of its controller, one that it supports; each Python from 3.10 to 3.13 is somebody's.
CONTROLLERS = {
    "2.16": "3.10",
    "2.17": "3.12",
    "2.18": "3.11",
    "2.19": "3.13",
    "2.20": "3.12",
    "2.21": "3.13",
    "2.22": "3.13",
}
# A line of which there is no release yet.
CANDIDATES = {"2.22": "ansible-core>=2.22.0rc1,<2.23"}
# The Python of hosts → what they have installed. The oldest that a distribution with that Python packages: Debian 11,
# Ubuntu 22.04, Debian 12, Ubuntu 24.04; on the newest Python the newest there is. tornado 6.1 has no wheel for 3.10.
HOSTS = {
    "3.9": ["cryptography==3.3.2", "tornado==6.1"],
    "3.10": ["cryptography==3.4.8", "tornado==6.2"],
    "3.11": ["cryptography==38.0.4", "tornado==6.2"],
    "3.12": ["cryptography==41.0.7", "tornado==6.4"],
    "3.13": ["cryptography", "tornado"],
}
# To a host with a newer Python: what a move to another machine mostly is.
ACROSS = ("3.9", "3.13")
OK, FAILED, UNSUPPORTED = "ok", "failed", "ok ¹"
_PROBE = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"


class Missing(Exception):
    """What this machine lacks, and how to get it."""


@dataclass(frozen=True)
class Row:
    """What became of one controller.

    :ivar title: its ansible-core and its Python
    :ivar cells: what is in the table, by column
    :ivar wrong: what went wrong, in words
    :ivar warned: what Ansible warned of
    """

    title: tuple[str, str]
    cells: dict[str, str]
    wrong: list[str]
    warned: list[str]


def interpreters(wanted: Iterable[str]) -> dict[str, str]:
    """Find an interpreter that can make virtual environments for each Python.

    :raises Missing: where there is none for some
    """
    named = os.environ.get("PYTHONS", "").replace(os.pathsep, " ").split()
    found: dict[str, str] = {}
    for version in sorted(set(wanted), key=_number):
        places = [shutil.which(f"python{version}", path=place) for place in os.get_exec_path()]
        for one in [*named, *filter(None, places)]:
            if version not in found and _version(one) == version:
                found[version] = one
    missing = sorted(set(wanted) - set(found), key=_number)
    if missing:
        raise Missing(
            f"No Python {', '.join(missing)} that can make virtual environments is on PATH or in PYTHONS. Get each "
            "with pyenv install, uv python install or the distribution's packages (with python3-venv on Debian), "
            'and name them: make versions PYTHONS="/path/to/python3.9 /path/to/python3.10".'
        )
    return found


def _version(interpreter: str) -> str:
    try:
        done = subprocess.run([interpreter, "-c", _PROBE], capture_output=True, text=True, check=False)
    except OSError as error:
        raise Missing(f"{interpreter} in PYTHONS cannot be run: {error.strerror}.") from None
    return done.stdout.strip() if done.returncode == 0 else ""


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def environment(name: str, interpreter: str, requirements: list[str]) -> str:
    """Return the interpreter of a virtual environment; make it where it is missing or another one is asked for.

    :raises Missing: where the requirements cannot be installed
    """
    folder = FOLDER / "venv" / name
    stamp, python = folder / "made-of", str(folder / "bin" / "python")
    recipe = "\n".join([str(Path(interpreter).resolve()), *requirements])
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != recipe:
        print(f"installing {' '.join(requirements)} on {interpreter}", flush=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        for command in ([interpreter, "-m", "venv", "--clear", str(folder)], install):
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            if done.returncode:
                raise Missing(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
        stamp.write_text(recipe, encoding="utf-8")
    return python


def controller_requirements(core: str) -> list[str]:
    """What a controller needs, with the ansible-core in question in the place of the usual one."""
    lines = (CHECKOUT / "requirements" / "runtime.txt").read_text(encoding="utf-8").splitlines()
    others = [line for line in lines if line and not line.startswith(("#", "ansible-core"))]
    return [CANDIDATES.get(core, f"ansible-core=={core}.*"), *others]


def walk(core: str, python: str, columns: list[list[str]]) -> Row:
    """Take pairs of hosts through the playbooks with one controller."""
    folder = FOLDER / f"walk-{core}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    started = time.monotonic()
    with (folder / "output").open("wb") as output:
        command = [python, str(Path(__file__).with_name("walk.py")), str(folder), json.dumps(columns)]
        code = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False
        ).returncode
    row = _row(core, code, folder, [name for name, *rest in columns])
    took = time.monotonic() - started
    print(f"ansible-core {core}: {'failed' if row.wrong else 'ok'} after {took:.0f} s, {folder}/log", flush=True)
    return row


def _row(core: str, code: int, folder: Path, names: list[str]) -> Row:
    try:
        result: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        said = (folder / "output").read_text(encoding="utf-8", errors="replace").strip()
        wrong = f"ansible-core {core}: the walk ended with {code}: {said[-2000:]}"
        return Row((core, CONTROLLERS[core]), dict.fromkeys(names, FAILED), [wrong], [])
    cells = {}
    for name in names:
        known = all(part in result["targets"] for part in name.split(" to "))
        cells[name] = FAILED if result["wrong"][name] else OK if known else UNSUPPORTED
    wrong = [f"ansible-core {core}, hosts {name}: {said}" for name, said in result["wrong"].items() if said]
    warned = [f"ansible-core {core}: {said}" for said in result["warned"]]
    return Row((result["core"], result["python"]), cells, wrong, warned)


def table(rows: list[Row]) -> str:
    """The rows as a table in Markdown."""
    names = list(rows[0].cells)
    head = ["ansible-core", "on Python", *(f"hosts {name}" for name in names)]
    lines = [head, ["---"] * len(head)]
    lines += [[*row.title, *(row.cells[name] for name in names)] for row in rows]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    if UNSUPPORTED in [cell for row in rows for cell in row.cells.values()]:
        text += "\n\n¹ This ansible-core does not name this Python among those that it supports on hosts."
    return text


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--core", action="append", choices=CONTROLLERS, help="only this ansible-core")
    parser.add_argument("--host", action="append", choices=HOSTS, help="only hosts with this Python")
    parser.add_argument("--jobs", type=int, default=2, help="how many controllers to run at once")
    asked = parser.parse_args(arguments)
    cores, hosts = asked.core or list(CONTROLLERS), asked.host or list(HOSTS)
    across = [ACROSS] if set(ACROSS) <= set(hosts) else []
    found = interpreters([*(CONTROLLERS[core] for core in cores), *hosts])
    with ThreadPoolExecutor(asked.jobs) as several:
        pythons = dict(zip(hosts, several.map(lambda one: environment(f"host-{one}", found[one], HOSTS[one]), hosts)))
        columns = [[name, pythons[name], pythons[name]] for name in hosts]
        columns += [[" to ".join(pair), *(pythons[name] for name in pair)] for pair in across]

        def take(core: str) -> Row:
            python = environment(f"core-{core}", found[CONTROLLERS[core]], controller_requirements(core))
            return walk(core, python, columns)

        rows = list(several.map(take, cores))
    for line in [said for row in rows for said in (*row.warned, *row.wrong)]:
        print(f"\n{line}")
    print(f"\n{table(rows)}")
    return int(any(row.wrong for row in rows))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Missing as missing:
        raise SystemExit(str(missing)) from None
