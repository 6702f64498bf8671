"""Who may hold what while buckets move: more hosts than the layout says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fpmatch.cluster.layout import Layout, joined


class Holding:
    """The layout as far as it is true already or still; one bucket is copied at a time.

    Parameters
    ----------
    layout : Layout
        What hosts hold at first.
    """

    def __init__(self, layout: Layout) -> None:
        self._lock = threading.Lock()
        self._layout = layout

    @contextmanager
    def copying(self, number: int, host: str) -> Iterator[None]:
        """While a bucket is copied to a host, which may hold it from then on.

        Parameters
        ----------
        number : int
        host : str
        """
        with self._lock:
            self._layout = joined(self._layout, self._layout, (number, host))
            yield

    @contextmanager
    def still(self) -> Iterator[Layout]:
        """While nothing is on its way: who may hold what."""
        with self._lock:
            yield self._layout

    def also(self, layout: Layout) -> None:
        """From now on hosts may hold what another layout says too."""
        with self._lock:
            self._layout = joined(self._layout, layout)

    def only(self, layout: Layout) -> None:
        """From now on they hold nothing else."""
        with self._lock:
            self._layout = layout
