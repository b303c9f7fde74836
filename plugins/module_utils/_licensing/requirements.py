# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks for the required libraries: cryptography, and for the services tornado."""

from __future__ import annotations

import functools
import sys
from typing import Callable

from .errors import LicensingError, Problem, problems_of, refuse


def require_cryptography() -> None:
    """Refuse if the library ``cryptography`` is missing or unusable. The message has the packages to install.

    Call this before importing it. It is imported only where documents are signed or checked, or secrets are sealed.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: F401 - the import is the test
    except ImportError:
        raise refuse(
            "The Python library 'cryptography' is missing.",
            f"python {sys.executable}",
            "Install the distribution's package: 'apt install python3-cryptography' (Debian, Ubuntu), "
            "'dnf install python3-cryptography' (RHEL, Rocky, Alma), or for another interpreter "
            "'pip install cryptography'.",
        ) from None
    except Exception as error:
        raise _broken("cryptography", error) from None
    _try(_sign, "Ed25519")


def require_sealing() -> None:
    """Refuse if ``cryptography`` is missing or cannot seal secrets here."""
    require_cryptography()
    _try(_seal, "X25519 with ChaCha20-Poly1305")


@functools.cache
def _sign() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    Ed25519PrivateKey.from_private_bytes(bytes(32)).sign(b"")


@functools.cache
def _seal() -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    X25519PrivateKey.generate()
    ChaCha20Poly1305(bytes(32)).encrypt(bytes(12), b"", None)


def _try(use: Callable[[], None], named: str) -> None:
    try:
        use()
    # The exception depends on the library's version and on OpenSSL.
    except Exception as error:
        raise refuse(
            f"This machine's cryptography does not support {named}: {str(error) or type(error).__name__}.",
            f"python {sys.executable}",
            "In FIPS mode (/proc/sys/crypto/fips_enabled is 1), OpenSSL may lack this. Use a host without FIPS mode, "
            "or a release whose OpenSSL supports it.",
        ) from None


def require_tornado() -> None:
    """Refuse if the library ``tornado``, which the services need, is missing or unusable."""
    try:
        import tornado.web  # noqa: F401 - the import is the test
    except ImportError:
        raise refuse(
            "The Python library 'tornado' is missing.",
            f"python {sys.executable}",
            "Install the distribution's package: 'apt install python3-tornado' (Debian, Ubuntu), "
            "'dnf install python3-tornado' (RHEL, Rocky, Alma), or for another interpreter 'pip install tornado'.",
        ) from None
    except Exception as error:
        raise _broken("tornado", error) from None


def _broken(library: str, error: Exception) -> LicensingError:
    # Possible causes are a wrong version of a dependency or a damaged file.
    return refuse(
        f"The Python library '{library}' does not load: {str(error) or type(error).__name__}.",
        f"python {sys.executable}",
        "Install the distribution's package again.",
    )


def missing(*required: Callable[[], None]) -> list[Problem]:
    """Run all of these checks and return all their problems."""
    return problems_of(required)
