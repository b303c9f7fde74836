# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks whether a home's license server runs, and reads the seats that it has granted."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

from ..errors import LicensingError, refuse
from ..home.config import UNMANAGED, Config
from ..home.store import SEATS_LOCK, Home
from ..overview import Usage
from ..system import advice, reason, try_lock

# Seconds to wait for a server on the same host.
GLANCE = 2.0


def running(home: Home, config: Config, timeout: float = GLANCE) -> dict[str, Any] | None:
    """Return the status of this home's server; None if it does not run.

    :param timeout: seconds to wait for an answer
    """
    # Imported here, so that modules on hosts without a server do not load the HTTP library.
    from ..client import Management, Unable

    try:
        status = Management(config.listen.reachable.management, timeout=timeout).status()
    except Unable:
        raise
    except LicensingError:
        return None
    return status if status.get("home_id") == home.home_id else None


def is_held(home: Home) -> bool:
    """Whether a server holds the lock of this home's seats, even if it does not answer.

    :raises LicensingError: a failure of this machine prevents the check
    """
    place = home.folder.path / SEATS_LOCK
    try:
        # The service's user can put anything here, such as a pipe that nobody writes to.
        handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        # Without permission the state is unknown: assume a server.
        return True
    except OSError as error:
        what = f"Cannot check whether a license server runs here: {reason(error)}."
        raise refuse(what, str(place), advice(error)) from error
    try:
        return not try_lock(handle, str(place), shared=True)
    finally:
        os.close(handle)


def is_holder(home: Home, process: int) -> bool:
    """Whether a process has this home's lock file of seats open. False also if this user may not see it."""
    try:
        held = (home.folder.path / SEATS_LOCK).lstat()
        for handle in Path(f"/proc/{process}/fd").iterdir():
            # The process may close files in the meantime.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(handle.stat(), held):
                    return True
    except OSError:
        return False
    return False


def signal_holder(home: Home, process: int, number: int) -> bool:
    """Signal a process if it is this home's server. Return whether the signal was sent.

    :raises LicensingError: this user may not signal it
    """
    try:
        # A pidfd makes sure that the checked process is the signalled one, even if its number is reused.
        pinned = os.pidfd_open(process) if hasattr(os, "pidfd_open") else None
    except ProcessLookupError:
        return False
    except OSError:
        # A kernel before 5.3, such as that of EL 8.
        pinned = None
    try:
        if not is_holder(home, process):
            return False
        if pinned is None:
            os.kill(process, number)
        else:
            signal.pidfd_send_signal(pinned, number)
    except ProcessLookupError:
        return False
    except OSError as error:
        what = f"Cannot signal the license server: {reason(error)}."
        raise refuse(what, f"process {process}", "Run this as the user that started it.") from error
    finally:
        if pinned is not None:
            os.close(pinned)
    return True


def usage_of(home: Home, config: Config) -> Usage | None:
    """Return the seats that this home's server has granted; None if it does not run."""
    if config.service == UNMANAGED:
        return None
    from ..client import Management, Unable

    try:
        usage = Management(config.listen.reachable.management, timeout=GLANCE).usage()
    except Unable:
        raise
    except LicensingError:
        return None
    return usage if usage.home_id == home.home_id else None
