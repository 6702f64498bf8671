"""What one process does for a matcher: read an impression, prepare it, compare."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import ExtractionError, ImageError, InputError, WorkerError
from fpmatch.evaluate.matcher import Loaded, checked_score, told

_NUMBERS = (bool, int, float, complex, np.generic)
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Impression:
    """A file, its resolution and what messages call it."""

    path: str
    ppi: float | None
    name: str


@dataclass(frozen=True, slots=True)
class Made:
    """What came of preparing an impression.

    Parameters
    ----------
    error : str
        Why it failed to enrol; empty if it did not.
    milliseconds : float
        CPU time of ``prepare``, reading the file left out.
    size : float
        Bytes of what was prepared; NaN where only the matcher knows.
    plain : tuple
        What was prepared, alone, if it can be handed to other processes; else nothing.
    """

    error: str = ""
    milliseconds: float = float("nan")
    size: float = float("nan")
    plain: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Comparisons of one probe; both name impressions by their position."""

    probe: int
    candidates: NDArray[np.int64]
    near: int = 0
    """Jobs of one number are best done by one process: it has prepared most of what they need."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Scores of a job, and the CPU time of one comparison, microseconds."""

    scores: NDArray[np.float64]
    microseconds: float


class Desk:
    """A matcher with the impressions that it has prepared so far.

    Parameters
    ----------
    loaded : Loaded
        The matcher.
    impressions : sequence of Impression
    extractor : str or None
        Makes the templates of matchers that take those.
    """

    def __init__(
        self, loaded: Loaded, impressions: Sequence[Impression], extractor: str | None
    ) -> None:
        self._loaded = loaded
        self._impressions = impressions
        self._extractor = extractor
        self._prepared: dict[int, Any] = {}
        self._elsewhere = getattr(loaded.matcher, "cpu_seconds", None)

    def _spent(self) -> float:
        """Processor seconds so far: of this process, and of those that work for the matcher."""
        more = float(self._elsewhere()) if callable(self._elsewhere) else 0.0
        return time.process_time() + more

    def prepare(self, number: int) -> Made:
        """Prepare one impression; whatever the matcher raises is a failure to enrol.

        Parameters
        ----------
        number : int
            Its position.

        Raises
        ------
        InputError
            What the caller has to mend: a resolution, the extractor's name.
        WorkerError
            If a process that works for the matcher has ended.
        """
        try:
            given, ppi = self._read(self._impressions[number])
        except (ImageError, ExtractionError) as error:
            return Made(error=f"{type(error).__name__}: {error}")
        try:
            start = self._spent()
            prepared = self._loaded.matcher.prepare(given, ppi)
            milliseconds = (self._spent() - start) * 1e3
        except WorkerError:
            raise  # what works for the matcher is gone: no fault of this image
        except (Exception, SystemExit) as error:
            return Made(error=told(error))
        if prepared is None:
            return Made(error="the matcher prepared None")
        self._prepared[number] = prepared
        plain = (prepared,) if is_plain(prepared) else ()
        return Made("", milliseconds, size_of(prepared), plain)

    def _read(self, one: Impression) -> tuple[Any, float]:
        """What the matcher takes of a file, and its pixels per inch."""
        from fpmatch.image import read_image
        from fpmatch.image.decode import decode
        from fpmatch.template import extract

        image = read_image(one.path, ppi=one.ppi)  # so that all matchers lose the same files
        if self._loaded.takes == "template":
            return extract(image, extractor=self._extractor), image.ppi
        if self._loaded.takes == "native" and image.resampled:
            return decode(Path(one.path).read_bytes())[0], image.original_ppi
        return image.pixels, image.ppi

    def know(self, prepared: Mapping[int, Any]) -> None:
        """Take what other processes have prepared."""
        self._prepared.update(prepared)

    def compare(self, job: Job) -> Scored:
        """Score the comparisons of a job.

        Parameters
        ----------
        job : Job
            Of impressions that did not fail.

        Raises
        ------
        InputError
            If the matcher raises, or gives no finite number: the message names both impressions.
        """
        probe = self._ready(job.probe)
        candidates = [self._ready(int(c)) for c in job.candidates]
        values: list[Any] = []
        compare = self._loaded.matcher.compare
        try:
            start = self._spent()
            for candidate in candidates:
                values.append(compare(probe, candidate))
            spent = self._spent() - start
        except (Exception, SystemExit) as error:
            at = min(len(values), len(candidates) - 1)
            raise self._refused(job, at, told(error)) from error
        scores = np.empty(len(values))
        for i, value in enumerate(values):
            try:
                scores[i] = checked_score(value)
            except InputError as error:
                raise self._refused(job, i, str(error)) from None
        return Scored(scores, spent * 1e6 / max(len(values), 1))

    def _ready(self, number: int) -> Any:
        if number not in self._prepared:
            made = self.prepare(number)
            if made.error:
                name = self._impressions[number].name
                raise InputError(
                    f"{self._loaded.name}: prepared {name} once, and failed to do it again for "
                    f"another process ({made.error})"
                )
        return self._prepared[number]

    def _refused(self, job: Job, at: int, why: str) -> InputError:
        a, b = self._impressions[job.probe].name, self._impressions[int(job.candidates[at])].name
        return InputError(f"{self._loaded.name}: comparing {a} with {b}: {why}")


def is_plain(value: Any, depth: int = 0) -> bool:
    """Whether another process can be handed it: objects may hold what means nothing there.

    Parameters
    ----------
    value : object
        What was prepared.
    depth : int
        How many lists and dicts it lies in.
    """
    if depth > _DEEPEST:
        return False
    if type(value) in (bytes, str) or isinstance(value, _NUMBERS) or value is None:
        return True
    if type(value) is np.ndarray:
        return not value.dtype.hasobject
    if type(value) in (tuple, list):
        return all(is_plain(v, depth + 1) for v in value)
    if type(value) is dict:
        return all(is_plain(v, depth + 1) for pair in value.items() for v in pair)
    return False


def size_of(value: Any) -> float:
    """Bytes of a template that is bytes or an array; NaN of anything else."""
    if isinstance(value, bytes | bytearray):
        return float(len(value))
    return float(value.nbytes) if isinstance(value, np.ndarray) else float("nan")
