"""``fpmatch warm``: compile before the first search."""

from __future__ import annotations

import sys

from fpmatch.cli import cold
from fpmatch.cli.output import JsonFile, bars, emit, progress_bar, table


def warm_command(json_file: JsonFile = None) -> None:
    """Compile everything that is compiled at its first use, and say where it is kept.

    Without a cache every process compiles for itself: 10 to 15 s of one core. NUMBA_CACHE_DIR
    names a folder that can be written.
    """
    from fpmatch.warming import warm

    with cold.quiet(), progress_bar() as step:
        named = _Lines() if step is None else _named
        done = warm(named)
    cache = None if done.cache is None else str(done.cache)
    found = done.kernels - done.made
    emit(
        {
            "seconds": round(done.seconds, 2),
            "compiled": done.compiled,
            "kernels": done.kernels,
            "made": done.made,
            "cache": cache,
        },
        json_file,
        table(
            ["warm", "value"],
            [
                ("seconds", f"{done.seconds:.1f}"),
                (
                    "kernels",
                    f"{done.kernels} ready: {done.made} compiled, {found} found"
                    if done.compiled
                    else "none: NUMBA_DISABLE_JIT is set",
                ),
                ("kept in", cache or "no folder that can be written: set NUMBA_CACHE_DIR"),
            ],
            left=2,
        ),
    )


def _named(what: str, done: int, total: int) -> None:
    """One bar for all kernels, with the name of the one at hand."""
    bars.step("kernels", done, total, said=f"compiling {what}")


class _Lines:
    """A line for each kernel that is compiled, where no terminal looks on."""

    def __init__(self) -> None:
        self._ready = 0

    def __call__(self, what: str, done: int, total: int) -> None:
        """Hear of one kernel; where the count stands still, one is begun.

        Parameters
        ----------
        what : str
        done, total : int
        """
        if done == self._ready and done < total:
            line = f"fpmatch: compiling {what} ({done + 1} of {total})"
            print(line, file=sys.stderr, flush=True)
        self._ready = done
