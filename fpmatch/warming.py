"""Everything that is compiled at its first use, compiled before it is needed."""

from __future__ import annotations

import importlib
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpmatch.compiling import COMPILES, READY, WAITS, is_ready, kernels, watched
from fpmatch.descriptor import SearchTemplate, encode, pack
from fpmatch.descriptor.sketch import sketch
from fpmatch.durable import storage_errors
from fpmatch.errors import InputError
from fpmatch.image import FingerImage
from fpmatch.index import EFFORTS, PartitionIndex, row_layout
from fpmatch.jit import jit_enabled
from fpmatch.kernel_cache import cache_folder
from fpmatch.matcher import compare
from fpmatch.minutiae import EXTRACTORS
from fpmatch.parameters import INDEX
from fpmatch.template import Template, extract

_SIDE = 360
_PERIOD = 9.0
_MINUTIAE = 48
_SEED = 20260401
_ROWS = INDEX.scan_below + 1024
"""Above the size from which lists are looked into."""
_NEVER = frozenset({"matcher: feature_rows"})
"""Kernels that training and benchmarks use, and no search."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Warmed:
    """What `warm` did.

    Parameters
    ----------
    seconds : float
        By the clock: some ten where nothing was compiled before, a few where all was.
    compiled : bool
        False where ``NUMBA_DISABLE_JIT`` keeps kernels from being compiled at all.
    kernels : int
        Kernels that are now ready in this process.
    made : int
        Those of them that were compiled now; the others were found on disk or ready before.
    cache : Path or None
        Folder that keeps what was compiled for the next process; None where none can be written,
        so that every process compiles for itself.
    """

    seconds: float
    compiled: bool
    kernels: int
    made: int
    cache: Path | None


def warm(progress: Progress | None = None) -> Warmed:
    """Compile all that extraction, comparison and search need, and load the network.

    For the start of a service and the making of a container: the first search is then as fast as
    the next. Works on a drawn pattern in a temporary folder, which needs about 150 MB for a few
    seconds; nothing else is written but the cache of compiled kernels. Of several processes that
    start at once one compiles each kernel, and the others wait for it and load it.

    Parameters
    ----------
    progress : callable, optional
        Called as ``progress(what, done, total)``: the kernel that is compiled or was made ready,
        and of how many kernels so many are ready. What it raises ends the call.

    Returns
    -------
    Warmed

    Raises
    ------
    InputError
        If the progress can't be called.
    StorageError
        If no temporary folder can be written.

    Notes
    -----
    Cost: 10 to 15 s of one core where nothing is in the cache, 2 to 4 s where all is.
    """
    if progress is not None and not callable(progress):
        raise InputError(f"progress has to be callable, not {type(progress).__name__}")
    began = time.perf_counter()
    made: set[str] = set()
    with _counted(progress, made):
        _everything()
    ready = len(_needed()) if jit_enabled() else 0
    return Warmed(time.perf_counter() - began, jit_enabled(), ready, len(made), cache_folder())


def _needed() -> list[str]:
    """The kernels that `warm` makes ready; those of made-up prints are no part of a search."""
    importlib.import_module("fpmatch.minutiae.classical")  # else loaded when first asked for
    return [k for k in kernels if k not in _NEVER and not k.startswith("synthetic:")]


@contextmanager
def _counted(progress: Progress | None, made: set[str]) -> Iterator[None]:
    """Note which kernels are compiled, and tell of each that is begun or ready."""
    needed = _needed()
    # What this process compiled before is called without a word.
    ready = {kernel for kernel in needed if is_ready(kernel)}

    def heard(state: str, kernel: str) -> None:
        if kernel not in needed:
            return
        if state == COMPILES:
            made.add(kernel)
        if state == READY:
            ready.add(kernel)
        if progress is not None:
            what = kernel if state != WAITS else f"{kernel} ({state})"
            progress(what, len(ready), len(needed))

    with watched(heard):
        yield
    if progress is not None and needed:
        progress("kernels", len(ready), len(needed))


def _everything() -> None:
    templates = [_template(extractor, turn) for extractor in EXTRACTORS for turn in (0, 1)]
    compare(templates[0], templates[1])
    forms = [encode(template) for template in templates]
    with storage_errors("the temporary folder"), tempfile.TemporaryDirectory() as folder:
        _search(Path(folder), forms)


def _search(folder: Path, forms: list[SearchTemplate]) -> None:
    """Every way through the index: few rows and many, one probe, several, and one person's."""
    for rows, efforts in ((len(forms), EFFORTS), (_ROWS, ("balanced", "scan"))):
        with PartitionIndex.create(folder / str(rows), expected_fingers=rows) as index:
            several = pack(forms * (rows // len(forms)))
            count = len(several)
            index.add(np.arange(count), several, _positions(count))
            index.row_ids()
            index.add(np.arange(count, count + len(forms)), pack(forms), _positions(len(forms)))
            index.flush()
            index.settle()
            index.tombstone(np.arange(count - 1, count + len(forms)))
            index.purge()
            allowed = np.arange(count) % 64 > 0
            for effort in efforts:
                short = index.shortlist(forms[0], allowed=allowed, effort=effort)
                index.shortlist(forms[0], position=1, effort=effort)
                index.shortlist_many(forms[:2], effort=effort)
                groups = np.arange(count, dtype=np.int64)
                index.shortlist_subject(forms[:2], groups, allowed=allowed, effort=effort)
            index.verify(forms[0], short.row_ids[: len(forms)])
    few = pack(forms)
    # As large segments hold them.
    starts, packed = row_layout.pack(few, sketch(few))
    row_layout.code(packed, starts, few.offsets, np.arange(len(few)))


def _positions(count: int) -> NDArray[np.uint8]:
    return (np.arange(count) % 2).astype(np.uint8)


def _template(extractor: str, turn: int) -> Template:
    return extract(FingerImage(_pattern(turn)), extractor=extractor)


def _pattern(turn: int) -> NDArray[np.uint8]:
    """(360, 360) ridges around a centre, with minutiae: each adds one turn to the phase."""
    rng = np.random.default_rng(_SEED)
    y, x = np.mgrid[:_SIDE, :_SIDE].astype(np.float64)
    phase = 2 * np.pi / _PERIOD * np.hypot(x - _SIDE / 2 - turn, y + _SIDE / 4)
    for sign, (at_x, at_y) in zip(
        [1, -1] * (_MINUTIAE // 2), rng.uniform(40, _SIDE - 40, (_MINUTIAE, 2)), strict=True
    ):
        phase += sign * np.arctan2(y - at_y, x - at_x)
    inside = np.hypot((x - _SIDE / 2) / 160, (y - _SIDE / 2) / 170) < 1
    return np.where(inside, 140 - 90 * np.cos(phase), 235).astype(np.uint8)
