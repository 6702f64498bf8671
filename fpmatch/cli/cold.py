"""A cold start is never silent: what is compiled is shown on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from fpmatch import compiling
from fpmatch.cli.output import bars

ONCE = "compiling kernels, once for this machine and version"
_BAR = "kernels"


@contextmanager
def shown() -> Iterator[None]:
    """Show each kernel that is compiled: a bar on a terminal, elsewhere one line for them all."""
    with compiling.watched(_cold):
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Show nothing here: what runs within shows it itself."""
    _cold.quiet = True
    try:
        yield
    finally:
        _cold.quiet = False


class Cold:
    """Draws a bar while a kernel is compiled, and takes it away when it is ready."""

    def __init__(self) -> None:
        self._made: set[str] = set()
        self._said = False
        self.quiet = False

    def __call__(self, state: str, kernel: str) -> None:
        """Hear of one kernel.

        Parameters
        ----------
        state : str
            As `fpmatch.compiling` tells it.
        kernel : str
        """
        if self.quiet:
            return
        if state == compiling.READY:
            bars.remove(_BAR)
            return
        self._made.add(kernel)
        if sys.stderr.isatty():
            waits = " (waiting)" if state == compiling.WAITS else ""
            bars.step(_BAR, len(self._made), None, said=f"compiling, once: {kernel}{waits}")
        elif not self._said:
            self._said = True
            print(f"fpmatch: {ONCE} (some ten seconds) ...", file=sys.stderr, flush=True)


_cold = Cold()
