# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Vaults that were re-keyed or have several passwords: licenses are given up only for what the run can open."""

from __future__ import annotations

from pathlib import Path

import pytest
from playbooks.bad_input import SESSION, Rehearsal
from support.lab import Lab

BACKED_UP = "backed up"


@pytest.fixture(scope="module")
def shared(prepared: Lab, tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    """A rehearsed pair for the whole module, with a bundle of the source."""
    made = Rehearsal(prepared, tmp_path_factory.mktemp("vault"))
    made.succeeds("backup")
    made.keep(BACKED_UP)
    return made


@pytest.fixture
def pair(shared: Rehearsal) -> Rehearsal:
    """The rehearsed pair with its bundle."""
    return shared.back_to(BACKED_UP)


def bundles(pair: Rehearsal) -> list[Path]:
    return sorted(path for path in (pair.work / "bundles" / "old").iterdir() if not path.is_symlink())


def host_key(bundle: Path) -> bytes:
    return (bundle / "files/Config/host.key").read_bytes()


def rekey(pair: Rehearsal) -> str:
    """Give the vault another password, as ``ansible-vault rekey`` does; return the one before."""
    place, secret = pair.folder / "group_vars/all/vault.yml", pair.folder / "vault-password"
    before, plain = secret.read_text(encoding="utf-8"), pair.secrets().decrypt(place.read_bytes())
    secret.write_text("another password\n", encoding="utf-8")
    place.write_bytes(pair.secrets().encrypt(plain))
    return before


def test_a_host_is_backed_up_again_and_given_up_on_that_bundle_once_the_vault_was_re_keyed(pair: Rehearsal) -> None:
    place, secret = pair.folder / "group_vars/all/vault.yml", pair.folder / "vault-password"
    kept, (first,) = (place.read_bytes(), secret.read_bytes()), bundles(pair)
    rekey(pair)
    try:
        refusal = pair.refused_task("old", "deactivate", licenses=[SESSION], bundle=str(first))
        assert refusal.tells("No vault password of this run opens", str(first / "manifest.key"), "back up again")
        assert pair.succeeds("backup").changed == 1
        first, second = bundles(pair)
        key = pair.home("old") / "Config" / "host.key"
        assert pair.secrets().decrypt(host_key(second)) == key.read_bytes()
        assert (pair.work / "bundles/old/latest").resolve() == second
        pair.succeeds(pair.task("old", "deactivate", licenses=[SESSION], bundle=str(second)))
    finally:
        place.write_bytes(kept[0])
        secret.write_bytes(kept[1])


def test_the_vault_id_that_is_chosen_to_encrypt_does_so_also_where_ids_have_to_match(pair: Rehearsal) -> None:
    (pair.folder / "ops-password").write_text("of operations\n", encoding="utf-8")
    several = ("--vault-id", f"default@{pair.folder}/vault-password", "--vault-id", f"ops@{pair.folder}/ops-password")
    play = pair.task("old", "backup", dest=str(pair.folder / "elsewhere"))
    config = {"ANSIBLE_VAULT_ENCRYPT_IDENTITY": "ops", "ANSIBLE_VAULT_ID_MATCH": "1"}
    run = pair.play(play, *several, **config)
    assert run.code == 0, run.output
    made = (pair.folder / "elsewhere/old/latest").resolve()
    assert host_key(made).startswith(b"$ANSIBLE_VAULT;1.2;AES256;ops\n")
    run = pair.play(play, *several)
    assert run.code != 0 and "none of them is chosen to encrypt" in run.output
    run = pair.play("migrate", *several)
    assert run.code != 0 and "none of them is chosen to encrypt" in run.output
