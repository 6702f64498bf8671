"""Images of whole folders to templates, in several processes, failures kept."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fpmatch.errors import ExtractionError, ImageError
from fpmatch.evaluate.folders import Database, Identities

if TYPE_CHECKING:
    from fpmatch.template import Template

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

_MIN_PARALLEL = 24
"""Images below which starting processes costs more than it saves (each compiles or loads)."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One impression of the evaluation.

    Parameters
    ----------
    database : int
        Position of its folder.
    finger, impression : str, int
    identity : int
        Number of the identity, shared by the fingers that the identities file joins.
    path : Path
    ppi : float or None
    template : Template or None
        None if extraction failed, or another matcher has made what only it can read.
    error : str
        Why it failed.
    milliseconds : float
        CPU time of the extraction proper, reading the file left out.
    foreign : bool
        Whether another matcher has prepared it.
    """

    database: int
    finger: str
    impression: int
    identity: int
    path: Path
    ppi: float | None
    template: Template | None
    error: str
    milliseconds: float
    foreign: bool = False

    @property
    def failed(self) -> bool:
        """Whether it failed to extract."""
        return self.template is None and not self.foreign


def extract_databases(
    databases: Sequence[Database],
    identities: Identities,
    *,
    extractor: str | None = None,
    processes: int = 1,
    progress: Progress | None = None,
) -> list[Sample]:
    """Extract every impression, in the order of the folders, fingers and impressions.

    Parameters
    ----------
    databases : sequence of Database
    identities : Identities
    extractor : str, optional
        A name in `fpmatch.minutiae.EXTRACTORS`.
    processes : int
        Processes to share the work (started by spawn); 1 works in this one.
    progress : callable, optional

    Raises
    ------
    ResolutionError
        If a file records no usable resolution and none was given: that is the caller's to
        mend, no failure to extract.
    """
    jobs = [(str(f.path), d.ppi, extractor) for d in databases for f in d.impressions]
    results = ((_parse(data), error, ms, False) for data, error, ms in _run(jobs, processes))
    return samples_of(databases, identities, results, progress)


def samples_of(
    databases: Sequence[Database],
    identities: Identities,
    results: Iterable[tuple[Template | None, str, float, bool]],
    progress: Progress | None = None,
) -> list[Sample]:
    """Impressions with what came of extracting them, in the same order.

    Parameters
    ----------
    databases : sequence of Database
    identities : Identities
    results : iterable of tuple
        Template, error, milliseconds, and whether another matcher has prepared it.
    progress : callable, optional
        Called as ``progress("extracting", done, total)``.
    """
    items = [(i, f) for i, d in enumerate(databases) for f in d.impressions]
    numbers: dict[str, int] = {}
    out: list[Sample] = []
    for (i, file), (template, error, ms, foreign) in zip(items, results, strict=True):
        label = identities.of(databases[i].name, file.finger)
        out.append(
            Sample(
                database=i,
                finger=file.finger,
                impression=file.impression,
                identity=numbers.setdefault(label, len(numbers)),
                path=file.path,
                ppi=databases[i].ppi,
                template=template,
                error=error,
                milliseconds=ms,
                foreign=foreign,
            )
        )
        if progress is not None:
            progress("extracting", len(out), len(items))
    return out


_Job = tuple[str, "float | None", "str | None"]
_Result = tuple["bytes | None", str, float]


def _run(jobs: Sequence[_Job], processes: int) -> Iterator[_Result]:
    if processes <= 1 or len(jobs) < _MIN_PARALLEL:
        yield from map(_extract, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_one_thread) as pool:
        yield from pool.map(_extract, jobs, chunksize=4)


def _one_thread() -> None:
    import cv2

    cv2.setNumThreads(1)


_warm: set[str | None] = set()


def _extract(job: _Job) -> _Result:
    """Extract one file; the stored form crosses the process border, not the arrays."""
    from fpmatch.image import read_image
    from fpmatch.template import extract

    path, ppi, extractor = job
    try:
        image = read_image(path, ppi=ppi)
        if extractor not in _warm:
            _warm.add(extractor)
            extract(image, extractor=extractor)
        start = time.thread_time()
        template = extract(image, extractor=extractor)
        return template.to_bytes(), "", (time.thread_time() - start) * 1e3
    except (ImageError, ExtractionError) as error:
        return None, f"{type(error).__name__}: {error}", float("nan")


def _parse(data: bytes | None) -> Template | None:
    from fpmatch.template import Template

    return None if data is None else Template.from_bytes(data)
