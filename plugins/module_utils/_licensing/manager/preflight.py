# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands against a call on a bundled license server, found before anything is changed."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence

from .. import documents
from ..channel.base import Channel
from ..declared import DeclaredLicense, named
from ..documents import Realm
from ..errors import LicensingError, Problem
from ..fingerprint import MEANINGS, compare, in_words
from ..home.inspection import drift, drift_since_asked
from ..home.journal import Intent
from ..home.nodelock import Installed
from ..home.state import State, is_here
from ..home.store import HOST_KEY, Home, put_away
from ..model import ACTIVATE, MACHINE, PERSONAL, Profile, digits, parse_number
from ..quote import Quote


def obstacles_of(home: Home, state: State, *, numbers: Sequence[str] | None = None) -> list[Problem]:
    """Return what would keep a server from giving its licenses up, were it asked to.

    :param numbers: of the licenses; without them, of all
    """
    return home.unwritable() + _key_problems(home, _activated_with(state, numbers))


def _activated_with(state: State, numbers: Sequence[str] | None = None) -> dict[str, str]:
    """The keys that licenses were activated with here, or are being so, by number: of these licenses, or of all.

    Another machine's nodelock says nothing of the key that is to be here.
    """
    opening = {n: intent for n, intent in state.intents.items() if intent.action == ACTIVATE}
    keys = {
        number: str(intent.document.body["host_key"])
        for number, intent in opening.items()
        if compare(intent.document.body["fingerprint"], state.fingerprint).is_same_machine
    }
    locks = {
        number: installed.nodelock
        for number, installed in state.installed.items()
        if is_here(installed, state.fingerprint)
    }
    keys.update({number: lock.host_key for number, lock in locks.items() if lock is not None})
    asked = None if numbers is None else {parse_number(number) for number in numbers}
    return {number: key for number, key in keys.items() if asked is None or number in asked}


def _key_problems(home: Home, activated_with: Mapping[str, str]) -> list[Problem]:
    """What is wrong with the key that signs requests, where licenses were activated with it."""
    if not activated_with:
        return []
    where = home.folder.place(HOST_KEY)
    pem = home.host_key()
    if pem is None:
        what = "The private key that the licenses were activated with is missing."
        return [Problem(what, where, _restored(home, sorted(activated_with)))]
    try:
        key = documents.public_half(documents.load_private_key(pem, where))
    except LicensingError as error:
        return list(error.problems)
    others = sorted(number for number, other in activated_with.items() if other != key)
    what = f"The private key is another than the one that was used to activate {', '.join(others)}."
    return [Problem(what, where, _restored(home, others))] if others else []


def _restored(home: Home, numbers: Sequence[str]) -> str:
    """Say how a host comes to its key again, or does without what it was used for."""
    return (
        "Restore it from the newest bundle, then run this again. If it is in none, have the authority's owner release "
        f"{', '.join(numbers)}, then let this host forget them ({forget(numbers, home.where)})."
    )


def forget(numbers: Sequence[str], home: str) -> str:
    """Return the command that removes what says that a host holds licenses or asks for them."""
    places = [f"{shlex.quote(home)}/{folder}" for folder in ("Journal", "Nodelocks")]
    return f"rm -f {' '.join(f'{place}/{digits(number)}.*' for number in numbers for place in places)}"


def check_declared(home: Home, state: State, *, licenses: Sequence[DeclaredLicense], channel: Channel) -> None:
    """Refuse licenses that cannot be activated as declared, before anybody is asked."""
    # What is granted has to be written: a transfer shall not be spent where it cannot be.
    problems = []
    # An update that an activation makes needless is called off first.
    going_on = state.giving_up(state.superseded([license.number for license in licenses]))
    if not all(state.satisfies(license) for license in licenses):
        # A new key beside licenses of another one: neither of the two could then give all of them up.
        problems += home.unwritable() + _key_problems(home, _activated_with(state))
        problems += _asked_elsewhere(
            home, state, due=state.due([license.number for license in licenses], channel.online)
        )
    for license in licenses:
        installed = state.installed.get(license.number)
        # Online the authority is asked first, which may have released it.
        if not channel.online and license.number not in state.intents:
            problems += _another_machine(
                installed, state, home=home.where, then=remove_by_hand(license.number, home.where)
            )
        if license.number not in going_on.intents:
            problems += without_code(going_on, [license])
        lock = installed.nodelock if installed else None
        locked = lock.type if lock is not None and lock.until is None else None
        problems += against_nodelock(license, locked, online=channel.online)
        problems += another_code(
            license, installed.license.code_key if installed else None, realm=state.config.realm or channel.realm
        )
    if problems:
        raise LicensingError(problems)


def against_nodelock(license: DeclaredLicense, locked: str | None, *, online: bool) -> list[Problem]:
    """Tell what stands against the nodelock that is declared for a license on a host.

    The plan of a pair asks the same on the controller, so that a declaration has one judgement.

    :param locked: the type of the nodelock that the host has for good, or None
    """
    where = f"license {license.number}"
    problems = []
    if license.nodelock == PERSONAL and not online:
        todo = "Use a machine nodelock, or go online."
        problems.append(Problem("A personal nodelock cannot be activated offline.", where, todo))
    if license.nodelock == PERSONAL and locked == MACHINE:
        todo = "Declare nodelock: machine."
        problems.append(Problem("A machine nodelock cannot be changed into a personal one.", where, todo))
    return problems


def another_code(license: DeclaredLicense, code_key: str | None, *, realm: Realm | None) -> list[Problem]:
    """Tell of an activation code that is another than the one that a license was issued with.

    :param code_key: what the license file says of the right one, or None where no file is at hand
    :param realm: that of the home with the file. Where it is not known, the file says nothing of the code; the
        authority does.
    """
    if license.activation_code is None or code_key is None or realm is None:
        return []
    if documents.public_half(documents.key_from_code(license.number, license.activation_code, realm.key)) == code_key:
        return []
    return [
        Problem(
            f"The activation code declared for license {license.number} is not this license's.",
            f"license {license.number}",
            "Check the license number and its activation code against what was supplied.",
        )
    ]


def without_code(state: State, licenses: Sequence[DeclaredLicense]) -> list[Problem]:
    """Tell of licenses that would have to be asked for, and that have no activation code."""
    return [
        Problem(
            f"License {license.number} is not active here, and its activation code is not given.",
            f"license {license.number}",
            "Run the same command again: it looks at this host anew. In a play of your own, give the activation_code.",
        )
        for license in licenses
        if license.activation_code is None and not state.satisfies(license)
    ]


def check_named(home: Home, state: State, *, licenses: Sequence[DeclaredLicense], further: Sequence[Profile]) -> None:
    """Refuse profiles whose names belong to licenses that are not declared."""
    opening = [number for number, intent in state.intents.items() if intent.action == ACTIVATE]
    held = {number for number in state.installed if state.holds(number)}.union(opening)
    others = held.difference(license.number for license in licenses)
    problems = taken_names(named(licenses, further), state.config.profiles, others=others, where=home.where)
    if problems:
        raise LicensingError(problems)


def taken_names(
    declared: Sequence[Profile], current: Sequence[Profile], *, others: Collection[str], where: str
) -> list[Problem]:
    """Tell of declared profiles whose names belong to other licenses of a server.

    Whoever asks for such a name would be given seats of another license, and the other one would be left without it.

    :param others: the numbers of licenses that the server holds, and that are not declared
    """
    owners = {profile.name: profile.license for profile in current if profile.license in others}
    return [
        Problem(
            f"Profile {profile.name} is declared for license {profile.license}, but is that of license "
            f"{owners[profile.name]} here, which is not declared.",
            where,
            f"Declare another name for license {profile.license}; or first give license {owners[profile.name]} another "
            f"one here and remove {profile.name} (aims_license_profile).",
        )
        for profile in declared
        if owners.get(profile.name, profile.license) != profile.license
    ]


def check_deactivated(home: Home, state: State, *, numbers: Sequence[str], channel: Channel) -> None:
    """Refuse licenses that cannot be given up here."""
    problems = obstacles_of(home, state, numbers=numbers)
    held = state.concerned(numbers)
    problems += _asked_elsewhere(home, state, due=state.due(held, channel.online) if held else ())
    for number in numbers:
        installed = state.installed.get(parse_number(number))
        if installed is None and number not in state.intents:
            todo = "Correct the number; aims_license_info lists the licenses that are here."
            problems.append(Problem(f"License {number} is not installed here.", home.where, todo))
        changed = drift(installed, state.fingerprint) if installed else None
        if installed is not None and installed.nodelock and changed is not None and not changed.is_same_machine:
            differing = in_words(installed.nodelock.fingerprint, state.fingerprint, changed.changed)
            problems.append(
                Problem(
                    f"License {number} was activated on another machine: {differing} differ.",
                    home.where,
                    "Deactivate it on the machine that holds it; if the home was copied here, put the copy away "
                    f"({put_away(home.where)}).",
                )
            )
    if problems:
        raise LicensingError(problems)


def check_updated(home: Home, state: State, *, numbers: Sequence[str], channel: Channel) -> None:
    """Refuse licenses that are not active here."""
    problems = obstacles_of(home, state, numbers=numbers)
    problems += _asked_elsewhere(home, state, due=state.due(numbers, channel.online))
    problems += [
        Problem(
            f"License {number} is not active here, so that there is nothing to update.",
            home.where,
            "Correct the number, or activate the license; that brings its newest license file.",
        )
        for number in numbers
        if not state.is_active(parse_number(number)) and number not in state.intents
    ]
    if problems:
        raise LicensingError(problems)


# In the place of a host's key: the caller sees for himself who holds a license.
ANYBODY = "*"


def raise_refusals(quotes: Sequence[Quote], state: State, *, home: str, released_by: Sequence[str] = ()) -> None:
    """Refuse what the authority answered to quotes that it would refuse.

    :param released_by: public keys of hosts that will have given their licenses back by then, or ANYBODY
    """
    problems = [quote.refusal for quote in quotes if quote.refusal]
    problems += [
        # Where an emergency activation was asked for, why none is granted says more.
        quote.emergency_refusal or _elsewhere(quote, state.installed.get(quote.number), state=state, home=home)
        for quote in quotes
        if not quote.refusal and quote.is_elsewhere and not _is_expected(quote, released_by, state=state)
    ]
    if problems:
        raise LicensingError(problems)


def _is_expected(quote: Quote, released_by: Sequence[str], *, state: State) -> bool:
    """Whether who holds a license, by a quote, is one that the caller reckons with."""
    installed = state.installed.get(quote.number)
    was_here = installed is not None and installed.nodelock is not None and quote.holder == installed.nodelock.host_key
    return quote.holder in released_by or (ANYBODY in released_by and not was_here)


def _another_machine(installed: Installed | None, state: State, *, home: str, then: str = "") -> list[Problem]:
    """Tell of a license that was activated here when this machine was another.

    :param then: what is to be done once it is released
    """
    changed = drift(installed, state.fingerprint) if installed else None
    if installed is None or installed.nodelock is None or changed is None or changed.is_same_machine:
        return []
    number = installed.license.number
    differing = in_words(installed.nodelock.fingerprint, state.fingerprint, changed.changed)
    return [
        Problem(
            f"License {number} was activated on another machine than this one is now: {differing} differ.",
            f"license {number}",
            f"{MEANINGS[changed.verdict]} {changed_or_copied(home, then)}",
        )
    ]


def changed_or_copied(home: str, then: str = "") -> str:
    """Say what to do about a nodelock of another machine where it is not known which of two causes it has.

    :param then: what is to be done once the license is released
    """
    return (
        f"If the home was copied here from the machine that holds the license, put the copy away ({put_away(home)}), "
        "and move the license by a migration. Undo the change if it is this machine that has changed; if it stays, and "
        f"no other machine serves the license, have the authority's owner release the license{then}."
    )


def _asked_elsewhere(home: Home, state: State, *, due: Sequence[Intent]) -> list[Problem]:
    """Tell of pending activations that were made when this machine was another.

    Asked now, they would be granted to a machine that is no more, and spend a transfer on it. Whether the authority has
    granted them already is not known, so that they stay pending.
    """
    problems = []
    for intent in due:
        changed = drift_since_asked(intent, state.fingerprint)
        if changed is not None and not changed.is_same_machine:
            differing = in_words(intent.document.body["fingerprint"], state.fingerprint, changed.changed)
            problems.append(asked_elsewhere(intent.number, differing, home=home.where))
    return problems


def asked_elsewhere(number: str, differing: str, *, home: str, host: str = "this host") -> Problem:
    """Say that the activation that is pending on a host was made when it was another machine.

    :param differing: the components, each then and now
    """
    return Problem(
        f"The pending activation of license {number} was made on another machine than {host} is now: {differing} "
        "differ.",
        f"license {number}",
        "Undo the change and run this again: it is asked for again under the same id, also where it has been granted. "
        "If the change stays, and no other machine serves the license, have the authority's owner release the license "
        f"if it was granted, then let {host} forget the request ({forget([number], home)}). If the home was copied "
        f"here, put the copy away instead ({put_away(home)}).",
    )


def remove_by_hand(number: str, home: str) -> str:
    """Say how a host forgets a license that was released, where the authority cannot be asked whether it was."""
    return f" and remove its nodelock (rm {shlex.quote(home)}/Nodelocks/{digits(number)}.*)"


def _elsewhere(quote: Quote, installed: Installed | None, *, state: State, home: str) -> Problem:
    """Why a license that is live by the authority's account is not so for this machine."""
    number = quote.number
    if installed is not None and installed.nodelock is not None and quote.holder == installed.nodelock.host_key:
        # The other machine is this one, as it was when the license was activated, or the one that it is a copy of.
        changed = _another_machine(installed, state, home=home)
        if changed:
            return changed[0]
    return Problem(
        f"License {number} is live on another machine.",
        f"license {number}",
        "Deactivate it there first. If that machine is lost, only the authority's owner can release it.",
    )
