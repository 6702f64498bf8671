"""How much of a partition answered a search."""

from __future__ import annotations

from dataclasses import dataclass

NAMES = ("shards", "of_shards", "rows", "of_rows")


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a partition answered, where its rows are at hosts of a cluster.

    Parameters
    ----------
    shards, of_shards : int
        Pieces of the partition that were searched, and that there are.
    rows, of_rows : int
        Fingers that the probes may see in these pieces, and in all, counted for each probe finger.
    """

    shards: int
    of_shards: int
    rows: int
    of_rows: int

    @property
    def whole(self) -> bool:
        """Whether all was searched. Where it was not, no candidate is not the same as no hit."""
        return self.shards == self.of_shards

    @property
    def numbers(self) -> tuple[int, int, int, int]:
        """The four of them, in order."""
        return self.shards, self.of_shards, self.rows, self.of_rows

    def to_dict(self) -> dict[str, int]:
        """The same by name."""
        return dict(zip(NAMES, self.numbers, strict=True))

    @property
    def text(self) -> str:
        """In words."""
        return (
            f"{self.shards} of {self.of_shards} shards, {self.rows} of {self.of_rows} fingers "
            "that may be seen"
        )
