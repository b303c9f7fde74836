# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the license server of a home runs, and which seats it has granted."""

from __future__ import annotations

import os
from typing import Any

from ..errors import LicensingError, refuse
from ..store import SEATS_LOCK, UNMANAGED, Config, Home
from ..system import advice, reason, try_lock
from .overview import Usage

# Seconds that a server on the same host may take to answer.
GLANCE = 2.0


def running(home: Home, config: Config, timeout: float = GLANCE) -> dict[str, Any] | None:
    """Return the status of this home's server, or None where it does not run.

    :param timeout: seconds to wait for it
    """
    # Imported here, as a server that nothing runs should not cost every module the HTTP library.
    from ..client import Management, Unable

    try:
        status = Management(config.listen.reachable.management, timeout=timeout).status()
    except Unable:
        raise
    except LicensingError:
        return None
    return status if status.get("home_id") == home.home_id else None


def is_held(home: Home) -> bool:
    """Whether a server holds the seats of this home, whether or not it answers.

    :raises LicensingError: this machine cannot tell, which says nothing about a server
    """
    place = home.folder.path / SEATS_LOCK
    try:
        # The service may put anything in this place, such as a pipe that nobody writes to.
        handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        # Who may not look does not know.
        return True
    except OSError as error:
        what = f"Whether a license server runs here cannot be seen: {reason(error)}."
        raise refuse(what, str(place), advice(error)) from error
    try:
        return not try_lock(handle, str(place), shared=True)
    finally:
        os.close(handle)


def usage_of(home: Home, config: Config) -> Usage | None:
    """Return the seats that this home's server has granted, or None where it does not run."""
    if config.service == UNMANAGED:
        return None
    from ..client import Management, Unable

    try:
        seen = Management(config.listen.reachable.management, timeout=GLANCE).overview()
    except Unable:
        raise
    except LicensingError:
        return None
    if seen["server"]["home_id"] != home.home_id:
        return None
    return Usage(
        {one["number"]: one["in_use"] for one in seen["licenses"]},
        {one["name"]: one["in_use"] for one in seen["profiles"]},
        seen["clients"],
        seen["clients_total"],
    )
