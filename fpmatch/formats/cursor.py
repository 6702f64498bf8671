"""Reading big-endian fields from bytes, with the position in every error."""

from __future__ import annotations

from fpmatch.errors import FormatError


class Cursor:
    """A place in a byte string that only moves forward and never past the end.

    Parameters
    ----------
    data : bytes
    at : int
        Where to start.
    end : int, optional
        Where reading ends; the end of `data` by default.
    """

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.at = at
        self.end = len(data) if end is None else end

    @property
    def left(self) -> int:
        """Bytes not yet read."""
        return self.end - self.at

    def take(self, size: int, what: str) -> bytes:
        """The next ``size`` bytes.

        Raises
        ------
        FormatError
            If fewer are left; ``what`` names the field that is cut.
        """
        if size > self.end - self.at:
            raise FormatError(
                f"the file ends inside {what}: {size} bytes needed, {self.left} left", self.at
            )
        start = self.at
        self.at = start + size
        return self.data[start : self.at]

    def number(self, size: int, what: str) -> int:
        """The next ``size`` bytes as an unsigned big-endian number; see `take` for errors."""
        return int.from_bytes(self.take(size, what), "big")
