# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Service, port and machine of a Windows host are the same in every language, and a doubt is left one.

The lines are those of ``net start`` and ``reg query`` of Windows in its translations.
"""

from __future__ import annotations

import socket

import pytest
from ansible_collections.aims.licensing.plugins.plugin_utils._windows import host as host_module
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.host import (
    STRANGER,
    fact_commands,
    port_holders,
    read_facts,
)

SERVICES = [
    r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\AxInstSV",
    r"    DisplayName    REG_SZ    @%SystemRoot%\system32\AxInstSV.dll,-103",
    r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\AimmsPro",
    "    DisplayName    REG_SZ    AIMMS PRO License Tracker",
    r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\X",
    "    DisplayName    REG_SZ    AIMMS Network License Server",
]
MACHINE = [
    r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Cryptography",
    "    MachineGuid    REG_SZ    cc2168e5-847c-4c76-9aff-6647d71b798a",
]


@pytest.mark.parametrize(
    ("headline", "end", "found"),
    [
        (
            "These Windows services are started:",
            "The command completed successfully.",
            "End of search: 3 match(es) found.",
        ),
        ("Folgende Windows-Dienste sind gestartet:", "Der Befehl wurde erfolgreich ausgeführt.", "Ende der Suche: 3."),
        ("Les services Windows suivants sont lancés :", "La commande est terminée correctement.", "Fin : 3."),
        (
            "次の Windows サービスが開始されました:",
            "コマンドは正常に終了しました。",
            "検索の完了: 3 一致見つかりました。",
        ),
    ],
)
def test_the_service_is_the_same_in_four_languages(headline: str, end: str, found: str) -> None:
    started = [headline, "   Windows-Ereignisprotokoll", "   AIMMS Network License Server", end]
    facts = read_facts([[r"C:\ProgramData"], started, [*SERVICES, found], [*MACHINE, found]])
    assert (facts.service, facts.is_running) == ("AIMMS Network License Server", True)
    assert facts.program_data == r"C:\ProgramData"
    assert facts.machine == "cc2168e5-847c-4c76-9aff-6647d71b798a"
    stopped = read_facts([[r"C:\ProgramData"], started[:2], [*SERVICES, found], []])
    assert (stopped.service, stopped.is_running, stopped.machine) == ("AIMMS Network License Server", False, None)


@pytest.mark.parametrize(
    "services",
    [
        [],
        ["    DisplayName    REG_SZ    AIMMS PRO License Tracker"],
        ["    DisplayName    REG_SZ    Other License Server", "    DisplayName    REG_SZ    AIMMS"],
        ["    DisplayName    REG_SZ    AIMMS License Server", "    DisplayName    REG_SZ    AIMMS Licensing 24"],
    ],
)
def test_none_or_several_services_are_none(services: list[str]) -> None:
    facts = read_facts([[], [], services, []])
    assert (facts.service, facts.is_running, facts.program_data) == (None, None, "")


def test_a_headline_is_no_service() -> None:
    facts = read_facts([[], ["AIMMS License services are started:"], [], []])
    assert facts.started == ()


def test_one_look_is_one_line_for_cmd() -> None:
    assert all("\n" not in command and command.count('"') % 2 == 0 for command in fact_commands())


def test_a_port_is_in_the_hands_of_the_service_or_of_another_program(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(host_module, "PORT", server.getsockname()[1])
        assert port_holders("127.0.0.1", "AIMMS License Server") == ("AIMMS License Server",)
        assert port_holders("127.0.0.1", None) == (STRANGER,)
    assert port_holders("127.0.0.1", None) == ()
    monkeypatch.setattr(socket, "create_connection", _no_answer)
    assert port_holders("127.0.0.1", "AIMMS License Server") is None


def _no_answer(*_arguments: object, **_options: object) -> None:
    raise TimeoutError
