"""Values under a key, each bound to its place: AES-256-SIV (RFC 5297; Rogaway and Shrimpton, 2006).

It takes no nonce, so none can come twice: equal contents of one place under one key have equal
ciphertexts, anything else differs. What was sealed for another place does not open.
"""

from __future__ import annotations

import os
from typing import Any

from fpmatch.encryption.library import aead
from fpmatch.errors import CorruptError

KEY_BYTES = 64
_FIRST = b"\x01"
"""Before each content: none is empty, which some releases of the library refuse."""


class PlainBox:
    """Values as they are: of a gallery that is not encrypted."""

    __slots__ = ()

    def put(self, content: bytes, *place: object) -> Any:
        """What is stored for bytes."""
        return content

    def get(self, stored: Any, *place: object) -> bytes:
        """Bytes that were stored; `CorruptError` where something else is."""
        if not isinstance(stored, bytes):
            raise CorruptError(f"a value ({place[0] if place else 'unnamed'}) is stored damaged")
        return stored

    def put_text(self, text: str, *place: object) -> Any:
        """What is stored for text."""
        return text

    def get_text(self, stored: Any, *place: object) -> str:
        """Text that was stored; `CorruptError` where something else is."""
        if not isinstance(stored, str):
            raise CorruptError(f"a value ({place[0] if place else 'unnamed'}) is stored damaged")
        return stored


PLAIN_BOX = PlainBox()


class Box(PlainBox):
    """Values encrypted under one key.

    Parameters
    ----------
    key : bytes
        64 of them.
    about : str
        What all of its values belong to.
    """

    __slots__ = ("_about", "_cipher")

    def __init__(self, key: bytes, about: str) -> None:
        self._cipher = aead().AESSIV(key)
        self._about = about.encode()

    def put(self, content: bytes, *place: object) -> bytes:
        """Encrypt bytes for a place."""
        return self._cipher.encrypt(_FIRST + content, self._bound(place))

    def get(self, stored: Any, *place: object) -> bytes:
        """Decrypt what was encrypted for this place.

        Raises
        ------
        CorruptError
            If it was not, or has changed.
        """
        if isinstance(stored, bytes):
            try:
                return self._cipher.decrypt(stored, self._bound(place))[1:]
            except Exception:
                # Whatever the library says: it may not lead the way for who tries.
                pass
        raise CorruptError(
            f"an encrypted value ({place[0] if place else 'unnamed'}) cannot be opened: it is "
            "damaged, or not where it belongs"
        )

    def put_text(self, text: str, *place: object) -> bytes:
        """Encrypt text for a place."""
        return self.put(text.encode("utf-8", "surrogatepass"), *place)

    def get_text(self, stored: Any, *place: object) -> str:
        """Decrypt text; errors as for `get`."""
        return self.get(stored, *place).decode("utf-8", "surrogatepass")

    def _bound(self, place: tuple[object, ...]) -> list[bytes]:
        return [self._about, *(str(part).encode("utf-8", "surrogatepass") for part in place)]


def new_key() -> bytes:
    """A key for a `Box`."""
    return os.urandom(KEY_BYTES)
