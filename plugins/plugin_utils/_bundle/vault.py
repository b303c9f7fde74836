# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vault passwords of a run: which of them encrypts, by the rule of ``ansible-vault encrypt``; what they open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ansible import constants
from ansible.parsing import vault as ansible_vault
from ansible.parsing.vault import VaultLib
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, Problem, refuse

WHERE = "controller"


class Vault(Protocol):
    """What encrypts and decrypts with the passwords of the run."""

    def encrypt(self, plaintext: bytes) -> bytes: ...

    def decrypt(self, vaulttext: bytes) -> bytes: ...


class RunVault:
    """Encrypts with the very password that ``ansible-vault encrypt`` chooses in the same settings; opens with all.

    :param secrets: ``(vault id, secret)``, in the order of precedence
    :param identity: the vault id to encrypt with (``vault_encrypt_identity``), or None
    """

    def __init__(self, secrets: Sequence[tuple[str, Any]], identity: str | None) -> None:
        self._secrets = list(secrets)
        self._identity = identity or None
        self._library = VaultLib(self._secrets)

    @classmethod
    def of_run(cls, loader: Any) -> RunVault:
        """Return the vault of this run.

        :param loader: the action plugin's loader of files
        """
        return cls(_secrets_of_run(loader), constants.DEFAULT_VAULT_ENCRYPT_IDENTITY)

    def __bool__(self) -> bool:
        """Whether the run has any vault password."""
        return bool(self._secrets)

    def problem(self) -> Problem | None:
        """Return why nothing can be encrypted, or None."""
        names = ", ".join(dict.fromkeys(str(name) for name, _secret in self._secrets))
        if not self._secrets:
            todo = "Run with --vault-password-file or --vault-id (or set vault_password_file in ansible.cfg)."
            return Problem("No vault password is given, and a bundle holds private keys.", WHERE, todo)
        if self._identity is None and len(self._distinct()) > 1:
            what = (
                f"{len(self._distinct())} vault passwords are given ({names}), and none of them is chosen to encrypt."
            )
            todo = (
                "Set vault_encrypt_identity in ansible.cfg (ANSIBLE_VAULT_ENCRYPT_IDENTITY) to one of these vault ids."
            )
            return Problem(what, WHERE, todo)
        if self._identity is not None and self._identity not in [name for name, _secret in self._secrets]:
            what = f"The vault id to encrypt with is {self._identity}, and only {names} is given."
            todo = f"Run with --vault-id {self._identity}@FILE, or correct vault_encrypt_identity in ansible.cfg."
            return Problem(what, WHERE, todo)
        return None

    def require(self) -> None:
        """Refuse where nothing can be encrypted."""
        problem = self.problem()
        if problem is not None:
            raise LicensingError([problem])

    def encrypt(self, plaintext: bytes) -> bytes:
        """Return a text encrypted and labelled as ``ansible-vault encrypt`` does it."""
        self.require()
        name, secret = ansible_vault.match_encrypt_secret(self._secrets, self._identity)
        # With vault_id_match, Ansible opens only what has the label of its password.
        encrypted: bytes = self._library.encrypt(plaintext, secret, vault_id=name)
        return encrypted

    def decrypt(self, vaulttext: bytes) -> bytes:
        """Return a text in plain, or raise what Ansible raises."""
        plain: bytes = self._library.decrypt(vaulttext)
        return plain

    def _distinct(self) -> set[tuple[str, bytes]]:
        # A password file that both ansible.cfg and the command line name is there twice.
        return {(str(name), bytes(secret.bytes)) for name, secret in self._secrets}


def open_secret(vault: Vault, vaulttext: bytes, place: str) -> bytes:
    """Return a secret of a bundle in plain, or refuse in words.

    :param place: where it lies, for the message
    """
    try:
        return vault.decrypt(vaulttext)
    # Ansible raises several types over its versions; a text that is damaged on purpose causes further ones.
    except Exception as error:
        raise refuse(
            "No vault password of this run opens this file of the bundle.",
            place,
            "Run with the vault password that the bundle was made with (--vault-id). If the vault was re-keyed, back "
            "up again while the host has its licenses.",
        ) from error


def _secrets_of_run(loader: Any) -> Sequence[tuple[str, Any]]:
    context = getattr(ansible_vault, "VaultSecretsContext", None)
    current = context.current(optional=True) if context is not None else None
    if current is not None:
        return list(current.secrets)
    # ansible-core before 2.19 shows the passwords nowhere else, and neither do runs that no command of Ansible started.
    return list(loader._vault.secrets or [])
