# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exit codes and logs of the Windows Installer become words with a remedy."""

from __future__ import annotations

import codecs

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.windows_installer import (
    causes,
    check_exit,
    install_command,
)


def utf16(text: str) -> bytes:
    return codecs.BOM_UTF16_LE + text.replace("\n", "\r\n").encode("utf-16-le")


@pytest.mark.parametrize(("code", "needs_restart"), [(0, False), (3010, True)])
def test_these_codes_are_no_failure(code: int, needs_restart: bool) -> None:
    assert check_exit(code, b"", "win") is needs_restart


@pytest.mark.parametrize(
    ("code", "meaning", "todo"),
    [
        (5, "access is denied", "Administrators"),
        (1602, "somebody cancelled it", "Agree with"),
        (1603, "the installation failed", "Mend what the lines"),
        (1618, "another installation is under way", "Wait until it has ended"),
        (1619, "the package cannot be opened", "Check its path"),
        (1620, "the file is no package", "from the vendor"),
        (1638, "another version is installed", "Remove that version"),
        (1641, "the host restarts by itself", "Wait until it is back"),
        (-1, "Windows gives it no name here", "by hand"),
        (4711, "Windows gives it no name here", "by hand"),
    ],
)
def test_each_failure_has_a_meaning_and_a_remedy(code: int, meaning: str, todo: str) -> None:
    with pytest.raises(LicensingError) as refused:
        check_exit(code, b"", "win, C:\\server.msi")
    (problem,) = refused.value.problems
    assert problem.what.startswith(f"The Windows Installer ended with {code}: {meaning}")
    assert todo in problem.todo and problem.where == "win, C:\\server.msi"


@pytest.mark.parametrize(
    ("line", "returned"),
    [
        (
            "Product: X -- Error 1920. Service X failed to start.",
            "Action ended 1:02:03: StartServices. Return value 3.",
        ),
        ("Produkt: X -- Fehler 1920. Dienst X startet nicht.", "Aktion beendet um 1:02:03: X. Rückgabewert 3."),
        ("Produit : X -- Erreur 1920. Échec du démarrage.", "Action terminée 1:02:03 : X. Valeur renvoyée 3."),
        ("製品: X -- エラー 1920。サービスを開始できませんでした。", "アクション終了 1:02:03: X。 戻り値 3。"),
    ],
)
def test_the_lines_that_name_the_cause_are_in_the_error_in_four_languages(line: str, returned: str) -> None:
    noise = "MSI (s) (A8:3C) [01:02:03:456]: Executing op: FileCopy\n"
    for log in (utf16(noise + line + "\n" + noise + returned + "\n"), (noise + line + "\n" + returned).encode()):
        with pytest.raises(LicensingError, match="Its log says:") as refused:
            check_exit(1603, log, "win")
        assert line in str(refused.value) and returned in str(refused.value)


def test_a_log_gives_away_no_code_and_fills_no_screen() -> None:
    lines = causes(utf16("Error 1920. ABCDE-FGHIJ-KLMNO-PQRST-UVWXY " + "x" * 5000 + "\n" + "Error 1921.\n" * 100))
    assert "ABCDE" not in "".join(lines) and len(lines) <= 5 and max(map(len, lines)) <= 200
    assert causes(b"") == causes(b"\xff\xfe\x00") == causes(b"\0" * 50) == []


def test_the_command_is_quoted() -> None:
    command = install_command(r"C:\a & b\server.msi", r"C:\t\install.log")
    assert command == r'start "" /wait msiexec /i "C:\a & b\server.msi" /qn /norestart /l*v "C:\t\install.log"'
    with pytest.raises(LicensingError):
        install_command('C:\\a" & calc.msi', r"C:\t\install.log")
