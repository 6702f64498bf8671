"""What lies behind the figures, as tables: every comparison, and the points of the curves."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import takes
from fpmatch.checks import check_path, quoted
from fpmatch.durable import replacing, storage_errors
from fpmatch.errors import InputError, MissingExtra
from fpmatch.evaluate.metrics import Comparisons

if TYPE_CHECKING:
    from fpmatch.evaluate.result import Evaluation

SUFFIXES = (".csv", ".parquet")
POOLED = "pooled"
Columns = Mapping[str, Sequence[Any] | NDArray[Any]]
_ROWS = 1 << 16
"""Rows of CSV that are put into words at a time."""


@takes(evaluation="Evaluation")
def score_table(evaluation: Evaluation) -> dict[str, Any]:
    """Every comparison that the figures rest on, one row each.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    dict
        Columns of equal length: ``kind`` (``one_to_one`` or ``one_to_many``); ``database``,
        ``finger`` and ``impression`` of ``probe`` and ``candidate``; ``mated``; ``score``;
        ``failed``, where either impression failed to extract and the score is the lowest that
        occurs.
    """
    e, pairs = evaluation, evaluation.pairs
    searched, enrolled = len(e.probes), len(e.gallery)
    probe = np.concatenate([pairs.probe, np.repeat(e.probes, enrolled)])
    candidate = np.concatenate([pairs.candidate, np.tile(e.gallery, searched)])
    identity = np.array([s.identity for s in e.samples], np.int64)
    failed = np.array([s.failed for s in e.samples], np.bool_)
    kind = np.array(["one_to_one", "one_to_many"], object)
    out: dict[str, Any] = {
        "kind": np.repeat(kind, [len(pairs), searched * enrolled]),
    }
    for side, which in (("probe", probe), ("candidate", candidate)):
        names = np.array([e.names[s.database] for s in e.samples], object)
        fingers = np.array([s.finger for s in e.samples], object)
        out[f"{side}_database"] = names[which]
        out[f"{side}_finger"] = fingers[which]
        out[f"{side}_impression"] = np.array([s.impression for s in e.samples], np.int64)[which]
    out["mated"] = identity[probe] == identity[candidate]
    out["score"] = np.concatenate([pairs.score, e.search_scores.ravel()])
    out["failed"] = failed[probe] | failed[candidate]
    return out


@takes(evaluation="Evaluation")
def det_table(evaluation: Evaluation) -> dict[str, Any]:
    """The detection error trade-off at every threshold, of each database and of all pooled.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    dict
        Columns ``database``, ``threshold`` (the last is infinite), ``fmr_percent``,
        ``fnmr_percent``, ``false_matches``, ``false_nonmatches``, ``mated`` and ``nonmated``;
        NaN for a rate without comparisons.
    """
    e, pairs = evaluation, evaluation.pairs
    parts: list[dict[str, Any]] = []
    everything = np.ones(len(pairs), np.bool_)
    names = (*e.names, POOLED)
    for i, name in enumerate(names):
        here = pairs.database == i if i < len(e.names) else everything
        counts = Comparisons(
            pairs.score[here & pairs.mated], pairs.score[here & ~pairs.mated]
        ).counts()
        size = len(counts.threshold)
        parts.append(
            {
                "database": np.repeat(np.array([name], object), size),
                "threshold": counts.threshold,
                "fmr_percent": 100 * counts.fmr,
                "fnmr_percent": 100 * counts.fnmr,
                "false_matches": counts.false_matches,
                "false_nonmatches": counts.false_nonmatches,
                "mated": np.full(size, counts.mated),
                "nonmated": np.full(size, counts.nonmated),
            }
        )
    return {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}


@takes(evaluation="Evaluation")
def cmc_table(evaluation: Evaluation) -> dict[str, Any]:
    """The cumulative match characteristic at every rank, by the probes' database and pooled.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    dict
        Columns ``database``, ``rank``, ``found`` (searches whose mate is at that rank or
        better), ``searches`` (those with a mate in the gallery) and ``percent``.
    """
    e = evaluation
    depth = len({e.samples[i].identity for i in e.gallery})
    ranks = np.arange(1, depth + 1)
    database = np.array([e.samples[i].database for i in e.probes], np.int64)
    out: dict[str, list[Any]] = {
        k: [] for k in ("database", "rank", "found", "searches", "percent")
    }
    for i, name in enumerate((*e.names, POOLED)):
        here = e.searches.mated & ((database == i) | (i == len(e.names)))
        found = np.searchsorted(np.sort(e.searches.rank[here]), ranks, side="right")
        total = int(here.sum())
        out["database"] += [name] * depth
        out["rank"] += ranks.tolist()
        out["found"] += found.tolist()
        out["searches"] += [total] * depth
        out["percent"] += (100 * found / total if total else np.full(depth, np.nan)).tolist()
    return out


@takes(path=check_path)
def check_table(path: str | os.PathLike[str]) -> None:
    """Refuse a file that `write_table` could not write, before the work that would be lost.

    Parameters
    ----------
    path : path
        Called ``.csv`` or ``.parquet``.

    Raises
    ------
    InputError
        If it is called otherwise.
    MissingExtra
        If Parquet is asked for and pyarrow is not installed.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{quoted(str(path))} must be called {' or '.join(SUFFIXES)}")
    if suffix == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            raise MissingExtra("Parquet needs pyarrow: pip install 'fpmatch[arrow]'") from error


@takes(path=check_path, columns=dict)
def write_table(path: str | os.PathLike[str], columns: Columns) -> None:
    """Write columns as CSV or Parquet, by the file's suffix; what lies there is replaced.

    Parameters
    ----------
    path : path
        Called ``.csv`` or ``.parquet``.
    columns : dict
        Names and values, all equally many. CSV holds every digit of a float, ``inf``, nothing
        for NaN, and ``true`` or ``false``.

    Raises
    ------
    InputError
        If it is called otherwise, or the columns are not equally long.
    MissingExtra
        If Parquet is asked for and pyarrow is not installed.
    WriteError
        If it cannot be written.
    """
    check_table(path)
    target = Path(path)
    try:
        lengths = {len(values) for values in columns.values()}
    except TypeError as error:
        raise InputError(f"columns must be lists or arrays: {error}") from None
    if len(lengths) > 1:
        raise InputError(f"columns of {', '.join(map(str, sorted(lengths)))} rows")
    with storage_errors(str(target)), replacing(target) as file:
        if target.suffix.lower() == ".csv":
            for text in _csv(columns, max(lengths, default=0)):
                file.write(text.encode("utf-8", "backslashreplace"))
        else:
            import pyarrow as pa
            import pyarrow.parquet as pq

            pq.write_table(pa.table(dict(columns)), file, compression="zstd")


def _csv(columns: Columns, rows: int) -> Any:
    import io

    def text(lines: Any) -> str:
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(lines)
        return out.getvalue()

    yield text([list(columns)])
    for start in range(0, rows, _ROWS):
        parts = [_words(values[start : start + _ROWS]) for values in columns.values()]
        yield text(zip(*parts, strict=True))


def _words(values: Sequence[Any] | NDArray[Any]) -> list[Any]:
    plain = values.tolist() if isinstance(values, np.ndarray) else list(values)
    return [_word(value) for value in plain]


def _word(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value != value else value
