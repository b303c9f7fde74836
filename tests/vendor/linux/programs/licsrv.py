# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the vendor's license server: a process of its name that listens on its two ports, and no more.

Its protocol is not public, so that nobody is answered.
"""

import signal
import socket
import sys
import time

listening = [socket.create_server(("", port)) for port in (3400, 3401)]
with open("/usr/local/Aimms/Logging/LicenseServer.log", "a", encoding="utf-8") as log:
    log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} started\n")
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
signal.pause()
