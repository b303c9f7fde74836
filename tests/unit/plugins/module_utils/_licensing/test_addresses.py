# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host, an address and a port are read the same wherever somebody may write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import (
    Listen,
    bracketed,
    parse_host,
    parse_ip,
    with_port,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.http.mail import read_server
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import check_authority
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.portal_options import check_portal
from ansible_collections.aims.licensing.plugins.plugin_utils._report.assembly import connection_strings, licenses_cfg

HOSTS = {
    "authority.example.com": "authority.example.com",
    "license_server.example.com": "license_server.example.com",
    "LICENSES": "licenses",
    "licenses.example.com.": "licenses.example.com",
    "xn--bcher-kva.example": "xn--bcher-kva.example",
    "192.0.2.10": "192.0.2.10",
    "[2001:DB8::1]": "[2001:db8::1]",
    "[2001:0db8:0::1]": "[2001:db8::1]",
}
NO_HOSTS = [
    "",
    "bücher.example",
    "a b",
    "[fe80::1%eth0]",
    "[fe80::1%25eth0]",
    "2001:db8::1",
    "[192.0.2.10]",
    "[licenses]",
    "192.0.2",
    "me:secret@host",
    "-licenses",
    "a..b",
    "host/path",
    "host?query",
    "host\nhost",
    "host\\@other",
]
PORTS = {":1": ":1", ":65535": ":65535", "": ""}
NO_PORTS = [":", ":0", ":65536", ":-1", ":8443x", ":08443443", ":\uff18443"]


def authority(text: str) -> str:
    return check_authority(f"https://{text}")


def page(text: str) -> str:
    return check_portal(f"https://{text}", "here")


def mail(text: str) -> str:
    server = read_server(text, "a@example.com")
    return f"https://{bracketed(server.host)}" + (f":{server.port}" if server.port != 25 else "")


READERS: list[Callable[[str], str]] = [authority, page, mail]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("host", HOSTS)
def test_a_host_and_its_port_have_one_form(read: Callable[[str], str], host: str, port: str) -> None:
    assert read(host + port) == f"https://{HOSTS[host]}{PORTS[port]}"


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("text", [*NO_HOSTS, *(f"host{port}" for port in NO_PORTS)])
def test_what_is_no_host_or_port_is_none_anywhere(read: Callable[[str], str], text: str) -> None:
    with pytest.raises(LicensingError) as refused:
        read(text)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("read", [authority, page])
def test_the_port_of_https_and_a_slash_need_not_be_written(read: Callable[[str], str]) -> None:
    assert read("host:443/") == "https://host"


@pytest.mark.parametrize(
    ("text", "form"), [("2001:DB8::1", "2001:db8::1"), ("::", "::"), ("fe80::1%eth0", "fe80::1%eth0")]
)
def test_an_address_to_listen_on_has_one_form_and_may_have_a_zone(text: str, form: str) -> None:
    assert parse_ip(text, "here") == form
    assert Listen.from_dict({"clients": text, "management": text}, "here") == Listen(form, form)


@pytest.mark.parametrize(
    "value", ["licenses", "[::1]", "::1 ", "fe80::1%", "fe80::1%a b", "1.2.3", 5, None, True, "::1\n"]
)
def test_what_is_no_address_to_listen_on_is_refused(value: Any) -> None:
    with pytest.raises(LicensingError, match="is not an IP address"):
        parse_ip(value, "here")


@pytest.mark.parametrize(
    ("host", "string"),
    [
        ("new.example.com", "new.example.com:3400"),
        ("192.0.2.1", "192.0.2.1:3400"),
        ("2001:db8::1", "[2001:db8::1]:3400"),
        ("[2001:db8::1]", "[2001:db8::1]:3400"),
        ("new_server", "new_server:3400"),
    ],
)
def test_what_clients_are_to_be_told_has_brackets_around_an_ipv6_address(host: str, string: str) -> None:
    assert [(one.profile, one.string) for one in connection_strings(host, ["Client"])] == [
        ("Client", f"{string},Client")
    ]
    assert licenses_cfg(host) == [f"1\tnetwork\t{string}"]


def test_a_host_is_written_before_its_port_as_it_was_read() -> None:
    for host in ("licenses", "192.0.2.1", "2001:db8::1"):
        assert parse_host(host) == host
        assert with_port(host, 1) == (f"[{host}]:1" if ":" in host else f"{host}:1")
