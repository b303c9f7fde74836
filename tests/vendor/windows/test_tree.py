# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a Windows host are listed and read over Ansible's own connection."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.tree import LIMIT, Entry
from ansible_collections.aims.licensing.plugins.plugin_utils._windows import tree as tree_module
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.tree import RemoteTree
from vendor.windows.connection import shell_of
from vendor.windows.host import WindowsHost

FILES = {
    "Config/LicenseServer config.xml": b"<a/>\r\n",
    "Licenses/015120064022.lic": b"\x00\xff\r\n",
    "Licenses/Müller & Söhne ^100%! (neu) [1] 'x' 日本.cpx": b"c" * 70_000,
    "Licenses/.hidden.cpx": b"h",
    "Nodelocks/015120064022.lock": b"lock",
    "Nodelocks/015120064022.ver": b"",
}
FOLDERS = ["ApplicationKeys", "Config", "Licenses", "Nodelocks"]


@pytest.fixture(autouse=True)
def _friendly(windows: WindowsHost) -> None:
    windows.behave()


@pytest.fixture
def root(windows: WindowsHost, request: pytest.FixtureRequest) -> str:
    """A license server's folder of this test's own, with a blank and an umlaut in its path."""
    root = f"C:\\Prüfung {request.node.name[:40].replace('[', '-').replace(']', '')}\\AIMMS"
    for folder in FOLDERS:
        (windows.path(root) / folder).mkdir(parents=True)
    for name, content in FILES.items():
        (windows.path(root) / name).write_bytes(content)
    (windows.path(root) / "Nodelocks/015120064022.lock").chmod(0o444)
    return root


def remote(windows: WindowsHost, root: str) -> RemoteTree:
    return RemoteTree(shell_of(windows), root)


def test_everything_is_listed_by_one_command_and_read_to_the_byte(windows: WindowsHost, root: str) -> None:
    tree, before = remote(windows, root), len(windows.commands)
    entries = tree.entries()
    assert len(windows.commands) == before + 1
    assert [entry.name for entry in entries if entry.is_folder] == FOLDERS
    assert [entry for entry in entries if not entry.is_folder] == [
        Entry(name, size=len(FILES[name]), is_read_only=name.endswith(".lock")) for name in sorted(FILES)
    ]
    assert tree.read(list(FILES)) == FILES
    assert tree.where == root


def test_the_root_may_be_written_in_another_case(windows: WindowsHost, root: str) -> None:
    tree = remote(windows, root.upper())
    assert {entry.name for entry in tree.entries()} == {*FILES, *FOLDERS}


def test_where_there_is_no_folder_there_is_nothing(windows: WindowsHost) -> None:
    tree = remote(windows, r"C:\ProgramData\Paragon Decision Technology")
    assert tree.entries() == []
    assert tree.read(["x"]) == {}


def test_a_folder_without_files_is_listed(windows: WindowsHost) -> None:
    windows.path(r"C:\Empty\Licenses").mkdir(parents=True)
    assert remote(windows, r"C:\Empty").entries() == [Entry("Licenses", is_folder=True)]


def test_what_cmd_calls_hidden_is_asked_for_by_name(
    windows: WindowsHost, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Wine's for shows hidden files, and Windows' passes over them.
    listed = tree_module.list_folder(root)
    listed[-1] = "ver >nul"
    monkeypatch.setattr(tree_module, "list_folder", lambda path: listed)
    assert {entry.name for entry in remote(windows, root).entries()} == {*FILES, *FOLDERS}


def test_a_file_that_went_meanwhile_is_left_out(windows: WindowsHost, root: str) -> None:
    tree = remote(windows, root)
    tree.entries()
    (windows.path(root) / "Nodelocks/015120064022.ver").unlink()
    assert set(tree.read(list(FILES))) == {*FILES} - {"Nodelocks/015120064022.ver"}


def test_a_file_that_is_too_large_is_not_fetched(windows: WindowsHost, root: str) -> None:
    with (windows.path(root) / "Config/dump").open("wb") as file:
        file.truncate(LIMIT + 1)
    tree, before = remote(windows, root), len(windows.commands)
    with pytest.raises(LicensingError, match=r"more than 16 MiB.*Config\\dump"):
        tree.read(["Config/dump"])
    assert "sftp-server" not in windows.commands[before:]


def test_a_name_out_of_the_folder_is_not_read(windows: WindowsHost, root: str) -> None:
    assert remote(windows, root).read(["../secret", "Config/../../secret"]) == {}


def test_a_greeting_in_the_hosts_code_page_changes_nothing(windows: WindowsHost, root: str) -> None:
    windows.behave(greeting="Zugriff nur für Befugte äöü\r\n")
    assert {entry.name for entry in remote(windows, root).entries()} == {*FILES, *FOLDERS}


def test_an_output_that_ends_in_the_middle_lists_nothing(windows: WindowsHost, root: str) -> None:
    windows.behave(output_ends_after=700)
    with pytest.raises(LicensingError, match="ends in the middle"):
        remote(windows, root).entries()


def test_powershell_as_the_hosts_shell_is_refused(windows: WindowsHost, root: str) -> None:
    windows.behave(shell="At line:1 char:40: The ampersand (&) character is not allowed.")
    with pytest.raises(LicensingError, match=r"does not answer as the Windows command prompt.*ampersand.*DefaultShell"):
        remote(windows, root).entries()


def test_a_host_without_file_transfer_is_said_to_have_none(windows: WindowsHost, root: str) -> None:
    tree = remote(windows, root)
    tree.entries()
    windows.behave(has_no_sftp=True)
    with pytest.raises(LicensingError, match=r"cannot be fetched.*015120064022\.lic.*sftp"):
        tree.read(["Licenses/015120064022.lic"])


def test_a_host_that_hangs_ends_in_words(windows: WindowsHost, root: str) -> None:
    windows.behave(delay=30)
    with pytest.raises(LicensingError, match="did not answer within 2 seconds"):
        shell_of(windows).run(["ver"], patience=2)


def test_nothing_is_left_on_the_host_or_the_controller(
    windows: WindowsHost, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = sorted(windows.drive.rglob("*"))
    tree = remote(windows, root)
    tree.entries()
    tree.read(list(FILES))
    assert sorted(windows.drive.rglob("*")) == before
    assert list(tmp_path.iterdir()) == []


def test_an_exit_code_comes_whole(windows: WindowsHost) -> None:
    shell = shell_of(windows)
    assert [shell.exit_code(f"cmd /c exit {code}") for code in (0, 1603, 3010)] == [0, 1603, 3010]
