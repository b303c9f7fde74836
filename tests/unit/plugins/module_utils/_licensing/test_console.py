# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts the management port answers as, and that the console's files travel in the server's package."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server import console
from ansible_collections.aims.licensing.plugins.plugin_utils._package import build_package

NAMES = {"lic01.example.com", "lic01"}


@pytest.mark.parametrize(
    "header",
    [
        "127.0.0.1:3401",
        "127.0.0.1",
        "192.0.2.7:3401",
        "[::1]:3401",
        "[2001:db8::7]",
        "localhost:3401",
        "LOCALHOST",
        "localhost.:3401",
        "lic01:3401",
        "Lic01.Example.com",
    ],
)
def test_requests_that_name_this_machine_are_expected(header: str) -> None:
    assert console.is_expected_host(header, NAMES)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        ":3401",
        "evil.example.com:3401",
        "127.0.0.1.evil.example.com:3401",
        "localhost.evil.example.com",
        "lic01.evil.example.com",
        "127.0.0.1@evil.example.com",
        "[lic01]:3401",
        "[127.0.0.1]:3401",
        "::1",
        "localhost:3401:3401",
        "localhost:port",
        "localhost, evil.example.com",
        "local\u212aost",
        "127.0.0.1\n",
    ],
)
def test_requests_by_any_other_name_are_not(header: str | None) -> None:
    assert not console.is_expected_host(header, NAMES)


def test_a_machine_answers_to_its_own_name() -> None:
    names = console.machine_names()
    assert names
    assert all(console.is_expected_host(f"{name}:3401", names) for name in names)


def test_the_files_of_the_page_are_read_out_of_the_package(tmp_path: Path) -> None:
    archive = tmp_path / "package.pyz"
    archive.write_bytes(build_package())
    script = (
        "import sys, pkgutil; sys.path.insert(0, sys.argv[1])\n"
        "from aims_licensing.server import console\n"
        "sys.stdout.write(console.__file__ + chr(10) + str(len(console.routes())))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(archive)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    place, count = done.stdout.splitlines()
    assert place.startswith(str(archive))
    assert int(count) == len(console.FILES)


def test_the_page_has_nothing_inline_and_nothing_from_elsewhere() -> None:
    folder = Path(console.__file__).with_name("console_files")
    assert {path.name for path in folder.iterdir()} == set(console.FILES)
    for name in console.FILES:
        text = (folder / name).read_text(encoding="utf-8")
        addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s)\"'<>]*", text))
        assert addresses <= {"https://www.gnu.org/licenses/gpl-3.0.txt", "http://www.w3.org/2000/svg"}, name
        assert not re.search(r"(inner|outer|insertAdjacent)HTML|document\.write|\beval\(|new Function", text), name
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|<form", page)
