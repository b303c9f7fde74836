# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that an operator names are read strictly, and have to be confirmed by licman's own help."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.named_commands import (
    NamedCommand,
    Purpose,
    read_commands,
)
from support.vendor_licman import NAMED, WITH_CODE

HOME, LICMAN = "/usr/local/Aimms", "/usr/local/Aimms/Bin/licman"
CODE = "K7QXM-2RVTA-9HWCP-DE4NZ-J6S8B"


def command(*arguments: str, purpose: str = "deactivate") -> NamedCommand:
    return read_commands({purpose: list(arguments)}, "vars")[Purpose(purpose)]


def refused(data: Any) -> str:
    with pytest.raises(LicensingError) as error:
        read_commands(data, "vars")
    return str(error.value)


def test_commands_as_an_operator_names_them_are_read() -> None:
    commands = read_commands(NAMED, "vars")
    assert set(commands) == set(Purpose)
    renaming = commands[Purpose.RENAME_PROFILE]
    assert renaming.options == ("--rename", "--to") and commands[Purpose.MAINTENANCE_ON].options == ("--maintenance",)
    # A value is one argument, whatever is in it.
    values = {"old_profile": "Profile 1", "profile": "PRO; rm -rf /"}
    assert renaming.filled(values) == ["--rename", "Profile 1", "--to", "PRO; rm -rf /"]
    assert read_commands(None, "vars") == {} == read_commands({}, "vars")


def test_a_code_is_filled_in_only_where_it_is_named() -> None:
    assert command(*WITH_CODE).takes("activation_code") and not command(*NAMED["deactivate"]).takes("activation_code")
    assert command(*WITH_CODE).filled({"number": "015.120.064.022", "activation_code": CODE})[-1] == CODE


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([], "are not a dictionary"),
        ({"activate": ["licman", "--x"]}, "'activate' is nothing that a command is named for"),
        ({7: ["licman", "--x"]}, "7 is nothing"),
        ({"deactivate": "licman --give-back {number}"}, "is not a list of texts"),
        ({"deactivate": []}, "is not a list of texts"),
        ({"deactivate": ["licman", 7]}, "is not a list of texts"),
        ({"deactivate": ["licman", ""]}, "is not a list of texts"),
        ({"deactivate": ["licman", *["--x"] * 40]}, "is not a list of texts"),
        ({"deactivate": ["/bin/sh", "-c", "{number}"]}, "runs another program than licman: '/bin/sh'"),
        ({"deactivate": ["sudo", "licman", "--x", "{number}"]}, "another program than licman: 'sudo'"),
        ({"deactivate": ["licman", "{number}"]}, "has no option, so that licman --help cannot confirm it"),
        ({"deactivate": ["licman", "--nodelock-activate", "{number}"]}, "an option that activates licenses"),
        ({"deactivate": ["licman", "--x"]}, "lacks {number}"),
        ({"rename_profile": ["licman", "--x", "{profile}"]}, "lacks {old_profile}"),
        ({"register_user": ["licman", "--x"]}, "lacks {user}"),
        ({"deactivate": ["licman", "--x", "{number}", "{serial}"]}, "unknown placeholders: serial"),
        ({"deactivate": ["licman", "--x", "{number}", "{user}"]}, "unknown placeholders: user"),
        ({"maintenance_on": ["licman", "--x", "{activation_code}"]}, "unknown placeholders: activation_code"),
        ({"deactivate": ["licman", "--x", "{number}", "{"]}, "unknown placeholders: '{'"),
        ({"deactivate": ["licman", "--x", "{{number}}"]}, "unknown placeholders: '{{number}}'"),
        ({"deactivate": ["licman", "--{number}"]}, "which is no option"),
        ({"deactivate": ["licman", "-", "--x", "{number}"]}, "which is no option"),
        ({"deactivate": ["licman", "--x", "{number}", "\u200b"]}, "an invisible character"),
        ({"deactivate": ["licman", "--x", "{number}", "../../etc/passwd"]}, "which is no full path"),
        ({"deactivate": ["licman", "--x=etc/passwd", "{number}"]}, "which is no full path"),
    ],
)
def test_what_is_wrong_with_a_command_is_said(data: Any, says: str) -> None:
    text = refused(data)
    assert says in text and "[vars" in text


def test_all_that_is_wrong_is_said_at_once() -> None:
    text = refused({"deactivate": ["sh", "{user}"], "register_user": 7})
    for says in ("another program", "has no option", "unknown placeholders: user", "lacks {number}", "not a list"):
        assert says in text


def test_a_code_in_a_command_is_refused_and_not_shown() -> None:
    text = refused({"deactivate": ["licman", "--give-back", "{number}", CODE]})
    assert "has an activation code or a login" in text and CODE not in text


@pytest.mark.parametrize(
    ("help_text", "is_named"),
    [
        ("  --give-back NUMBER", True),
        ("[--give-back=NUMBER]", True),
        ("use '--give-back', or", True),
        ("", False),
        ("--give-back-all", False),
        ("---give-back", False),
        ("--give", False),
        ("--Give-Back", False),
    ],
)
def test_an_option_counts_only_as_a_whole_word_of_the_help(help_text: str, is_named: bool) -> None:
    problems = command(*NAMED["deactivate"]).problems(help_text, LICMAN, HOME)
    assert not problems if is_named else "does not name the option --give-back" in problems[0].what


@pytest.mark.parametrize("program", ["/tmp/licman", "./licman", "Bin/licman"])
def test_only_the_servers_own_licman_is_run(program: str) -> None:
    try:
        problems = command(program, "--x", "{number}").problems("--x", LICMAN, HOME)
    except LicensingError as error:
        problems = list(error.problems)
    assert any(part in problems[0].what for part in ("another program than licman", "no full path"))
    assert command(LICMAN, "--x", "{number}").problems("--x", LICMAN, HOME) == []


@pytest.mark.parametrize("path", ["/etc/passwd", "--log=/tmp/x", "/usr/local/Aimms2/x", "/"])
def test_a_path_outside_of_the_servers_folder_is_refused(path: str) -> None:
    problems = command("licman", "--x", "{number}", path).problems("--x --log", LICMAN, HOME)
    assert "names a path outside of the license server's folder" in problems[0].what
    assert command("licman", "--x", "{number}", f"{HOME}/Config/a").problems("--x", LICMAN, HOME) == []


def test_a_value_that_would_be_read_as_an_option_is_refused() -> None:
    with pytest.raises(LicensingError, match="would be read as an option of licman"):
        command("licman", "--x", "{user}", purpose="register_user").filled({"user": "--force\\anna"})
