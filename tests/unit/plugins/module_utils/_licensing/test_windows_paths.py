# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths of Windows hosts keep their meaning from an inventory to cmd, to the file transfer, and back.

That cmd itself takes them so is tested with Wine's in tests/vendor/windows.
"""

from __future__ import annotations

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.windows_paths import (
    from_transfer,
    join,
    name_below,
    nest,
    parse_path,
    quote,
    to_transfer,
)
from hypothesis import given
from hypothesis import strategies as st

HOME = r"C:\ProgramData\AIMMS"
NAMES = st.text(
    st.characters(min_codepoint=32, exclude_categories=("Cs",), exclude_characters='"<>|*?:/\\%!\x7f'),
    min_size=1,
    max_size=20,
).filter(lambda name: name not in (".", "..") and not name.endswith((" ", ".")))


@pytest.mark.parametrize(
    ("written", "path"),
    [
        (HOME, HOME),
        ("c:/ProgramData//AIMMS/", HOME),
        ("C:\\", "C:\\"),
        (r"D:\Müller & Söhne\100% (neu)!", r"D:\Müller & Söhne\100% (neu)!"),
    ],
)
def test_a_path_is_read_in_one_form(written: str, path: str) -> None:
    assert parse_path(written, "home") == path


@pytest.mark.parametrize(
    "written",
    [
        "",
        None,
        5,
        "AIMMS",
        r"\AIMMS",
        "/usr/local/Aimms",
        "C:AIMMS",
        r"\\server\share\AIMMS",
        "CC:\\x",
        "C:\\" + "x" * 4000,
    ],
)
def test_what_is_no_path_on_a_drive_is_refused(written: object) -> None:
    with pytest.raises(LicensingError):
        parse_path(written, "home")


@pytest.mark.parametrize(
    "name", ['a"b', "a\nb", "..", ".", "a*", "a?", "a|b", "a<b", "a:b", "a ", "a.", "%PATH%", "!PATH!", "a\0"]
)
def test_a_name_that_windows_or_cmd_cannot_take_is_refused(name: str) -> None:
    with pytest.raises(LicensingError) as refused:
        parse_path(f"{HOME}\\{name}\\x", "home")
    (problem,) = refused.value.problems
    assert problem.where == "home"
    assert problem.todo.startswith(("Rename it on the host", "Write the path"))


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", r"..\x", "a/../../x", "\\x"])
def test_a_name_does_not_lead_out_of_its_folder(name: str) -> None:
    with pytest.raises(LicensingError):
        join(HOME, name, "tree")


@pytest.mark.parametrize("text", ['a"b', "a\r\nb", "%PATH%", "100% of 3%", "!x!"])
def test_what_cannot_be_quoted_is_refused(text: str) -> None:
    with pytest.raises(LicensingError):
        quote(text)


def test_a_backslash_at_the_end_does_not_escape_the_closing_quote() -> None:
    assert quote("C:\\") == '"C:\\\\"'


def test_a_line_for_a_second_cmd_is_escaped_outside_of_its_quotes_only() -> None:
    assert nest('dir "a & b" & echo (x) > nul') == 'dir "a & b" ^& echo ^(x^) ^> nul'


@given(st.lists(NAMES, min_size=1, max_size=8))
def test_a_path_comes_back_from_each_form(names: list[str]) -> None:
    path = parse_path("C:\\" + "\\".join(names), "home")
    assert from_transfer(to_transfer(path)) == path
    assert quote(path)[1:-1] == path
    assert name_below(join(HOME, "/".join(names), "tree"), HOME.upper()) == "/".join(names)


def test_only_what_lies_below_a_folder_has_a_name_in_it() -> None:
    assert name_below(r"c:\programdata\aimms\Config\x y", HOME) == "Config/x y"
    assert [name_below(path, HOME) for path in (HOME, HOME + "\\", HOME + r"2\x", r"D:\x", "")] == [None] * 5


def test_a_path_that_the_command_prompt_does_not_see_is_refused() -> None:
    assert parse_path("C:\\" + "x" * 256, "home")
    with pytest.raises(LicensingError, match="260 characters, and the command prompt takes 259"):
        parse_path("C:\\" + "x" * 257, "home")
