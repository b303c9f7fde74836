# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``licsrv``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from .. import VERSION
from ..requirements import require_cryptography, require_tornado

_STOP_AFTER = "AIMS_LICSRV_STOP_AFTER"


def licsrv(arguments: Sequence[str]) -> int:
    """Run the license server in the foreground until it stops. Return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    require_cryptography()
    require_tornado()
    # Imported here, because the event loop and the database would slow down the start of every other command.
    from .process import restart_process
    from .service import Options, serve

    made = Options(
        home=options.home,
        root=options.root,
        lease=options.lease,
        stop_after=options.stop_after,
        fingerprint_file=options.fingerprint_file,
    )
    if serve(made):
        restart_process()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "licsrv",
        description="Run a license server.",
        epilog="SIGTERM and SIGINT stop it, SIGHUP restarts it. Exit codes: 0 stopped, 1 refused, 2 wrong usage.",
    )
    parser.add_argument("--home", default="/opt/aims-license-server")
    parser.add_argument("--root", default="", help="alternate root")
    parser.add_argument("--fingerprint-file", metavar="FILE", help="this machine's fingerprint, written by root")
    parser.add_argument(
        "--lease",
        type=_seconds,
        default=60.0,
        metavar="SECONDS",
        help="how long a seat is held without a heartbeat (default: %(default)g)",
    )
    parser.add_argument(
        "--stop-after",
        type=_seconds,
        default=os.environ.get(_STOP_AFTER) or None,
        metavar="SECONDS",
        help=f"stop after this time (also {_STOP_AFTER}); for tests",
    )
    parser.add_argument("--version", action="version", version=VERSION)
    return parser


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 31_536_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0.1 to 31536000")
    return seconds
