#!/usr/bin/env python
# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-test on a copy of the checkout: run_ansible_test.py sanity [arguments of ansible-test].

ansible-test insists on a directory named .../ansible_collections/aims/licensing and does not follow a link there, keeps
its state under HOME, and fetches a bootstrap script for pip from a host of its own. So the copy, a HOME for it, and a
bootstrap script that takes pip from the package index in use are laid out under .build/ansible-test first.
"""

from __future__ import annotations

import ast
import configparser
import os
import pathlib
import shutil
import subprocess
import sys
import types

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
BUILD = CHECKOUT / ".build" / "ansible-test"
HOME = BUILD / "home"
COPY = BUILD / "ansible_collections" / "aims" / "licensing"

BOOTSTRAP = """\
# Stands in for the bootstrap script that ansible-test would download: same arguments, pip from the wheel beside it.
import pathlib
import sys

wheels = pathlib.Path(__file__).resolve().parent / "wheels"
sys.path.insert(0, str(next(wheels.glob("pip-{version}-*.whl"))))
from pip._internal.cli.main import main

wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
sys.exit(main(["install", "--quiet", "--no-index", "--find-links", str(wheels), *wanted]))
"""


def copy_checkout() -> None:
    """Copy what git tracks or would track, so that neither caches nor secrets lying about are tested."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=CHECKOUT, check=True, stdout=subprocess.PIPE)
    shutil.rmtree(COPY, ignore_errors=True)
    for name in sorted(set(listed.stdout.decode().split("\0")) - {""}):
        source, target = CHECKOUT / name, COPY / name
        if not os.path.lexists(source):
            continue  # deleted in the checkout, not yet in the index
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)
    # A repository of its own: ansible-test would find the checkout's, which ignores .build, and test nothing.
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main"], cwd=COPY, check=True)


def carry_pip_settings() -> None:
    """Write pip's effective settings where pip finds them under another HOME and without its environment variables."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    settings = configparser.RawConfigParser()
    # pip lists the environment's settings under a section of their own, before the files' ones, and lets them win
    lines = sorted(listed.stdout.splitlines(), key=lambda line: line.startswith(":env:."))
    for line in lines:
        name, value = line.split("=", 1)
        section, option = name.rsplit(".", 1)
        section = "global" if section == ":env:" else section
        if not settings.has_section(section):
            settings.add_section(section)
        settings.set(section, option, str(ast.literal_eval(value)).replace("\n", "\n    "))
    config = HOME / ".config" / "pip" / "pip.conf"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.touch(mode=0o600)  # an index address may carry a password
    with config.open("w", encoding="utf-8") as stream:
        settings.write(stream)


def provide_pip() -> None:
    """Put the pip that this ansible-test asks for, and the bootstrap script that installs it, into its cache."""
    # ansible-test has no public name for it; should the private one move, this fails with a traceback that says so.
    from ansible_test._internal.python_requirements import get_venv_packages

    python = types.SimpleNamespace(version=f"{sys.version_info[0]}.{sys.version_info[1]}")
    packages = get_venv_packages(python)  # always pip; up to ansible-core 2.17 setuptools and wheel as well
    version = packages["pip"]
    cache = HOME / ".ansible" / "test" / "cache"
    wheels = cache / "wheels"
    missing = [f"{name}=={pin}" for name, pin in packages.items() if not any(wheels.glob(f"{name}-{pin}-*.whl"))]
    if missing:
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        subprocess.run([*download, "--dest", str(wheels), *missing], check=True)
    script = cache / f"get_pip_{version.replace('.', '_')}.py"
    script.write_text(BOOTSTRAP.replace("{version}", version), encoding="utf-8")


def search_path() -> str:
    """Return PATH with real interpreters only: ansible-test takes every pythonX.Y it finds for one that runs."""
    kept = [str(pathlib.Path(sys.prefix) / "bin"), str(pathlib.Path(sys.base_prefix) / "bin")]
    for directory in os.environ.get("PATH", os.defpath).split(os.pathsep):
        pythons = [path for path in pathlib.Path(directory).glob("python3.*") if path.suffix[1:].isdigit()]
        if all(subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0 for path in pythons):
            kept.append(directory)
    return os.pathsep.join(dict.fromkeys(kept))


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    HOME.mkdir(parents=True, exist_ok=True)
    copy_checkout()
    if any(COPY.glob("tests/sanity/ignore*")):
        print("There is a tests/sanity/ignore file: remove it and mend what it ignores.", file=sys.stderr)
        return 1
    carry_pip_settings()
    provide_pip()
    environment = {**os.environ, "HOME": str(HOME), "PATH": search_path()}
    # The copy is the only collection tree, and ansible-test names it itself.
    for name in ("ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_HOME", "PYTHONPATH"):
        environment.pop(name, None)
    ansible_test = pathlib.Path(sys.prefix) / "bin" / "ansible-test"
    command = [str(ansible_test), sys.argv[1], "--local", "--requirements", *sys.argv[2:]]
    return subprocess.run(command, cwd=COPY, env=environment, check=False, stdin=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(main())
