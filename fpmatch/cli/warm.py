"""``fpmatch warm``: compile before the first search."""

from __future__ import annotations

from fpmatch.cli.output import JsonFile, emit, table


def warm_command(json_file: JsonFile = None) -> None:
    """Compile everything that is compiled at its first use, and say where it is kept.

    Without a cache every process compiles for itself: about 20 s of one core. NUMBA_CACHE_DIR
    names a folder that can be written.
    """
    from fpmatch.warming import warm

    done = warm()
    cache = None if done.cache is None else str(done.cache)
    emit(
        {"seconds": round(done.seconds, 2), "compiled": done.compiled, "cache": cache},
        json_file,
        table(
            ["warm", "value"],
            [
                ("seconds", f"{done.seconds:.1f}"),
                ("compiled", "yes" if done.compiled else "no: NUMBA_DISABLE_JIT is set"),
                ("kept in", cache or "no folder that can be written: set NUMBA_CACHE_DIR"),
            ],
            left=2,
        ),
    )
