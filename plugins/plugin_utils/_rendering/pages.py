# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The overview page: a pure function from data to HTML."""

from __future__ import annotations

from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import Status
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.environment import ENVIRONMENT
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.format import (
    DASH,
    address_in_words,
    counted,
    in_words,
    part_of,
    time_in_words,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.tables import (
    Cell,
    client_table,
    code_cell,
    license_table,
    pending_table,
    profile_table,
    var_table,
)


def overview_page(overview: Overview, host: str, made: str, digest: str) -> str:
    """Return what the license manager's overview shows of `host`, as one self-contained HTML page.

    The same arguments give the same bytes: the page is part of a bundle that is compared with its successor.
    """
    server, licenses, pending = overview.server, overview.licenses, overview.pending
    left = [row.transfers.left for row in licenses if row.transfers and row.transfers.left is not None]
    active = sum(license.status is Status.ACTIVE for license in licenses)
    in_use = [license.in_use for license in licenses]
    # Unknown as long as no service counts them, which is not the same as none.
    used = None if None in in_use else sum(number or 0 for number in in_use)
    seats = sum(license.seats or 0 for license in licenses)
    banners = []
    if server.is_missing:
        banners.append(("warn", "No license server", "No license server is installed on this host."))
    if server.maintenance:
        banners.append(
            ("warn", "Maintenance mode", "The server is in maintenance mode: leaving it restarts the server.")
        )
    if server.draining:
        numbers = ", ".join(map(in_words, server.draining))
        banners.append(("warn", "Drain", f"No new seats are granted of licenses that are about to leave: {numbers}."))
    if pending:
        words = "Load each response on this host. Never make a second request for a license while one is pending."
        banners.append(("warn", f"{counted(len(pending), 'request')} pending", words))
    return ENVIRONMENT.get_template("overview.html.j2").render(
        title=f"License server overview: {in_words(host)}",
        host=in_words(host),
        made=time_in_words(made),
        digest=in_words(digest),
        banners=banners,
        tiles=[
            ("Active licenses", f"{active} of {len(licenses)}"),
            ("Seats in use", part_of(used, seats)),
            ("Profiles", str(len(overview.profiles))),
            ("Pending requests", str(len(pending))),
            ("Fewest transfers left", str(min(left)) if left else DASH),
        ],
        licenses=license_table(overview),
        var=var_table(overview),
        profiles=profile_table(overview),
        clients=client_table(overview),
        users=[in_words(user) for user in overview.users],
        pending=pending_table(overview),
        facts=[
            ("Host", Cell(in_words(host))),
            ("Installed", Cell(in_words(server.installed))),
            ("Version", Cell(in_words(server.version))),
            ("Package digest", code_cell(server.digest)),
            ("Backend", Cell(in_words(server.backend))),
            ("Home", code_cell(server.home)),
            ("Root", code_cell(server.root)),
            ("Home id", code_cell(server.home_id)),
            ("Maintenance mode", Cell(in_words(server.maintenance))),
            ("Realm", Cell(in_words(server.realm.name if server.realm else None))),
            ("Realm id", code_cell(server.realm.id if server.realm else None)),
            ("Authority", Cell(address_in_words(server.authority), code=True)),
        ],
    )
