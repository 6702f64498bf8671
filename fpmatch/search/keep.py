"""Probes that outlive their search: deferred until an event, or retained for later arrivals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpmatch.search.release import Released
from fpmatch.search.state import State

if TYPE_CHECKING:
    from fpmatch.search.run import Running


def store(state: State, running: Running, released: Released) -> None:
    """Keep what has to be kept, before the outcome is logged."""
