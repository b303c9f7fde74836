# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller has of the hosts of a move: the newest bundle, archived responses, a picture, PRO's log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import Problem
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.staying import staying
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import digits
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.module_utils._licensing.remedies import symptoms_in
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import newest_of
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.vault import Vault
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.evidence import Sight, names_target
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.files import BUNDLE
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.manager import SCREENSHOT
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.move import Move, Server
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.pro import PRO
from ansible_collections.aims.licensing.plugins.plugin_utils._places import host_folder

_LARGEST = 32 << 20


@dataclass(frozen=True)
class Look:
    """What a task has seen of a host; None where it has not looked.

    :ivar answers: whether port 3400 answers
    :ivar runs: whether the service runs
    :ivar service: the name of the service, where it was seen whether it runs
    :ivar nodelocks: the digests of the nodelocks by file name; None where the files were not looked at
    :ivar read_only: names of nodelock files that cannot be written
    :ivar unnumbered: names of license files that do not tell whose they are
    :ivar overview: what files and host show
    :ivar symptoms: known messages of the server's logs
    """

    answers: bool | None = None
    runs: bool | None = None
    service: str = ""
    nodelocks: Mapping[str, str] | None = None
    read_only: tuple[str, ...] = ()
    unnumbered: tuple[str, ...] = ()
    overview: Overview | None = None
    symptoms: tuple[Problem, ...] = ()

    def staying(self, moved: Sequence[str]) -> tuple[str, ...]:
        """Return what the host still serves once licenses have moved away."""
        return staying(self.overview, self.unnumbered, moved) if self.overview else ()


def sights_of(
    move: Move,
    seen: Mapping[str, Look],
    bundles: Path | None,
    requests: Path | None,
    screenshot: Path | None,
    pro_log: Path | None,
    vault: Vault,
) -> tuple[dict[str, Sight], list[Problem]]:
    """Return what is seen of each host of a move, and why a bundle does not count.

    :param seen: what tasks have seen of each host, and of all nodes of PRO, by name
    :param bundles, requests: folders of the controller
    :param screenshot: a picture of the source's license manager
    :param pro_log: the log of PRO's configurator
    """
    bundled, problems = _bundled(move.source, bundles, vault)
    numbers = [license.number for license in move.licenses]
    present = _responses(requests, (move.source, move.target), numbers)
    if bundled is not None:
        present.add(BUNDLE)
    if screenshot is not None and screenshot.is_file() and screenshot.stat().st_size:
        present.add(SCREENSHOT)
    sights = {}
    for server in (move.source, move.target):
        look = seen.get(server.host, Look())
        sights[server.host] = Sight(
            look.nodelocks,
            bundled,
            answers=look.answers,
            runs=look.runs,
            present=frozenset(present),
        )
    look = seen.get(PRO, Look())
    log = _log(pro_log)
    is_named = None if log is None else names_target(log, move.source.address, move.target.address)
    sights[PRO] = Sight(answers=look.answers, is_named=is_named)
    return sights, problems


def log_symptoms(file: Path | None) -> tuple[Problem, ...]:
    """Return the known messages of a log on the controller."""
    content = _end_of(file)
    return () if content is None else tuple(symptoms_in(content, str(file)).values())


def _log(file: Path | None) -> str | None:
    """Return the end of a log; Windows programs may write UTF-16."""
    content = _end_of(file)
    return None if content is None else content.replace(b"\0", b"").decode("utf-8", "replace")


def _end_of(file: Path | None) -> bytes | None:
    if file is None or not file.is_file():
        return None
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - _LARGEST))
        return stream.read(_LARGEST)


def _bundled(source: Server, bundles: Path | None, vault: Vault) -> tuple[dict[str, str] | None, list[Problem]]:
    """Return the digests of the source's newest bundle by file name, where somebody vouches for it."""
    bundle = newest_of(bundles, source.host) if bundles is not None else None
    if bundle is None:
        return None, []
    problem = bundle.doubt(vault)
    if problem is not None:
        return None, [problem]
    return {file.name: file.sha256 for file in bundle.manifest.files}, []


def _responses(requests: Path | None, servers: Sequence[Server], numbers: Sequence[str]) -> set[str]:
    """Return the archived responses as ``HOST/NUMBER.response``. An empty file is no response."""
    if requests is None or not requests.is_dir():
        return set()
    archives = [(server.host, host_folder(requests, server.host)) for server in servers]
    names = [f"{digits(number)}.response" for number in numbers]
    return {
        f"{host}/{name}"
        for host, archive in archives
        if archive.is_dir()
        for name in names
        if Folder(archive).find(name, _LARGEST)
    }
