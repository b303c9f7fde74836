# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""License files that an activation on the vendor's server brings: those of the bundle, and those of a folder."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import (
    LicensingError,
    Problem,
    quoted,
    refuse,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import digits
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import Bundle
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.vault import Vault

_LICENSES = "Licenses"
_SUFFIXES = (".lic", ".cpx")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ ()-]{0,100}\Z")
# Bytes of one file, and of all.
_LIMIT, _MOST = 16 << 20, 64 << 20


def read_license_files(folder: Path) -> dict[str, bytes]:
    """Return the ``.lic`` and ``.cpx`` files directly in a folder, by their names in the home.

    :raises LicensingError: there is none, or with all that cannot be taken
    """
    if not folder.is_dir():
        todo = "Correct the path, or make the folder and put the license files into it."
        raise refuse("The folder with license files is not there.", str(folder), todo)
    source = Folder(folder)
    files: dict[str, bytes] = {}
    problems: list[Problem] = []
    names = [name for name in source.names() if name.lower().endswith(_SUFFIXES)]
    if not names:
        todo = "Put the files that the vendor has sent into it, or leave license_files out."
        raise refuse("The folder has no license files (.lic, .cpx).", str(folder), todo)
    for name in names:
        try:
            if not _NAME.match(name):
                todo = "Name it as the vendor does, such as 015120064022.lic."
                raise refuse(f"{quoted(name)} is no name of a license file.", str(folder), todo)
            content = source.read(name, _LIMIT)
            if not content:
                raise refuse("The license file is empty.", source.place(name), "Put the whole file there again.")
            files[f"{_LICENSES}/{name}"] = content
        except LicensingError as error:
            problems.extend(error.problems)
    if sum(map(len, files.values())) > _MOST:
        what = f"The license files have more than {_MOST >> 20} MiB."
        problems.append(Problem(what, str(folder), "Remove what is no license file."))
    if problems:
        raise LicensingError(problems)
    return files


def with_license_files(
    carried: Sequence[dict[str, str]], folder: Path | None, bundle: Bundle | None, numbers: Sequence[str], vault: Vault
) -> list[dict[str, str]]:
    """Add license files to the files that move with the licenses.

    The bundle's license files of these licenses come first; those of the folder are added to them.

    :param carried: as aims_license_activate takes them
    :raises LicensingError: a file of the folder differs from the bundle's of the same name; lists all
    """
    listed = {file.name.lower(): file for file in bundle.manifest.files} if bundle else {}
    files = list(carried)
    known = {file["name"].lower() for file in files}
    for number in numbers:
        file = listed.get(f"{_LICENSES}/{digits(number)}.lic".lower())
        if bundle and file:
            files.append(_as_option(file.name, bundle.opened(vault, file.name)))
            known.add(file.name.lower())
    problems = []
    for name, content in (read_license_files(folder) if folder else {}).items():
        file = listed.get(name.lower())
        if file is not None and file.sha256 != hashlib.sha256(content).hexdigest():
            what = f"The license file {name} is another one in the bundle."
            todo = f"Remove the wrong one of the two: {bundle.path if bundle else ''} has the other."
            problems.append(Problem(what, str(folder), todo))
        elif name.lower() not in known:
            files.append(_as_option(name, content))
    if problems:
        raise LicensingError(problems)
    return files


def _as_option(name: str, content: bytes) -> dict[str, str]:
    return {"name": name, "content": base64.b64encode(content).decode()}
