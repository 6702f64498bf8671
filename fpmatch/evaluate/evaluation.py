"""The whole evaluation: folders in, every figure out."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import listed, takes
from fpmatch.checks import check_choice, check_number, check_paths
from fpmatch.errors import InputError
from fpmatch.evaluate import bootstrap, conditions
from fpmatch.evaluate.exact import with_exact_bounds
from fpmatch.evaluate.extraction import Progress, Sample, extract_databases
from fpmatch.evaluate.folders import (
    Database,
    Identities,
    find_databases,
    join_identities,
    read_identity_rows,
    read_ppi_map,
)
from fpmatch.evaluate.foreign import ForeignComparer
from fpmatch.evaluate.identification import fnir_at_fpir, rank_rate, search_outcomes
from fpmatch.evaluate.matcher import OURS
from fpmatch.evaluate.metrics import VerificationMetrics, mean_metrics, verification_metrics
from fpmatch.evaluate.protocol import (
    PROTOCOLS,
    Comparer,
    Pairs,
    fill_failures,
    first_impressions,
    score_pairs,
    search_scores,
    within_folders,
)
from fpmatch.evaluate.result import Evaluation
from fpmatch.minutiae.extract import DEFAULT
from fpmatch.parameters import EVALUATE
from fpmatch.types.checked import SCALES


@takes(folders=check_paths)
def evaluate(
    folders: Sequence[str | os.PathLike[str]],
    *,
    ppi: float | None = None,
    ppi_map: str | os.PathLike[str] | Mapping[str, float] | None = None,
    identities: str | os.PathLike[str] | None = None,
    extractor: str | None = None,
    protocol: str = "all",
    processes: int = 1,
    replicates: int = EVALUATE.replicates,
    seed: int = EVALUATE.seed,
    matcher: object = None,
    takes: str | None = None,
    limit_s: float | None = None,
    scale: str = "stated",
    progress: Progress | None = None,
) -> Evaluation:
    """Run the verification and identification protocols on folders of impressions.

    Parameters
    ----------
    folders : sequence of path
        Each holds ``<finger>_<impression>.<ext>``.
    ppi : float, optional
        Resolution of folders that the map does not name.
    ppi_map : path or mapping, optional
        Folder key to resolution; folders are matched by path suffix.
    identities : path, optional
        CSV ``folder,finger,same_as_folder,same_as_finger``: fingers that are one.
    extractor : str, optional
        A name in `fpmatch.minutiae.EXTRACTORS`; None is the default one.
    protocol : str
        ``all`` or ``fvc``: see `fpmatch.evaluate.protocol.within_folders`.
    processes : int
        Processes that extract; more than one needs an importable main module (spawn). Another
        matcher prepares and compares in them.
    replicates, seed : int
        Of the bootstrap; 0 replicates leaves the intervals undefined, but for those of rates
        without an error, which are exact.
    matcher : str, Matcher or callable, optional
        Another matcher, as `fpmatch.evaluate.Matcher` describes it: ``nbis``, ``module:name``,
        or one that is at hand; None is fpmatch's own.
    takes : {"image", "native", "template"}, optional
        What the other matcher prepares; by default what it says itself, or images.
    limit_s : float, optional
        Seconds that it may take to prepare one impression, which fails to enrol after that.
        Needs processes of its own even where there is one.
    scale : {"stated", "any"}
        ``any``: the resolutions of probes are in doubt, as in `fpmatch.compare`; five comparisons
        for each. For fpmatch's own matcher alone.
    progress : callable, optional

    Raises
    ------
    InputError
        Folder, map, identities file, extractor, protocol or matcher cannot be used; or the
        matcher fails to compare, or gives what is no finite number.
    MissingExtra
        If the matcher needs what is not installed.
    WorkerError
        If a process of the matcher dies while it compares.

    Notes
    -----
    Quadratic in the impressions of a folder. An impression that fails to extract takes part in
    every comparison with the lowest score of the evaluation; as a probe or in the gallery it is
    a miss.
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol {protocol!r} is none of {', '.join(PROTOCOLS)}")
    check_choice("scale", scale, SCALES)
    if scale != "stated" and matcher not in (None, OURS):
        raise InputError("another matcher decides by itself at which scales it compares")
    databases, joined = _found(folders, ppi, ppi_map, identities)
    names = tuple(d.name for d in databases)
    how = {"protocol": protocol, "replicates": replicates, "seed": seed, "progress": progress}
    if matcher is None or matcher == OURS:
        samples = extract_databases(
            databases, joined, extractor=extractor, processes=processes, progress=progress
        )
        return evaluate_samples(samples, names, extractor=extractor, scale=scale, **how)  # type: ignore[arg-type]
    if limit_s is not None:
        check_number("limit_s", limit_s, 0.01, 1e6)
    comparer = ForeignComparer(matcher, takes, databases, extractor, processes, limit_s)
    try:
        samples = comparer.samples(joined, progress)
        return _measured(samples, names, comparer, extractor, **how)  # type: ignore[arg-type]
    finally:
        comparer.close()


@takes(folders=check_paths)
def load_samples(
    folders: Sequence[str | os.PathLike[str]],
    *,
    ppi: float | None = None,
    ppi_map: str | os.PathLike[str] | Mapping[str, float] | None = None,
    identities: str | os.PathLike[str] | None = None,
    extractor: str | None = None,
    processes: int = 1,
    progress: Progress | None = None,
) -> tuple[list[Sample], tuple[str, ...]]:
    """Find and extract all impressions; parameters as in `evaluate`.

    Parameters
    ----------
    folders : sequence of path
        Folders of ``<finger>_<impression>.<ext>``; synthetic prints if empty.
    ppi : float, optional
        Pixels per inch of all images.
    ppi_map : path or mapping, optional
        Pixels per inch by folder key.
    identities : path, optional
        File that joins fingers of several folders to identities.
    extractor : str, optional
        Name of the extractor; the default one if not given.
    processes : int
        Processes that extract.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    """
    databases, joined = _found(folders, ppi, ppi_map, identities)
    samples = extract_databases(
        databases, joined, extractor=extractor, processes=processes, progress=progress
    )
    return samples, tuple(d.name for d in databases)


def _found(
    folders: Sequence[str | os.PathLike[str]],
    ppi: float | None,
    ppi_map: str | os.PathLike[str] | Mapping[str, float] | None,
    identities: str | os.PathLike[str] | None,
) -> tuple[list[Database], Identities]:
    """The folders as databases, and which of their fingers are one."""
    if ppi_map is not None and not isinstance(ppi_map, Mapping):
        ppi_map = read_ppi_map(ppi_map)
    rows = read_identity_rows(identities) if identities is not None else []
    keys = [key for row in rows for key in (row[0], row[2])]
    databases = find_databases(folders, ppi=ppi, ppi_map=ppi_map, identity_keys=keys)
    return databases, join_identities(databases, rows)


@takes(samples=listed(Sample), names=listed(str))
def evaluate_samples(
    samples: list[Sample],
    names: Sequence[str],
    *,
    protocol: str = "all",
    extractor: str | None = None,
    scale: str = "stated",
    replicates: int = EVALUATE.replicates,
    seed: int = EVALUATE.seed,
    progress: Progress | None = None,
) -> Evaluation:
    """Compare and search samples that are already extracted; parameters as in `evaluate`.

    Parameters
    ----------
    samples : list of Sample
        As `load_samples` gives them.
    names : sequence of str
        Of the databases, in the order of their numbers in the samples.
    protocol : {"all", "fvc"}
        Which non-mated pairs; see `within_folders`.
    extractor : str, optional
        Name of the extractor; the default one if not given.
    scale : {"stated", "any"}
        Whether the resolutions of probes are believed.
    replicates : int
        Bootstrap replicates: B.
    seed : int
        Same seed, same result.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    """
    return _measured(
        samples,
        names,
        Comparer(samples, check_choice("scale", scale, SCALES)),
        extractor,
        protocol=protocol,
        replicates=replicates,
        seed=seed,
        progress=progress,
    )


def _measured(
    samples: list[Sample],
    names: Sequence[str],
    comparer: Comparer | ForeignComparer,
    extractor: str | None,
    *,
    protocol: str,
    replicates: int,
    seed: int,
    progress: Progress | None,
) -> Evaluation:
    """Every comparison and every figure of impressions that are prepared."""
    pairs = score_pairs(comparer, within_folders(samples, protocol), progress)
    gallery = first_impressions(samples)
    probes = np.setdiff1d(np.arange(len(samples)), gallery)
    database = np.array([s.database for s in samples], np.int64)
    raw = search_scores(comparer, probes, gallery, progress, database[probes])
    pair_scores, scores = fill_failures(pairs.score, raw)
    pairs = replace(pairs, score=pair_scores)
    identity = np.array([s.identity for s in samples], np.int64)
    failed = np.array([s.failed for s in samples], np.bool_)
    searches = search_outcomes(
        scores, identity[probes], identity[gallery], failed[probes], failed[gallery]
    )
    databases = {n: _part(pairs, pairs.database == i) for i, n in enumerate(names)}
    mean = mean_metrics(list(databases.values()))
    pooled = _part(pairs, np.ones(len(pairs), np.bool_))
    rank1, fnir, level = rank_rate(searches), fnir_at_fpir(searches), EVALUATE.level
    resampled = bootstrap.intervals(
        samples, names, pairs, searches, probes, replicates=replicates, level=level, seed=seed
    )
    searched = (rank1, fnir, int(searches.mated.sum()))
    matcher = comparer.name if isinstance(comparer, ForeignComparer) else OURS
    sizes = (
        comparer.sizes
        if isinstance(comparer, ForeignComparer)
        else [float(len(s.template.to_bytes())) for s in samples if s.template is not None]
    )
    return Evaluation(
        names=tuple(names),
        samples=samples,
        protocol=protocol,
        matcher=matcher,
        extractor=_extractor_name(samples, extractor, comparer),
        pairs=pairs,
        probes=probes,
        gallery=gallery,
        search_scores=scores,
        searches=searches,
        databases=databases,
        mean=mean,
        pooled=pooled,
        rank1=rank1,
        fnir_at_fpir_1pct=fnir,
        intervals=with_exact_bounds(resampled, databases, mean, pooled, searched, level),
        extract_ms_median=_median([s.milliseconds for s in samples]),
        compare_us_median=comparer.comparison_time(pairs),
        template_bytes_median=_median(sizes),
        date=conditions.now(),
        data=conditions.data_hash(samples),
        scale=comparer.scale if isinstance(comparer, Comparer) else "stated",
    )


def _part(pairs: Pairs, keep: NDArray[np.bool_]) -> VerificationMetrics:
    return verification_metrics(pairs.score[keep & pairs.mated], pairs.score[keep & ~pairs.mated])


def _extractor_name(
    samples: Sequence[Sample], asked: str | None, comparer: Comparer | ForeignComparer
) -> str:
    if isinstance(comparer, ForeignComparer):
        return (asked or DEFAULT) if comparer.takes == "template" else "none"
    used = {s.template.extractor for s in samples if s.template is not None}
    return ", ".join(sorted(used)) or asked or "none"


def _median(values: Sequence[float]) -> float:
    kept = [v for v in values if not math.isnan(v)]
    return float(np.median(kept)) if kept else math.nan
