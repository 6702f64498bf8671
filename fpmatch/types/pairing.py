"""Which minutiae of two impressions a score rests on, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fpmatch.finger import FingerPosition, Impression, MinutiaType


@dataclass(frozen=True, slots=True)
class Minutia:
    """One minutia of an impression.

    Parameters
    ----------
    index : int
        Its place in the impression's template, from 0.
    x, y : float
        Pixels at 500 ppi from the left and from the top, multiples of 1/8.
    angle : float
        Degrees in [0, 360), 0 to the right, clockwise on the screen, to 0.01.
    kind : MinutiaType
    """

    index: int
    x: float
    y: float
    angle: float
    kind: MinutiaType

    def to_list(self) -> list[float | int]:
        """``[index, x, y, angle, kind]``."""
        return [self.index, self.x, self.y, self.angle, int(self.kind)]


@dataclass(frozen=True, slots=True)
class Pairing:
    """The comparison that a finger's score rests on: two impressions, and their paired minutiae.

    Parameters
    ----------
    finger : int
        The probe's impression: its place in the request's ``fingers``, from 0.
    impression : int
        The record's impression: its place among those that the record holds, from 0, ordered by
        position and then as they were enrolled, as in `RecordInfo.positions`.
    position : FingerPosition
        As the record's impression is labelled.
    kind : Impression
        How the record's impression was taken.
    probe_size, record_size : tuple of int
        Width and height of the two impressions, pixels at 500 ppi.
    pairs : tuple of (Minutia, Minutia)
        Of the probe and of the record, by index in the probe.
    """

    finger: int
    impression: int
    position: FingerPosition
    kind: Impression
    probe_size: tuple[int, int]
    record_size: tuple[int, int]
    pairs: tuple[tuple[Minutia, Minutia], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return {
            "finger": self.finger,
            "impression": self.impression,
            "position": int(self.position),
            "kind": int(self.kind),
            "probe_size": list(self.probe_size),
            "record_size": list(self.record_size),
            "pairs": [[one.to_list(), other.to_list()] for one, other in self.pairs],
        }
