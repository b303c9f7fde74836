# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The remedies of licenses that another machine holds, and of a source that is lost, are done as they are printed."""

from __future__ import annotations

import re
import shutil
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.release import release
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.entitlements import Entitlements
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.plan import plan_text
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    NUMBERS,
    SERVER,
    SESSION,
    declared,
)
from ansible_collections.aims.licensing.tests.unit.plugins.remedies.pair import Pair, commands, copy, execute, ledger_of
from support.plans import pair_of, plan_of

STEM = SERVER.replace(".", "")


def lost(pair: Pair, *numbers: str, bundle: dict[str, Any], online: bool = True) -> dict[str, Any]:
    """The plan of a pair whose source is declared lost."""
    asked = declared(*numbers)
    quotes = pair.new.manager.activate(
        Activation(
            asked,
            realm=pair.lab.realm,
            released_by=["*", *sorted({license["holder"] for license in bundle["licenses"]})],
        ),
        pair.channel(online),
        dry=True,
    ).results
    known = {result.number: result.as_dict() for result in quotes if result.quote}
    target = pair.look("new", pair.new, authority=f"ledger:{pair.lab.ledger_path}")
    return plan_of(pair_of({"host": "old"}, target, asked, known, bundle, pair.lab.clock(), lost=True))


def test_a_license_that_both_serve_is_ended_where_the_message_says(at_hand: Pair) -> None:
    pair = at_hand
    release(pair.lab.ledger, SERVER, "old is lost", pair.lab.clock())
    pair.lab.activate(pair.new, SERVER)
    text = pair.told()
    assert f"License {SERVER} is active on both old and new, which got it later." in text
    match = re.search(r"End it on old: (.*?) \(", text)
    assert match
    with pytest.raises(Exception, match="non-zero exit status 1"):
        execute([match[1]])  # The authority refuses, as the message says.
    pair.run()
    assert pair.holds(pair.new)


def test_what_a_source_holds_that_is_gone_is_released_by_the_command_of_the_plan(at_hand: Pair) -> None:
    pair = at_hand
    pair.run(SERVER)
    pair.lab.deactivate(pair.new, SERVER)
    pair.lab.activate(pair.old, SERVER)
    pair.reached = False
    text = pair.told(SERVER)
    assert f"License {SERVER} is not active on new, and old cannot be reached." in text
    execute([ledger_of(pair, command) for command in commands(text, "authority release")])
    pair.run(SERVER)
    assert SERVER in [number for number, status in pair.new.statuses().items() if status == "Active"]


def test_a_source_that_is_set_to_lost_goes_on_with_its_bundle(at_hand: Pair) -> None:
    pair = at_hand
    bundle = pair.old.overview
    pair.lab.deactivate(pair.old, SERVER)
    pair.reached = False
    text = pair.told()
    assert re.findall(r"set (aims_license_migrate_source_lost: true):", text)
    plan = lost(pair, bundle=bundle)
    assert {license["number"]: license["step"] for license in plan["licenses"]} == {
        SERVER: "activate",
        SESSION: "needs release",
        CLIENT: "needs release",
    }
    # Its next step, too, is done as printed.
    execute([line.strip() for line in plan["next_step"].split("\n") if line.startswith("  ")])
    assert {license["step"] for license in lost(pair, bundle=bundle)["licenses"]} == {"activate"}
    pair.lab.activate(pair.new)
    assert lost(pair, bundle=bundle)["settled"]


@pytest.mark.parametrize(
    "parts", [(), ("Licenses", "Nodelocks", "Config")], ids=["its whole home", "files of its bundle"]
)
def test_what_a_lost_source_had_is_restored_by_hand_on_the_target(at_hand: Pair, parts: tuple[str, ...]) -> None:
    pair = at_hand
    bundle = pair.old.overview
    copy(pair.old, pair.new, *parts)
    shutil.rmtree(pair.old.folder)
    plan = lost(pair, bundle=bundle)
    assert plan["release"] == list(NUMBERS)
    execute([line.strip() for line in plan["next_step"].split("\n") if line.startswith("  ")])
    pair.lab.activate(pair.new)
    assert pair.holds(pair.new) and pair.spent() == [1, 1, 1]


def test_offline_the_note_of_a_lost_source_has_the_command_that_releases(at_hand: Pair) -> None:
    pair = at_hand
    bundle = pair.old.overview
    plan = lost(pair, SERVER, bundle=bundle, online=False)
    note = next(note for note in plan["notes"] if note.startswith("Where the authority answers"))
    (command,) = commands(note, "authority release")
    pair.new.manager.activate(Activation(declared(SERVER), realm=pair.lab.realm), pair.lab.offline())
    response = pair.lab.process({SERVER: pair.new.read(f"Journal/{STEM}.request")})
    with pytest.raises(LicensingError, match="is live on another machine"):
        pair.new.manager.activate(Activation(declared(SERVER), realm=pair.lab.realm), pair.lab.offline(response))
    execute([command])
    pair.new.manager.activate(Activation(declared(SERVER), realm=pair.lab.realm), pair.lab.offline())
    response = pair.lab.process({SERVER: pair.new.read(f"Journal/{STEM}.request")})
    pair.new.manager.activate(Activation(declared(SERVER), realm=pair.lab.realm), pair.lab.offline(response))
    assert pair.new.statuses() == {SERVER: "Active"}


def test_where_a_license_is_live_the_command_of_the_message_lists(at_hand: Pair) -> None:
    at_hand.lab.deactivate(at_hand.old, SERVER)
    with pytest.raises(LicensingError) as refused:
        release(at_hand.lab.ledger, SERVER, "it is lost", at_hand.lab.clock())
    (command,) = re.findall(r"'(authority list)'", str(refused.value))
    execute([f"{command} --ledger {at_hand.lab.ledger_path}"])
    at_hand.run()
    assert at_hand.holds(at_hand.new)


def test_an_emergency_that_is_not_granted_waits_for_the_release(pair: Pair) -> None:
    with pair.lab.ledger.change():
        pair.lab.ledger.set_emergency_days(0, pair.lab.clock())
    with pytest.raises(LicensingError) as refused:
        pair.new.manager.activate(
            Activation(declared(SERVER), realm=pair.lab.realm, emergency=[SERVER]), pair.lab.channel()
        )
    assert "grants no emergency activations" in str(refused.value)
    assert str(refused.value).endswith("Have the authority's owner release the license.")
    release(pair.lab.ledger, SERVER, "old is lost", pair.lab.clock())
    pair.new.manager.activate(
        Activation(declared(SERVER), realm=pair.lab.realm, emergency=[SERVER]), pair.lab.channel()
    )
    assert pair.new.statuses() == {SERVER: "Active"}


def test_an_emergency_that_has_ended_is_followed_by_the_release(pair: Pair) -> None:
    pair.new.manager.activate(
        Activation(declared(SERVER), realm=pair.lab.realm, emergency=[SERVER]), pair.lab.channel()
    )
    pair.lab.clock.forward(days=8)
    grants = Entitlements(pair.new.home, pair.new.manager.fingerprint(), pair.new.clock)
    problem = grants.current().grant(SERVER).problem
    assert problem is not None and "The emergency activation" in problem.what
    assert problem.todo == "Have the authority's owner release the license, then activate it here."
    release(pair.lab.ledger, SERVER, "old is lost", pair.lab.clock())
    pair.lab.activate(pair.new, SERVER)
    assert (
        Entitlements(pair.new.home, pair.new.manager.fingerprint(), pair.new.clock).current().grant(SERVER).problem
        is None
    )


def test_the_plan_of_a_pair_that_is_done_prints_no_remedy(pair: Pair) -> None:
    pair.run()
    text = plan_text(pair.plan(), "old", "new")
    assert "Nothing is left to do." in text and not commands(text, "(?:rm|mv|authority|licman) ")
