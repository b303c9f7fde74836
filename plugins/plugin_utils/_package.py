# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's package: the licensing core as one archive that Python runs."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from ansible_collections.aims.licensing.plugins.module_utils import _licensing

_MAIN = "import sys\n\nfrom aims_licensing.cli import main\n\nsys.exit(main(sys.argv[1:]))\n"
# Archives hold times; a fixed one keeps them from telling when the sources were unpacked.
_EPOCH = (1980, 1, 1, 0, 0, 0)
# The code, and the files of the pages that the services show; what else lies about (caches) stays out.
_SUFFIXES = frozenset({".py", ".html", ".css", ".js"})


def build_package() -> bytes:
    """Return the archive.

    The same sources give the same names and contents, independent of their times and order on disk. The compressed
    bytes depend on the version of zlib.
    """
    core = Path(str(_licensing.__file__)).parent
    sources = {
        path.relative_to(core).as_posix(): path.read_bytes()
        for path in core.rglob("*")
        if path.suffix in _SUFFIXES and path.is_file()
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr(_entry("__main__.py"), _MAIN)
        for name in sorted(sources):
            archive.writestr(_entry(f"aims_licensing/{name}"), sources[name])
    return stream.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry
