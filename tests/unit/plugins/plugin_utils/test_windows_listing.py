# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Windows hosts print is read the same in every language, and nothing else passes for it.

The lines are as documented for Windows' own cmd, with the messages of its translations.
"""

from __future__ import annotations

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.tree import Entry
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.listing import (
    Attributes,
    Listing,
    list_files,
    list_folder,
    read_attributes,
    read_listing,
)

ROOT = r"C:\ProgramData\AIMMS"
PLACE = f"win, {ROOT}"


def test_a_folder_is_read_with_sizes_and_attributes() -> None:
    listing = read_listing(
        [
            ["+"],
            [rf"{ROOT}\Config", rf"{ROOT}\Nodelocks"],
            [rf"{ROOT}\Nodelocks\015120064022.lock", rf"{ROOT}\Config\Müller & Söhne 100%.cpx", rf"{ROOT}\.hidden"],
            [
                rf"1234567*-ra------*{ROOT}\Nodelocks\015120064022.lock",
                rf"0*--a------*{ROOT}\Config\Müller & Söhne 100%.cpx",
            ],
        ],
        ROOT,
        PLACE,
    )
    assert listing is not None
    assert listing.unseen == [".hidden"]
    assert listing.entries == [
        Entry("Config", is_folder=True),
        Entry("Config/Müller & Söhne 100%.cpx"),
        Entry("Nodelocks", is_folder=True),
        Entry("Nodelocks/015120064022.lock", size=1234567, is_read_only=True),
    ]


@pytest.mark.parametrize(
    ("letters", "is_read_only", "is_link"),
    [
        ("--a------", False, False),
        ("-rahs----", True, False),
        ("--a-----l--", False, True),
        ("-r-------", True, False),
        ("", False, False),
    ],
)
def test_attributes_are_letters_at_fixed_places(letters: str, is_read_only: bool, is_link: bool) -> None:
    read = read_attributes([rf"5*{letters}*{ROOT}\x"], ROOT, PLACE)
    assert read == {"x": Attributes(5, is_read_only, is_link)}


def test_a_file_that_went_meanwhile_is_not_listed() -> None:
    read = read_attributes([rf"**{ROOT}\x"], ROOT, PLACE)
    assert Listing(files=("x",), attributes=read).entries == []


def test_where_there_is_no_folder_there_is_no_listing() -> None:
    assert read_listing([[], [], [], []], ROOT, PLACE) is None


@pytest.mark.parametrize(
    "line",
    [
        # dir without /b, as a macro or a wrapper may make of it
        "11/27/2026  12:34 AM             1,234 015120064022.lic",
        "27.11.2026  00:34             1.234 015120064022.lic",
        "27/11/2026  00:34             1 234 015120064022.lic",
        "2026/11/27  00:34             1,234 015120064022.lic",
        " Datenträger in Laufwerk C: hat keine Bezeichnung.",
        "ファイルが見つかりません",
        r"C:\Windows\System32\config\SAM",
        r"C:\ProgramData\AIMMS2\x",
        "../x",
    ],
)
def test_what_lies_elsewhere_or_is_no_path_is_refused(line: str) -> None:
    for parts in ([["+"], [line], [], []], [["+"], [], [line], []], [["+"], [], [], [f"1*--a------*{line}"]]):
        with pytest.raises(LicensingError, match="lists something that does not lie in the folder"):
            read_listing(parts, ROOT, PLACE)
    with pytest.raises(LicensingError, match="lists something that does not lie in the folder"):
        read_attributes([line], ROOT, PLACE)


@pytest.mark.parametrize(("at", "longest"), [(1, 247), (2, 259)])
def test_a_path_at_the_end_of_what_cmd_sees_is_refused(at: int, longest: int) -> None:
    parts: list[list[str]] = [["+"], [], [], []]
    parts[at] = [f"{ROOT}\\" + "x" * (longest - len(ROOT) - 1)]
    assert read_listing(parts, ROOT, PLACE)
    parts[at] = [parts[at][0] + "x"]
    with pytest.raises(LicensingError, match=f"has {longest + 1} characters"):
        read_listing(parts, ROOT, PLACE)


def test_many_files_are_asked_for_in_commands_that_cmd_takes() -> None:
    paths = [rf"{ROOT}\{'x' * 200}{number}" for number in range(100)]
    commands = list(list_files(paths))
    assert max(map(len, commands)) < 7000
    assert sum(command.count(ROOT) for command in commands) == 100
    assert list(list_files([])) == []


def test_a_folder_with_any_legal_name_can_be_asked_for() -> None:
    assert list_folder("C:\\") != list_folder(r"C:\Müller & Söhne (neu)")
    with pytest.raises(LicensingError):
        list_folder(r"C:\%PATH%")
