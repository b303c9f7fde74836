# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photograph the pages that `make demo` leaves for the README; wants Chromium on the PATH."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
WORK = CHECKOUT / ".build" / "demo" / "aims-license"
# Only the upper part of each page: below it stand the paths of the machine that it was made on.
PAGES = {
    "report.png": (WORK / "reports" / "old-to-new.html", 1195),
    "overview.png": (WORK / "bundles" / "old" / "latest" / "overview.html", 780),
}


def main() -> None:
    for name, (page, height) in PAGES.items():
        if not page.exists():
            sys.exit(f"{page} is missing: run 'make demo' first.")
        image = CHECKOUT / "docs" / "images" / name
        options = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size=1280,{height}")
        command = ["chromium", *options, f"--screenshot={image}", page.resolve().as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        print(image)


if __name__ == "__main__":
    main()
