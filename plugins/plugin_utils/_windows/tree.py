# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a license server on a Windows host, read over Ansible's connection."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ansible.errors import AnsibleError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import redact, refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.tree import (
    LIMIT,
    MOST_ENTRIES,
    Entry,
    too_large,
    too_many,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.windows_paths import join
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.listing import (
    Listing,
    list_files,
    list_folder,
    read_attributes,
    read_listing,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.shell import Shell, within

# Seconds for the transfer of a file.
_PATIENCE = 120.0
# How the file transfer of OpenSSH says that a file is not there, in English whatever the language of the host.
_GONE = re.compile(r"not found|No such file", re.IGNORECASE)


class RemoteTree:
    """A :class:`Tree` on a Windows host. Links are listed and never read, as on Linux.

    :param root: its path, as of ``windows_paths.parse_path``
    """

    def __init__(self, shell: Shell, root: str) -> None:
        self._shell, self._root = shell, root
        self._listing: Listing | None = None

    @property
    def where(self) -> str:
        return self._root

    def entries(self) -> list[Entry]:
        self._listing = self._list()
        return self._listing.entries

    def _list(self) -> Listing:
        place = f"{self._shell.host}, {self._root}"
        listing = read_listing(self._shell.run(list_folder(self._root)), self._root, place)
        if listing is None:
            return Listing()
        if len(listing.folders) + len(listing.files) > MOST_ENTRIES:
            raise too_many(place)
        attributes = dict(listing.attributes)
        for command in list_files(join(self._root, name, place) for name in listing.unseen):
            attributes.update(read_attributes(self._shell.run([command])[0], self._root, place))
        return Listing(listing.folders, listing.files, attributes)

    def read(self, names: Sequence[str]) -> dict[str, bytes]:
        listing = self._listing or self._list()
        contents = {}
        with tempfile.TemporaryDirectory(prefix="aims-") as folder:
            for at, name in enumerate(names):
                attributes = listing.attributes.get(name)
                if attributes is None or attributes.size is None:
                    continue
                path = join(self._root, name, self._root)
                if attributes.is_link:
                    raise refuse(
                        "This is a link, which is never followed.", self._place(path), "Put the real file in its place."
                    )
                if attributes.size > LIMIT:
                    raise too_large(self._place(path))
                content = self._fetch(path, Path(folder) / str(at))
                if content is not None:
                    contents[name] = content
        return contents

    def _fetch(self, path: str, copy: Path) -> bytes | None:
        try:
            within(lambda: self._shell.connection.fetch_file(path, str(copy)), _PATIENCE, self._shell.host)
        # Where the file transfer does not start, Ansible calls the host unreachable that has just listed the folder.
        except AnsibleError as error:
            said = " ".join(str(error).split())
            if _GONE.search(said):
                return None
            raise refuse(
                f"The file cannot be fetched: {redact(said)[:300]}.",
                self._place(path),
                "Let the user that Ansible logs on as read it, and have OpenSSH's file transfer (sftp) work there.",
            ) from None
        if copy.stat().st_size > LIMIT:
            raise too_large(self._place(path))
        content = copy.read_bytes()
        copy.unlink()
        return content

    def _place(self, path: str) -> str:
        return f"{self._shell.host}, {path}"
