# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A runbook as text, page and JSON: the same steps, no activation code, nothing of anybody's that a browser runs."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils import _licensing
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import Problem
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Profile
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.evidence import Sight
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.move import (
    Move,
    Platform,
    Server,
    code_variables,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.runbook import Runbook
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.runbook import runbook_page, runbook_text
from ansible_collections.aims.licensing.tests.unit.plugins.plugin_utils.page_lab import DASH, Page
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.moves import followed, move, nodelocks, runbook
from support.worked_example import NUMBERS, SERVER, new_code

CHECKOUT = Path(str(_licensing.__file__)).parents[3]


def rendered(made: Runbook) -> tuple[str, str, str]:
    return runbook_text(made), runbook_page(made), json.dumps(made.as_dict(), ensure_ascii=False)


def test_the_page_with_the_example_is_the_runbook_of_the_worked_example() -> None:
    command = [sys.executable, str(CHECKOUT / "tests" / "docs" / "runbook_example.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("is_offline", [False, True])
@pytest.mark.parametrize("source", list(Platform))
def test_text_and_page_have_every_step_with_its_number_id_values_and_commands(
    source: Platform, is_offline: bool
) -> None:
    made = runbook(move(source, Platform.WINDOWS, is_offline=is_offline))
    text, page, _data = rendered(made)
    words = " ".join(text.split())
    shown = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
    for at, entry in enumerate(made.entries, 1):
        step = entry.step
        assert f"{at}. {step.host}: {step.title}" in words
        assert f"{at}. {step.host}: {step.title}" in shown
        for part in (step.id, *step.commands, *(value.text for value in step.values)):
            assert " ".join(part.split()) in words, part
            assert " ".join(part.split()) in shown, part


def test_the_page_loads_and_runs_nothing_and_has_a_box_for_each_step() -> None:
    made = runbook(move(), is_backed_up=False)
    page = Page(runbook_page(made))
    boxes = [attributes for tag, attributes in page.tags if tag == "input"]
    assert len(boxes) == len(made.entries)
    assert all(box["type"] == "checkbox" and "checked" not in box for box in boxes)
    assert not {tag for tag, _attributes in page.tags} & {"script", "link", "img", "iframe", "form", "a"}
    policies = [attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_what_is_done_is_ticked_and_says_who_confirmed_it() -> None:
    record = followed(move(), f"old/deactivate/{SERVER}")
    made = runbook(move(), record=record)
    text, page, _data = rendered(made)
    ticked = [attributes for tag, attributes in Page(page).tags if tag == "input" and "checked" in attributes]
    assert len(ticked) == text.count("[x]") == 8
    assert "done: confirmed by admin at 2026-11-27 01:00 UTC" in text
    assert "It began at 2026-11-27 01:00 UTC." in " ".join(text.split())


def test_the_days_of_transfers_are_listed() -> None:
    made = move()
    days = ("2026-03-01", "2026-04-01")
    made = replace(made, licenses=(replace(made.licenses[0], transfers_spent=days), *made.licenses[1:]))
    text, page, _data = rendered(runbook(made))
    assert [line.split() for line in text.splitlines() if line.startswith(SERVER)] == [
        [SERVER, "2026-03-01,", "2026-04-01", "1", "2027-03-01"]
    ]
    assert Page(page).tables["Transfers"][0]["Spent"] == "2026-03-01, 2026-04-01"
    assert Page(page).tables["Transfers"][1]["Spent"] == DASH
    note = f"License {SERVER} cannot be moved back before 2027-03-01"
    assert f"Note: {note}" in " ".join(text.split()) and f'<p class="banner warn">{note}' in page


def test_a_void_confirmation_stands_above_all_steps() -> None:
    still = Sight(nodelocks(), nodelocks())
    record = followed(move(), f"old/deactivate/{SERVER}", old=still)
    text, page, _data = rendered(runbook(move(), f"old/deactivate/{SERVER}", record=record, old=still))
    assert text.index("! The confirmation of old/deactivate") < text.index("== Prepare ==")
    assert "banner bad" in page


def test_nothing_of_an_inventory_becomes_markup() -> None:
    bad = '<script>alert("x")</script>'
    made = move(users=(f"AIMS\\{bad}",), pro_nodes=(bad,), read_only=(bad,))
    made = replace(
        made, source=replace(made.source, host=bad, address=bad), target=replace(made.target, home=f"/{bad}")
    )
    page = runbook_page(runbook(made))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


codes = st.integers(0, 3).map(lambda _n: new_code())
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=40)


@st.composite
def moves(draw: st.DrawFn) -> tuple[Move, list[str]]:
    """Any move, with activation codes where codes are declared, and where somebody pasted one by mistake."""
    declared = [draw(codes) for _number in NUMBERS]
    pasted = draw(codes)
    canaries = [*declared, pasted]

    def spoiled(text: str) -> str:
        return draw(st.sampled_from([text, f"{text}{pasted}", f"{pasted} {text}"])) or "x"

    raw = [
        {"number": number, "activation_code": draw(st.sampled_from([code, f"{{{{ '{code}' }}}}", "{{ vault_code }}"]))}
        for number, code in zip(NUMBERS, declared)
    ]
    licenses = tuple(
        DeclaredLicense(number, code, f"Profile{at}", draw(st.booleans()))
        for at, (number, code) in enumerate(zip(NUMBERS, declared))
    )
    platform = st.sampled_from([Platform.LINUX, Platform.WINDOWS])
    source = Server(spoiled(draw(texts)), draw(st.sampled_from(list(Platform))), spoiled(draw(texts)), spoiled("/home"))
    target = Server("new", draw(platform), spoiled(draw(texts)), spoiled("/home"))
    made = Move(
        source,
        target,
        licenses,
        code_variables(raw, tuple(NUMBERS)),
        (Profile(spoiled("Spare"), NUMBERS[0]),),
        draw(st.none() | st.just((spoiled("AIMS\\user"),))),
        draw(st.booleans()),
        spoiled("./offline"),
        draw(st.none() | st.just((spoiled("pro"),))),
        draw(st.just(()) | st.just((spoiled("Nodelocks/x.lock"),))),
    )
    return made, canaries


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(moves())
def test_no_activation_code_is_in_any_rendering(generated: tuple[Move, list[str]]) -> None:
    made, canaries = generated
    for text in rendered(runbook(made)):
        for code in canaries:
            assert code not in text
            assert code.lower() not in text.lower()


def test_known_messages_of_logs_are_shown_with_what_to_do() -> None:
    seen = Problem("The log has the message 'x<y'.", "old, Logging/LicenseServer.log", "Do that.")
    made = replace(runbook(move()), symptoms=(seen,))
    assert "! The log has the message 'x<y'. Do that. (old, Logging/LicenseServer.log)" in runbook_text(made)
    assert "x&lt;y" in runbook_page(made) and made.as_dict()["symptoms"] == [seen.as_dict()]
