# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Known messages of the vendor's programs are recognized wherever they are printed, and explained with their remedy."""

from __future__ import annotations

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.windows_installer import (
    check_exit,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.remedies import (
    REMEDIES,
    explain,
    symptoms_in,
)


@pytest.mark.parametrize(("message", "todo"), REMEDIES)
def test_each_known_message_is_recognized_and_explained(message: str, todo: str) -> None:
    said = f"2026-11-21 19:20 ERROR\t{message.upper()} | the end"
    assert explain(said) == f"The message '{message.rstrip('.')}' is known: {todo} "


def test_a_message_is_recognized_in_other_letters_and_broken_lines() -> None:
    assert "Clear the read-only attribute" in explain("Update failed - The nodelock file\n is read-only")
    assert "3400" in explain("Too many  retries\r\nfor starting") and explain("done") == explain("") == ""


def test_a_log_tells_each_known_message_once_with_its_last_line_and_no_code() -> None:
    lines = [
        "09:00 There are no free seats available",
        "10:00 session of Abcde Fghij Klmno Pqrst Uvwxy: There are no free seats available",
        "10:01 ABCDEFGHIJKLMNOPQRSTUVWXY Unable to Start the service for ABCDE-FGHIJ-KLMNO-PQRST-UVWXY",
    ]
    for encoding in ("utf-8", "utf-16"):
        seen = symptoms_in("\r\n".join(lines).encode(encoding), "the log")
        assert list(seen) == ["Unable to Start the service", "There are no free seats available"]
        problem = seen["There are no free seats available"]
        assert "'10:00 session of …: There are no free seats available'" in problem.what
        assert problem.where == "the log" and problem.todo.startswith("All seats are in use")
        assert "FGHIJ" not in "".join(str(problem) for problem in seen.values()).upper()
    assert symptoms_in(b"\xff\x00 nothing known", "the log") == {}


def test_several_messages_are_explained_one_after_the_other() -> None:
    text = explain("Unable to Start the service. There are no free seats available.")
    assert text.index("Maintenance > Start the Service. The message") < text.index("All seats are in use.")


def test_a_known_message_in_an_installers_log_is_explained() -> None:
    log = "Action start\r\nError 1920. Unable to Start the service\r\nReturn value 3\r\n".encode("utf-16")
    with pytest.raises(LicensingError, match="Unable to Start the service' is known: After") as refused:
        check_exit(1603, log, "host")
    assert refused.value.problems[0].todo.endswith("rights, a port in use and space come first.")
