# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which password encrypts what licenses are given up for: the one that ``ansible-vault encrypt`` takes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible import constants
from ansible.parsing import vault as ansible_vault
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle import vault as _vault
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.vault import RunVault, open_secret

DEV, OPS = ("dev", "of the developers"), ("ops", "of operations")
DEFAULT, OTHER = ("default", "by default"), ("default", "by default, too")


def vault(*passwords: tuple[str, str], identity: str | None = None) -> RunVault:
    return RunVault([(name, VaultSecret(text.encode())) for name, text in passwords], identity)


def by_ansible(folder: Path, passwords: Sequence[tuple[str, str]], identity: str | None) -> str | None:
    """Encrypt with ansible-vault; return the first line, or None where it refuses."""
    options = []
    for at, (name, text) in enumerate(passwords):
        (folder / f"password{at}").write_text(text, encoding="utf-8")
        options += ["--vault-id", f"{name}@{folder}/password{at}"]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    (folder / "ansible.cfg").write_text("[defaults]\n", encoding="utf-8")
    named = {"ANSIBLE_VAULT_ENCRYPT_IDENTITY": identity} if identity else {}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-vault")), "encrypt", "--output", "-", *options],
        input="a key",
        capture_output=True,
        text=True,
        check=False,
        env={
            **kept,
            **named,
            "ANSIBLE_HOME": str(folder),
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "LC_ALL": "C.UTF-8",
        },
        timeout=60,
    )
    assert done.returncode == 0 or "vault-id" in done.stderr, done.stderr
    return done.stdout if done.returncode == 0 else None


@pytest.mark.parametrize(
    ("passwords", "identity"),
    [
        ([DEFAULT], None),
        ([OPS], None),
        ([DEV, OPS], "ops"),
        ([DEV, OPS], None),
        ([DEV, OPS], "nobody"),
        ([DEFAULT, OTHER], None),
        ([DEFAULT, OTHER], "default"),
    ],
)
def test_the_password_that_ansible_vault_takes_encrypts_or_none_does(
    tmp_path: Path, passwords: list[tuple[str, str]], identity: str | None
) -> None:
    theirs, ours = by_ansible(tmp_path, passwords, identity), vault(*passwords, identity=identity)
    if theirs is None:
        assert ours.problem() is not None
        with pytest.raises(LicensingError):
            ours.encrypt(b"a key")
        return
    assert ours.problem() is None
    made = ours.encrypt(b"a key")
    assert made.splitlines()[0] == theirs.encode().splitlines()[0]
    opening = [one for one in passwords if _opens(made, one)]
    assert opening == [one for one in passwords if _opens(theirs.encode(), one)] and len(opening) == 1


def _opens(text: bytes, password: tuple[str, str]) -> bool:
    try:
        return VaultLib([(password[0], VaultSecret(password[1].encode()))]).decrypt(text) == b"a key"
    except Exception:
        return False


def test_what_is_encrypted_opens_where_vault_ids_have_to_match(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DEFAULT_VAULT_ID_MATCH", True)
    ours = vault(DEV, OPS, identity="ops")
    assert ours.decrypt(ours.encrypt(b"a key")) == b"a key"
    with pytest.raises(LicensingError, match="No vault password of this run opens") as told:
        open_secret(vault(DEV), ours.encrypt(b"a key"), "here")
    assert told.value.problems[0].where == "here"


@pytest.mark.parametrize(
    ("ours", "what", "todo"),
    [
        (vault(), "No vault password is given", "--vault-password-file"),
        (vault(DEV, OPS), "2 vault passwords are given (dev, ops)", "vault_encrypt_identity"),
        (vault(DEV, identity="ops"), "to encrypt with is ops, and only dev is given", "--vault-id ops@FILE"),
    ],
)
def test_a_run_that_cannot_encrypt_says_why_before_anything_is_given_up(ours: RunVault, what: str, todo: str) -> None:
    with pytest.raises(LicensingError, match=re.escape(what)) as told:
        ours.require()
    assert todo in told.value.problems[0].todo


def test_a_password_that_is_named_twice_is_one_password() -> None:
    assert vault(DEFAULT, DEFAULT).problem() is None


@pytest.mark.parametrize("text", [b"", b"no text", b"$ANSIBLE_VAULT", b"$ANSIBLE_VAULT;1.1;AES256\nzz\n", b"\xff"])
def test_a_secret_that_is_damaged_is_told_in_words(text: bytes) -> None:
    with pytest.raises(LicensingError, match="opens this file of the bundle"):
        open_secret(vault(DEFAULT), text, "here")


def test_the_passwords_of_a_run_come_from_where_ansible_shows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    secret, other = ("ops", VaultSecret(b"shown")), ("ops", VaultSecret(b"in the loader"))
    loader = SimpleNamespace(_vault=VaultLib([other]))

    class Context:
        @classmethod
        def current(cls, optional: bool) -> object:
            return SimpleNamespace(secrets=[secret])

    monkeypatch.setattr(ansible_vault, "VaultSecretsContext", Context, raising=False)
    assert RunVault.of_run(loader).decrypt(vault(("ops", "shown")).encrypt(b"a key")) == b"a key"
    # Before ansible-core 2.19 there is no such place.
    monkeypatch.delattr(ansible_vault, "VaultSecretsContext")
    assert RunVault.of_run(loader).decrypt(vault(("ops", "in the loader")).encrypt(b"a key")) == b"a key"
    assert not RunVault.of_run(SimpleNamespace(_vault=VaultLib()))
    assert _vault.WHERE == "controller"
