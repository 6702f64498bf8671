"""Whether what was added to a record resembles what it held."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate, encode, encode_many
from fpmatch.errors import FpmatchError
from fpmatch.gallery import EnrolFlag, NewRow, facts
from fpmatch.gallery.columns import NO_RECORD
from fpmatch.index import REMOVED, UNVERIFIED
from fpmatch.matcher import calibrate, compare_many, fuse
from fpmatch.parameters import SEARCH
from fpmatch.search.state import State
from fpmatch.template import Template
from fpmatch.types import FingerPosition, Record

log = logging.getLogger(__name__)


def doubts(
    state: State,
    partition: str,
    items: Mapping[int, Record],
    added: Sequence[NewRow],
    forms: Mapping[bytes, SearchTemplate],
    fresh: Iterable[int] = (),
) -> list[EnrolFlag]:
    """The items whose new fingers resemble nothing that their record held before them.

    They are stored and searched all the same: a worn finger, or one under a wrong position, is no
    crime. A finger that can be compared with nothing says nothing, and one that does not fit among
    several that do is not told apart.

    Parameters
    ----------
    state : State
        The open engine.
    partition : str
        Its name.
    items : mapping of int to Record
        The batch, by number.
    added : sequence of NewRow
        Fingers that it added, in the order of the items.
    forms : mapping of bytes to SearchTemplate
        Search forms at hand, by the template's bytes; others are computed here.
    fresh : iterable of int
        Keys of records that came with the batch: the first of their items meets no other.
    """
    out = []
    first = set(fresh)
    with state.partition_lock(partition).reading():
        for number, group in groupby(added, key=lambda row: row.item):
            rows = list(group)
            if rows[0].record in first:
                first.remove(rows[0].record)
                continue
            held = [h for h in facts.rows(state.gallery, rows[0].record) if h[0] < rows[0].row]
            if not held:
                continue
            try:
                score = _score(state, partition, rows, held, forms)
            except (FpmatchError, OSError) as error:
                # It is stored, and the report of that must not be lost.
                log.warning("an addition was not compared: %s", type(error).__name__)
                continue
            if score is not None and score < SEARCH.same_person_score:
                item = items[number]
                out.append(EnrolFlag(number, item.record, item.event, score))
    return out


def _score(
    state: State,
    partition: str,
    rows: Sequence[NewRow],
    held: Sequence[tuple[int, int]],
    forms: Mapping[bytes, SearchTemplate],
) -> float | None:
    """As a search would score the record by these fingers; None if nothing can be compared."""
    owners = state.gallery.columns(partition).row_record
    there = np.array([h for h in held if owners[h[0]] != NO_RECORD], np.int64).reshape(-1, 2)
    new = dict(state.gallery.stored_templates(partition, [row.row for row in rows]))
    best: dict[FingerPosition, int] = {}
    tries: dict[FingerPosition, int] = {}
    for row in rows:
        which = _comparable(there, row.position)
        if not len(which) or row.row not in new:
            continue
        form = forms.get(new[row.row])
        if form is None:
            form = encode(Template.from_bytes(new[row.row]))
        got = _raw(state, partition, form, which)
        got = got[(got != UNVERIFIED) & (got != REMOVED)]
        best[row.position] = max(best.get(row.position, 0), int(got.max(initial=0)))
        tries[row.position] = tries.get(row.position, 0) + len(got)
    if not best:
        return None
    values = [float(calibrate(np.array([raw]))[0]) for raw in best.values()]
    return fuse(values, list(tries.values()))


def _raw(
    state: State, partition: str, form: SearchTemplate, rows: NDArray[np.int64]
) -> NDArray[np.int32]:
    """Raw scores of rows of one record: the index's, or of stored templates where hosts have it."""
    if state.shards is None:
        return state.indexes[partition].verify(form, rows)
    stored = [t for _, t in state.gallery.templates(partition, rows.tolist())]
    return compare_many(form, encode_many(stored), np.arange(len(stored)))


def _comparable(held: NDArray[np.int64], position: FingerPosition) -> NDArray[np.int64]:
    """Rows of the same position and of unknown ones; all of them for an unknown one."""
    if position is FingerPosition.UNKNOWN:
        return held[:, 0]
    same = (held[:, 1] == int(position)) | (held[:, 1] == int(FingerPosition.UNKNOWN))
    return held[same, 0]
