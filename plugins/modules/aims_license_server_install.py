#!/usr/bin/python
# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aims_license_server_install
short_description: Install, upgrade or remove the bundled license server
version_added: "0.1.0"
description:
  - Installs the license server's package of this collection and starts the server. With systemd, it is enabled at boot,
    active and answering. If it does not answer within half a minute, the error has the end of its journal.
  - Before any change, checks who owns the home, the installed version, permissions, disk space, the ports 3400 and
    3401, and the Python libraries C(cryptography) and C(tornado). The error lists everything that is wrong.
  - Never replaces a newer version by an older one.
  - Writes the facts C(ansible_local.aims_license_server) with the host's license servers, without secrets, where its
    user may write C(/etc/ansible/facts.d).
author: aims.licensing contributors (@aims)
options:
  state:
    description:
      - V(absent) removes the package, and fails while a license is active or pending. Licenses, journal and
        configuration stay.
      - V(stopped) is for O(backend=vendor). It stops the service, on Linux and on Windows, which starts at boot as
        before; V(present) starts it again. It fails while the server has a license that is not in O(moved) and not
        inactive.
    type: str
    choices: [present, absent, stopped]
    default: present
  moved:
    description: With V(stopped), the numbers of the licenses that have moved to another host. Their nodelock files may
      still be there.
    type: list
    elements: str
    default: []
  service:
    description:
      - What runs the server. V(systemd) is a hardened unit, C(aims-license-server.service), with its own user.
      - V(process) is a process until the next boot, for rehearsals without root or systemd.
      - V(none) runs no server. Licenses can be installed and moved, but clients get no seats.
      - Without it, the setting stays as it is. At first it is V(systemd), or V(none) under an alternate root.
    type: str
    choices: [systemd, process, none]
  listen:
    description: The IP addresses that the server listens on. Its ports are 3400 and 3401.
    type: dict
    suboptions:
      clients:
        description: The address for clients. All addresses of the host if empty.
        type: str
        default: ""
      management:
        description: The address for the console and the metrics, which have no authentication.
        type: str
        default: 127.0.0.1
  allowed_hosts:
    description:
      - Further names of this host, such as a DNS alias, under which the console and the metrics answer. IP addresses,
        C(localhost) and the host's own name always work; any other name is refused.
      - Without it, the setting stays as it is. An empty list removes all.
    type: list
    elements: str
  usage_log:
    description:
      - Whether the server writes who held which seat from when to when, into C(Logging/Usage.csv) of its home.
      - Without it, the setting stays as it is. At first it does.
    type: bool
  authority_service:
    description:
      - Serves an activation authority instead of a license server, as C(aims-license-authority.service) with its own
        user. The service has the ledger, the HTTPS API and the request page.
      - The options of the license server, O(service), O(listen), O(authority) and O(realm), are then ignored.
    type: dict
    suboptions:
      ledger:
        description: The ledger, created if there is none. The service's user gets its folder.
        type: path
        default: /var/lib/aims-license-authority/authority.db
      name:
        description: The realm's name. REHEARSAL is prefixed.
        type: str
        default: authority
      hosts:
        description: The names and IP addresses in its certificate. Without it, the machine's own names.
        type: list
        elements: str
        default: []
      listen:
        description: The IP address to listen on. All addresses if empty.
        type: str
        default: ""
      port:
        description: The port.
        type: int
        default: 8443
      emergency_days:
        description:
          - For how many days it activates a license that a lost machine holds, at most 30. With 0, never.
          - Without it, the ledger keeps its setting, at first 7.
        type: int
      smtp:
        description: The mail server, C(host) or C(host:port). Without it, no mail is sent.
        type: str
      smtp_starttls:
        description: Whether to send mail only encrypted.
        type: bool
        default: false
      smtp_user:
        description: The user at the mail server.
        type: str
      smtp_password_file:
        description: The file on the host with the user's password. The service's user must be able to read it.
        type: path
      mail_from:
        description: The sender of the mails.
        type: str
  vendor_package:
    description:
      - With O(backend=vendor), the vendor's package. On Linux a file on the controller, a file on the host, or the name
        of a package that the host's package manager (apt or dnf) knows. Rights, space and ports are looked at first.
        Afterwards the service has to run, at boot too, and to answer on both ports.
      - On Windows its C(.msi) - a file on the controller, or a path on the host such as C(C:\Setup\server.msi). It is
        installed without a window and without a restart, unless the service is there already. Port 3400 is looked at
        first. Afterwards the service has to run and to answer on it.
      - Without it, a service that is installed already is started.
    type: str
  package:
    description: The package. Set by the action plugin.
    type: str
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.server.reach
  - aims.licensing.realm
  - aims.licensing.attributes
"""

EXAMPLES = r"""
- name: Install the license server
  aims.licensing.aims_license_server_install:
    home: /opt/aims-license-server
    authority: ledger:/srv/authority.db

- name: Run it without root on its own addresses, as in a rehearsal on one machine
  aims.licensing.aims_license_server_install:
    home: /opt/aims-license-server
    root: /srv/rehearsal/new
    service: process
    listen:
      clients: 127.0.0.12
      management: 127.0.0.12

- name: Serve an activation authority
  aims.licensing.aims_license_server_install:
    authority_service:
      name: lab
      hosts: [authority.example.com]
      smtp: mail.example.com
  register: authority

- name: Show the realm to declare as aims_license_server_realm
  ansible.builtin.debug:
    var: authority.realm

- name: Install the vendor's license server
  aims.licensing.aims_license_server_install:
    backend: vendor
    vendor_package: files/license-server.rpm

- name: Stop the vendor's license server, whose license has moved
  aims.licensing.aims_license_server_install:
    backend: vendor
    state: stopped
    moved: [015.120.064.022]

- name: Remove the license server
  aims.licensing.aims_license_server_install:
    home: /opt/aims-license-server
    state: absent
"""

RETURN = r"""
changes:
  description: The changes, as text.
  returned: success
  type: list
  elements: str
  sample: [install 0.1.0, write the unit aims-license-server.service]
realm:
  description: The realm to declare for hosts, C({name, id, key, ca}). Null in check mode before the first installation.
  returned: success and O(authority_service) was given
  type: dict
overview:
  description: The overview afterwards, as of M(aims.licensing.aims_license_info).
  returned: success
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aims.licensing.plugins.module_utils._licensing import VERSION
from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import Listen, parse_hosts
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.policy import check_emergency_days
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.config import SERVICES
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import Home
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.authority import (
    LEDGER,
    Serving,
    install_authority,
    remove_authority,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.install import (
    Settings,
    install,
    remove,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.package import Package
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.factory import VENDOR
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.installation import Installation
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.installation import (
    install as install_vendors,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.installation import (
    start as start_vendors,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.installation import (
    stop as stop_vendors,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.staying import require_none
from ansible_collections.aims.licensing.plugins.module_utils._licensing.sealing import unpacked
from ansible_collections.aims.licensing.plugins.module_utils._module import REALM, SERVER, diff, manager_of, run


def settings_of(params: dict[str, Any]) -> Settings:
    """Return what the options set."""
    realm, listen, allowed = params["realm"], params["listen"], params["allowed_hosts"]
    return Settings(
        authority=params["authority"],
        realm=Realm.from_dict(realm, "realm") if realm else None,
        service=params["service"],
        listen=Listen.from_dict(listen, "listen") if listen else None,
        allowed_hosts=None if allowed is None else parse_hosts(allowed, "allowed_hosts"),
        usage_log=params["usage_log"],
    )


def bring_authority(module: AnsibleModule, home: Home) -> dict[str, Any]:
    """Install or remove the service of an authority."""
    serving = Serving.from_dict(module.params["authority_service"])
    if serving.emergency_days is not None:
        check_emergency_days(serving.emergency_days, "emergency_days")
    if module.params["state"] == "absent":
        done = remove_authority(home, dry=module.check_mode)
    else:
        package = Package(VERSION, unpacked(module.params["package"], "package"))
        done = install_authority(home, package, serving, dry=module.check_mode)
    changes = list(done.words)
    return {
        "changed": bool(changes),
        "changes": changes,
        "realm": done.realm,
        "overview": manager_of(module).overview().as_dict(),
        "diff": {"before": "", "after": "".join(f"{change}\n" for change in changes)},
    }


def bring_vendors(module: AnsibleModule) -> dict[str, Any]:
    """Install the vendor's license server by its own package, or start or stop it."""
    if module.params["state"] == "absent" or module.params["root"]:
        raise _by_its_package()
    manager = manager_of(module)
    before = manager.overview()
    if module.params["state"] == "stopped":
        require_none(before, manager.unnumbered(), module.params["moved"])
        done = stop_vendors(module.check_mode)
    else:
        done = _start_vendors(module.params["vendor_package"], module.check_mode)
    for warning in done.warnings:
        module.warn(warning)
    after = manager_of(module).overview()
    changes = [str(change) for change in done.changes]
    return {
        "changed": bool(changes),
        "changes": changes,
        "overview": after.as_dict(),
        "diff": {**diff(before, after), "prepared": "".join(f"{change}\n" for change in changes)},
    }


def _start_vendors(package: str | None, dry: bool) -> Installation:
    """Install the package, or without one start what is installed."""
    done = install_vendors(package, dry) if package else start_vendors(dry)
    if done is None:
        raise _by_its_package()
    return done


def _by_its_package() -> LicensingError:
    return refuse(
        "The vendor's license server is installed by its own package only, not under an alternate root or removed.",
        "vendor_package",
        "Name the package (vendor_package), or install it by hand, then look with aims_license_info.",
    )


def bring(module: AnsibleModule) -> dict[str, Any]:
    """Install or remove the package."""
    if module.params["backend"] == VENDOR:
        return bring_vendors(module)
    if module.params["state"] == "stopped":
        raise refuse(
            "Only the vendor's license server is stopped: the bundled one serves no license that has moved.",
            "state",
            "Leave it running, or remove its package (state: absent).",
        )
    home = Home(module.params["home"], module.params["root"])
    if module.params["authority_service"] is not None:
        return bring_authority(module, home)
    if module.params["state"] == "absent":
        done = remove(home, dry=module.check_mode)
    else:
        package = Package(VERSION, unpacked(module.params["package"], "package"))
        done = install(home, package, settings=settings_of(module.params), dry=module.check_mode)
    changes = list(done.words)
    return {
        "changed": bool(changes),
        "changes": changes,
        "overview": done.after.as_dict(),
        # The overview does not have the unit, modes and files that are mended; the words do.
        "diff": {**diff(done.before, done.after), "prepared": "".join(f"{change}\n" for change in changes)},
    }


def main() -> None:
    spec = {
        **SERVER,
        "state": {"type": "str", "choices": ["present", "absent", "stopped"], "default": "present"},
        "moved": {"type": "list", "elements": "str", "default": []},
        "realm": REALM,
        "service": {"type": "str", "choices": list(SERVICES)},
        "listen": {
            "type": "dict",
            "options": {
                "clients": {"type": "str", "default": ""},
                "management": {"type": "str", "default": "127.0.0.1"},
            },
        },
        "allowed_hosts": {"type": "list", "elements": "str"},
        "usage_log": {"type": "bool"},
        "authority_service": {
            "type": "dict",
            "options": {
                "ledger": {"type": "path", "default": LEDGER},
                "name": {"type": "str", "default": "authority"},
                "hosts": {"type": "list", "elements": "str", "default": []},
                "listen": {"type": "str", "default": ""},
                "port": {"type": "int", "default": 8443},
                "emergency_days": {"type": "int"},
                "smtp": {"type": "str"},
                "smtp_starttls": {"type": "bool", "default": False},
                "smtp_user": {"type": "str"},
                "smtp_password_file": {"type": "path", "no_log": False},
                "mail_from": {"type": "str"},
            },
        },
        "package": {"type": "str"},
        "vendor_package": {"type": "str"},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), bring)


if __name__ == "__main__":
    main()
