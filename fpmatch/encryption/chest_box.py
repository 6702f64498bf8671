"""Values under a gallery's own key, whichever generation it is of."""

from __future__ import annotations

from typing import Any

from fpmatch.encryption.box import PlainBox
from fpmatch.encryption.chest import Chest


class ChestBox(PlainBox):
    """Values of one store under the gallery's key.

    Parameters
    ----------
    chest : Chest
    store : str
        Which database or file they belong to.
    """

    __slots__ = ("_chest", "_store")

    def __init__(self, chest: Chest, store: str) -> None:
        self._chest = chest
        self._store = store

    def put(self, content: bytes, *place: object) -> bytes:
        """Encrypt bytes for a place."""
        return self._chest.put(content, self._store, *place)

    def get(self, stored: Any, *place: object) -> bytes:
        """Decrypt what was encrypted for this place; errors as for `Chest.get`."""
        return self._chest.get(stored, self._store, *place)

    def put_text(self, text: str, *place: object) -> bytes:
        """Encrypt text for a place."""
        return self.put(text.encode("utf-8", "surrogatepass"), *place)

    def get_text(self, stored: Any, *place: object) -> str:
        """Decrypt text; errors as for `get`."""
        return self.get(stored, *place).decode("utf-8", "surrogatepass")
