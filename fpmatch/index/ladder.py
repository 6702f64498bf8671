"""Which way a search goes: list everything, scan every row, or look into the lists."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol, TypeVar

Found = TypeVar("Found", covariant=True)


class Stage(enum.Enum):
    """Where a search begins."""

    EVERYTHING = "everything"
    """Every visible row is listed, and nothing is ranked."""
    SCAN = "scan"
    """Every visible row's votes are counted."""
    LISTS = "lists"
    """The rows of most votes from the lists are counted."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Numbers of visible rows up to which everything is listed, and up to which all is scanned."""

    everything: int
    scan: int


class Stages(Protocol[Found]):
    """The stages of one kind of search: of one finger, a batch of them, or a person's fingers."""

    @property
    def visible(self) -> int:
        """Rows that the search may see; the most of a position, where it has several."""
        ...

    @property
    def bounds(self) -> Bounds:
        """Where its stages end."""
        ...

    def everything(self) -> Found:
        """List every visible row."""
        ...

    def scan(self) -> Found:
        """Count the votes of every visible row."""
        ...

    def lists(self) -> Found:
        """Count the votes of the rows that the lists give most votes."""
        ...


def stage_for(effort: str, visible: int, bounds: Bounds) -> Stage:
    """The stage that a search begins with; follows the visible rows and nothing else.

    Parameters
    ----------
    effort : str
        ``fast``, ``balanced``, ``scan`` or ``exhaustive``.
    visible : int
        Rows that the search may see.
    bounds : Bounds
    """
    if effort == "exhaustive" or visible <= bounds.everything:
        return Stage.EVERYTHING
    if effort == "scan" or visible <= bounds.scan:
        return Stage.SCAN
    return Stage.LISTS


def climb(effort: str, stages: Stages[Found]) -> Found:
    """Do a search by the stage that its effort and its visible rows ask for."""
    stage = stage_for(effort, stages.visible, stages.bounds)
    if stage is Stage.EVERYTHING:
        return stages.everything()
    return stages.scan() if stage is Stage.SCAN else stages.lists()
