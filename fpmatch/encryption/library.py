"""The ciphers, from the optional library that has them."""

from __future__ import annotations

from typing import Any

from fpmatch.errors import MissingExtra


def aead() -> Any:
    """The module `cryptography.hazmat.primitives.ciphers.aead`.

    Raises
    ------
    MissingExtra
        If it is not installed.
    """
    try:
        from cryptography.hazmat.primitives.ciphers import aead as found
    except ImportError as error:
        raise MissingExtra(
            "an encrypted gallery needs the library cryptography: pip install 'fpmatch[encryption]'"
        ) from error
    return found
