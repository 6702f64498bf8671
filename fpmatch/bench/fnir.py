"""Benchmark of open-set identification: FNIR at fixed FPIR, efforts against each other."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.bench.gallery import STRANGERS, joined, opened, probe_set, rows_of
from fpmatch.bench.measure import SEED, Bench, stated
from fpmatch.descriptor import SearchTemplate, encode
from fpmatch.errors import InputError
from fpmatch.evaluate.bootstrap import percentile_interval
from fpmatch.evaluate.extraction import Progress
from fpmatch.index import PartitionIndex
from fpmatch.index.ranking import PARAMETERS, wanted_for
from fpmatch.matcher import calibrate
from fpmatch.parameters import DESCRIPTOR, EVALUATE, INDEX, MATCHER, SYNTHETIC_GALLERY, digest
from fpmatch.synthetic.gallery import mates

Source = str | os.PathLike[str]
RATES = (0.001, 0.01)
"""FPIR at which FNIR is stated."""
_CHUNK = 100


@dataclass(frozen=True, slots=True, eq=False)
class Tops:
    """What searches returned: raw scores, -1 for nothing.

    Parameters
    ----------
    mate : (S,) int64
        Best score of the probe's own identity.
    other : (S,) int64
        Best score of all other identities.
    """

    mate: NDArray[np.int64]
    other: NDArray[np.int64]


def bench_fnir(
    fingers: int = 100_000,
    probes: Sequence[Source] = (),
    *,
    ppi_map: Source | Mapping[str, float] | None = None,
    identities: Source | None = None,
    extractor: str | None = None,
    nonmated: int = 10_000,
    mated: int = 1_000,
    efforts: Sequence[str] = ("balanced", "scan"),
    threads: int = 1,
    cache: Source | None = None,
    progress: Progress | None = None,
) -> Bench:
    """FNIR at FPIR 0.1 % and 1 % of single-finger searches, with intervals.

    Parameters
    ----------
    fingers : int
        Gallery size, mates included.
    probes, ppi_map, identities, extractor
        As in `bench_search`: mated searches by real prints, reported beside the synthetic ones.
    nonmated : int
        Searches by synthetic fingers that are not enrolled; they set the thresholds.
    mated : int
        Searches by second touches of enrolled synthetic fingers, glancing ones among them.
    efforts : sequence of str
        Each searches the same probes in the same gallery; differences are to the last of them.
    threads : int
    cache : path, optional
        Folder that keeps the background and what has been searched: a run that was stopped goes
        on where it was.
    progress : callable, optional
        Called as ``progress(what, done, total)``.

    Raises
    ------
    InputError
        If there are too few non-mated searches for the lowest FPIR.

    Notes
    -----
    The threshold of an FPIR is the lowest score that at most that share of the non-mated searches
    reaches. A mated search fails if its mate is not on the list or scores less; its rank does not
    matter. Intervals are 95 % percentiles of 1 000 bootstrap replicates that draw non-mated
    searches and identities anew, the same for every effort; ``exact_high`` is the upper
    Clopper-Pearson limit with the threshold as given, for where no search failed. About 0.1 s a
    search and 100 000 fingers in effort ``scan``, a third of it in ``balanced``.
    """
    if nonmated * min(RATES) < 1:
        raise InputError(f"FPIR {min(RATES):g} needs {round(1 / min(RATES))} non-mated searches")
    real = probe_set(
        probes, ppi_map=ppi_map, identities=identities, extractor=extractor, progress=progress
    ) if probes else None  # fmt: skip
    synthetic = probe_set((), synthetic=mated)
    own = synthetic if real is None else joined(real, synthetic)
    strangers = [encode(t) for t in mates(nonmated, STRANGERS)]
    every = [*strangers, *own.probes]
    identity = np.concatenate([np.full(nonmated, -1, np.int64), own.identity])
    mate_identity = own.mate_identity
    key = repr([fingers, own.source, len(own.mates), len(every), extractor])
    found: dict[str, Tops] = {}
    with opened(fingers, own, threads, cache, progress) as index:
        for effort in efforts:
            folder = (
                None if cache is None else Path(cache) / f"fnir-{_made_by(key, effort, fingers)}"
            )
            found[effort] = _search_all(
                index, every, identity, mate_identity, effort, folder, progress
            )
    count = 0 if real is None else len(real.probes)
    places = np.arange(len(every)) - nonmated
    groups = {"real": (places >= 0) & (places < count), "synthetic": places >= count}
    figures: dict[str, Any] = {"fingers": fingers, "nonmated": nonmated, "efforts": list(efforts)}
    for name, where in groups.items():
        if where.any():
            figures[name] = rates(found, np.arange(len(every)) < nonmated, where, identity)
    stating = stated(
        threads=threads,
        state="not timed",
        mates={"real": "none" if real is None else real.source, "synthetic": synthetic.source},
        nonmated=f"{nonmated} synthetic fingers that are not enrolled",
        background="synthetic fingers and their mirror images, one touch each",
        seed=SEED,
    )
    return Bench("fnir", figures, stating)


def rates(
    found: Mapping[str, Tops],
    nonmated: NDArray[np.bool_],
    mated: NDArray[np.bool_],
    identity: NDArray[np.int64],
    seed: int = SEED,
) -> list[dict[str, Any]]:
    """FNIR of every FPIR and effort, percent, from the same resampled searches.

    Parameters
    ----------
    found : mapping of str to Tops
        By effort, over all searches.
    nonmated, mated : (S,) bool
        Which searches set the thresholds, and which are to be found.
    identity : (S,) int64
        What is drawn anew: searches of one identity are drawn together.
    seed : int
        Same seed, same result.
    """
    rng = np.random.default_rng(seed)
    count = int(nonmated.sum())
    _, label = np.unique(identity[mated], return_inverse=True)
    people = int(label.max()) + 1
    drawn: dict[tuple[str, float], list[float]] = {(e, r): [] for e in found for r in RATES}
    for _ in range(EVALUATE.replicates):
        again = rng.integers(0, count, count)
        weight = rng.multinomial(people, np.full(people, 1 / people))[label]
        for effort, tops in found.items():
            others = np.sort(tops.other[nonmated][again])[::-1]
            for rate in RATES:
                missed = tops.mate[mated] < _threshold(others, rate)
                drawn[effort, rate].append(100 * float(weight[missed].sum() / weight.sum()))
    last = list(found)[-1]
    out = []
    for rate in RATES:
        least = _threshold(_sorted(found[last], nonmated), rate)
        missed_last = found[last].mate[mated] < least
        for effort, tops in found.items():
            others = _sorted(tops, nonmated)
            threshold = _threshold(others, rate)
            missed = tops.mate[mated] < threshold
            interval = percentile_interval(drawn[effort, rate], EVALUATE.level)
            pairs = zip(drawn[effort, rate], drawn[last, rate], strict=True)
            apart = percentile_interval([a - b for a, b in pairs], EVALUATE.level)
            out.append(
                {
                    "effort": effort,
                    "fpir": 100 * rate,
                    "fpir_measured": 100 * float((others >= threshold).mean()),
                    "threshold": float(calibrate(threshold)),
                    "fnir": 100 * float(missed.mean()),
                    "fnir_low": interval[0],
                    "fnir_high": interval[1],
                    "exact_high": 100 * upper_limit(int(missed.sum()), len(missed)),
                    "against_last": 100 * float(missed.mean() - missed_last.mean()),
                    "against_low": apart[0],
                    "against_high": apart[1],
                    "misses": int(missed.sum()),
                    "searches": len(missed),
                    "identities": people,
                }
            )
    return out


def upper_limit(misses: int, searches: int, level: float = EVALUATE.level) -> float:
    """Upper limit of a share by Clopper and Pearson (1934), two-sided level in percent; 0 to 1.

    Parameters
    ----------
    misses : int
        Searches that failed.
    searches : int
        All of them.
    level : float
        Two-sided, percent.
    """
    if misses >= searches:
        return 1.0
    k = np.arange(misses + 1)
    ways = math.lgamma(searches + 1) - np.array(
        [math.lgamma(i + 1) + math.lgamma(searches - i + 1) for i in k.tolist()]
    )

    def at_most(share: float) -> float:
        """Probability of so many misses or fewer."""
        logs = ways + k * math.log(share) + (searches - k) * math.log1p(-share)
        return float(np.exp(logs).sum())

    low, high = misses / searches, 1.0
    while high - low > 1e-15:
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (middle, high) if at_most(middle) > 0.5 - level / 200 else (low, middle)
    return high


def _made_by(key: str, effort: str, fingers: int) -> str:
    """Everything that shapes what an effort returns, hashed."""
    wanted = wanted_for(effort, fingers) if effort in PARAMETERS else effort
    shaping = digest(DESCRIPTOR, MATCHER, INDEX, SYNTHETIC_GALLERY)
    return hashlib.sha256(f"{key} {shaping} {wanted}".encode()).hexdigest()[:16]


def _sorted(tops: Tops, nonmated: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.sort(tops.other[nonmated])[::-1]


def _threshold(others: NDArray[np.int64], rate: float) -> int:
    """Lowest raw score that at most a share of the searches reaches; `others` descending."""
    return int(others[int(rate * len(others) + 1e-9)]) + 1


def _search_all(
    index: PartitionIndex,
    probes: Sequence[SearchTemplate | None],
    identity: NDArray[np.int64],
    mate_identity: NDArray[np.int64],
    effort: str,
    folder: Path | None,
    progress: Progress | None,
) -> Tops:
    """All searches in one effort, some at a time; what a folder holds is not searched again."""
    done = []
    for first in range(0, len(probes), _CHUNK):
        path = None if folder is None else folder / f"{effort}-{first:06d}.npy"
        if path is not None and path.exists():
            part = np.load(path)
        else:
            which = slice(first, first + _CHUNK)
            part = _search(index, probes[which], identity[which], mate_identity, effort)
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary = path.with_suffix(".part.npy")
                np.save(temporary, part)
                temporary.replace(path)
        done.append(part)
        if progress is not None:
            progress(f"searching ({effort})", min(first + _CHUNK, len(probes)), len(probes))
    mate, other = np.concatenate(done, axis=1)
    return Tops(mate, other)


def _search(
    index: PartitionIndex,
    probes: Sequence[SearchTemplate | None],
    identity: NDArray[np.int64],
    mate_identity: NDArray[np.int64],
    effort: str,
) -> NDArray[np.int64]:
    """(2, S) best raw score of the own and of all other identities, -1 where there is none."""
    out = np.full((2, len(probes)), -1, np.int64)
    usable = [(n, probe) for n, probe in enumerate(probes) if probe is not None]
    lists = index.shortlist_many([probe for _, probe in usable], effort=effort)
    for (n, probe), found in zip(usable, lists, strict=True):
        scores = index.verify(probe, found.row_ids)
        mine = rows_of(int(identity[n]), mate_identity, found.row_ids)
        out[0, n] = scores[mine].max(initial=-1)
        out[1, n] = scores[~mine].max(initial=-1)
    return out
