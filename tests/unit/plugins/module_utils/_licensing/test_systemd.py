# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the unit files say; that systemd takes them is seen on the fresh hosts."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.authority import Serving
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.systemd import (
    HARDENING,
    Unit,
    command_line,
    unit_text,
)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["/usr/bin/python3", "--home", "/opt/server"], "/usr/bin/python3 --home /opt/server"),
        (["a b"], '"a b"'),
        ([""], '""'),
        (["it's"], '"it\'s"'),
        (['say "x"'], r'"say \"x\""'),
        (["100%"], "100%%"),
        (["$HOME"], '"$$HOME"'),
        (["back\\slash"], r'"back\\slash"'),
        (["a;b"], '"a;b"'),
    ],
)
def test_nothing_of_a_command_is_expanded(arguments: list[str], line: str) -> None:
    assert command_line(arguments) == line


def test_a_path_that_may_be_written_is_quoted_and_nothing_else_of_it_is_changed() -> None:
    text = unit_text("A service", "somebody", ["/bin/true"], ["/opt/a $b", "/opt/c%"], ["RuntimeDirectory=x"])
    assert 'ReadWritePaths="/opt/a $b" /opt/c%%\n' in text
    assert "RuntimeDirectory=x\nExecStart=/bin/true\n" in text
    assert HARDENING in text


def test_an_authority_is_served_as_it_was_asked_to() -> None:
    asked = {"hosts": ["Authority.Example.com", "192.0.2.7"], "smtp": "mail:25", "listen": "::", "emergency_days": 0}
    serving = Serving.from_dict(asked)
    assert serving.arguments() == [
        "--ledger",
        "/var/lib/aims-license-authority/authority.db",
        "--port",
        "8443",
        "--host",
        "authority.example.com",
        "--host",
        "192.0.2.7",
        "--listen",
        "::",
        "--emergency-days",
        "0",
        "--smtp",
        "mail:25",
    ]


def test_without_systemd_it_is_told_before_anything_is_done(tmp_path: Path) -> None:
    unit = Unit("x.service", "", "x", root=tmp_path)
    (problem,) = unit.problems()
    assert (problem.what, problem.where) == ("systemd does not run here.", "x.service")


def test_a_systemd_that_does_not_answer_does_not_pass_for_a_stopped_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin/systemctl"
    command.write_text("#!/bin/sh\necho Failed to connect to bus: Connection refused >&2\nexit 1\n", encoding="utf-8")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    unit = Unit("x.service", "", "x", root=tmp_path)
    for call in (unit.drift, unit.is_between):
        with pytest.raises(
            LicensingError, match="Cannot get the state of the service from systemd: Failed to connect to bus"
        ):
            call()
