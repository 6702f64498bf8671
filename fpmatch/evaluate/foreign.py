"""Another matcher in the place of ours: the same impressions, pairs and searches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fpmatch.evaluate.crew import Crew, Given
from fpmatch.evaluate.desk import Desk, Impression, Job, Made, Scored
from fpmatch.evaluate.extraction import Progress, Sample, samples_of
from fpmatch.evaluate.folders import Database, Identities
from fpmatch.evaluate.matcher import load_matcher
from fpmatch.evaluate.protocol import Pairs


class Hands(Protocol):
    """Who does the work: this process, or several others."""

    name: str
    takes: str

    def prepare(self, nears: Sequence[int]) -> Iterator[Made]:
        """Prepare every impression, in order; ``nears`` says which belong together."""
        ...

    def compare(self, jobs: Sequence[Job]) -> Iterator[Scored]:
        """Score jobs, in order."""
        ...

    def close(self) -> None:
        """End what was started."""
        ...


class _Here:
    """This process does all of it."""

    def __init__(self, given: Given) -> None:
        matcher, takes, impressions, extractor = given
        loaded = load_matcher(matcher, takes)
        self.name, self.takes = loaded.name, loaded.takes
        self._desk = Desk(loaded, impressions, extractor)

    def prepare(self, nears: Sequence[int]) -> Iterator[Made]:
        return map(self._desk.prepare, range(len(nears)))

    def compare(self, jobs: Sequence[Job]) -> Iterator[Scored]:
        return map(self._desk.compare, jobs)

    def close(self) -> None:
        """Nothing was started."""


class ForeignComparer:
    """Impressions that another matcher has prepared, compared by position.

    Parameters
    ----------
    matcher : object
        As `fpmatch.evaluate.matcher.load_matcher` takes it.
    takes : str or None
        What it prepares.
    databases : sequence of Database
    extractor : str or None
        Makes the templates of a matcher that takes those.
    processes : int
        One works in this process, where no limit is set.
    limit_s : float or None
        Seconds that preparing one impression may take.

    Raises
    ------
    InputError
        If the matcher cannot be found or is none.
    """

    def __init__(
        self,
        matcher: object,
        takes: str | None,
        databases: Sequence[Database],
        extractor: str | None,
        processes: int,
        limit_s: float | None,
    ) -> None:
        self._databases = databases
        impressions = [
            Impression(str(f.path), d.ppi, f"{d.name} {f.path.name}")
            for d in databases
            for f in d.impressions
        ]
        given: Given = (matcher, takes, impressions, extractor)
        alone = processes <= 1 and limit_s is None
        self._hands: Hands = _Here(given) if alone else Crew(given, max(1, processes), limit_s)
        self.name, self.takes = self._hands.name, self._hands.takes
        self.sizes: list[float] = []
        self._usable = np.zeros(0, np.bool_)
        self._us: list[float] = []

    def close(self) -> None:
        """End the processes."""
        self._hands.close()

    def samples(self, identities: Identities, progress: Progress | None = None) -> list[Sample]:
        """Prepare every impression.

        Parameters
        ----------
        identities : Identities
            Which fingers are one.
        progress : callable, optional
            Called as ``progress(what, done, total)``.
        """
        nears = [i for i, d in enumerate(self._databases) for _ in d.impressions]
        made = self._kept(self._hands.prepare(nears))
        samples = samples_of(self._databases, identities, made, progress)
        self._usable = np.array([not s.failed for s in samples], np.bool_)
        return samples

    def _kept(self, made: Iterator[Made]) -> Iterator[tuple[None, str, float, bool]]:
        for one in made:
            self.sizes.append(one.size)
            yield None, one.error, one.milliseconds, not one.error

    def each(
        self, jobs: Sequence[Job], timed: Sequence[bool] = ()
    ) -> Iterator[NDArray[np.float64]]:
        """Scores of many jobs, in their order; NaN where either impression failed.

        Parameters
        ----------
        jobs : sequence of Job
            One probe and its candidates each.
        timed : sequence of bool
            Whose time is kept for `comparison_time`.
        """
        usable = [self._usable[j.candidates] & self._usable[j.probe] for j in jobs]
        asked = [Job(j.probe, j.candidates[u], j.near) for j, u in zip(jobs, usable, strict=True)]
        found = self._hands.compare([j for j in asked if len(j.candidates)])
        for job, which, wanted in zip(jobs, usable, timed, strict=True):
            out = np.full(len(job.candidates), np.nan)
            if which.any():
                scored = next(found)
                out[which] = scored.scores
                if wanted:
                    self._us.append(scored.microseconds)
            yield out

    def comparison_time(self, pairs: Pairs) -> float:
        """Median over the probes of the mean time of their non-mated comparisons, microseconds.

        Parameters
        ----------
        pairs : Pairs
            Those that were scored.
        """
        return float(np.median(self._us)) if self._us else float("nan")
