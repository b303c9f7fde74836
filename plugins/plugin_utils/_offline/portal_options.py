# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks what is declared for an authority's request page: its address, an e-mail address and its realm."""

from __future__ import annotations

import re
from typing import Callable

from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import parse_service, service_url
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import (
    Problem,
    problems_of,
    quoted,
    refuse,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.http import realm_context

_HTTPS_PORT = 443
# Without "=?": what begins like an encoded word could be read as one.
_EMAIL = re.compile(r"(?!.*=\?)[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,189}")


def check_portal(address: object, where: str) -> str:
    """Return the address of a request page, ``https://host`` or ``https://host:port``, or refuse."""
    text = (address if isinstance(address, str) else quoted(address)).strip().rstrip("/")
    try:
        return service_url(*parse_service(text, _HTTPS_PORT), _HTTPS_PORT)
    except ValueError:
        # The part before an @ is probably a password.
        named = re.sub("//.*@", "//…@", plain(text))
        raise refuse(
            f"{quoted(named)} is not the address of a request page.",
            where,
            "Write it as https://host or https://host:port, without a path.",
        ) from None


def check_email(address: object, where: str) -> str:
    """Return an e-mail address, or refuse an invalid one."""
    text = (address if isinstance(address, str) else quoted(address)).strip()
    if not _EMAIL.fullmatch(text):
        raise refuse(f"{quoted(plain(text))} is not an e-mail address.", where, "Write it as name@example.com.")
    return text


def check_realm(realm: object, where: str) -> Realm:
    """Return the realm of a request page's authority; refuse a realm without the certificate that verifies the page."""
    read = Realm.from_dict(realm, where)
    if read.ca is None:
        raise refuse(
            "The realm has no certificate (ca) to verify the request page with.",
            where,
            "Declare {name, key, ca} as 'authority init' printed them (aims_license_server_realm).",
        )
    realm_context(read.ca, where)
    return read


def plain(text: object) -> str:
    """Return a text from an untrusted source, shortened and without control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text or ""))[:300].strip()


def portal_problems(portal: object, email: object, realm: object, where: Callable[[str], str]) -> list[Problem]:
    """Return the problems of a declared request page, its e-mail address and its realm; none without a page.

    :param where: returns the place of a variable, for messages
    """
    name, of_realm = "aims_license_server_portal", where("aims_license_server_realm")
    if not portal:
        return []
    problems: list[Problem] = []
    checks: list[Callable[[], object]] = [lambda: check_portal(portal, where(name))]
    if email:
        checks.append(lambda: check_email(email, where(f"{name}_email")))
    if realm is None:
        what = "A request page is declared without its realm."
        problems.append(Problem(what, of_realm, "Declare {name, key, ca} as 'authority init' printed them."))
    else:
        checks.append(lambda: check_realm(realm, of_realm))
    return problems + problems_of(checks)
