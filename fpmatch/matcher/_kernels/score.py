"""The whole comparison, of one pair and of rows of a gallery."""

from __future__ import annotations

import numpy as np

from fpmatch.jit import kernel
from fpmatch.matcher._kernels.alignment import consensus, motion, tally, transfer
from fpmatch.matcher._kernels.bending import bent
from fpmatch.matcher._kernels.pairing import assign, queue_pairs
from fpmatch.matcher._kernels.relaxation import compatibilities, relax, select


@kernel(inline=True, borrows=True)
def features(a, distances, directions, b, tables, scratch):
    """Relaxation score, agreement (-1: below the gate), matched and unmatched minutiae.

    Each side is (codes, texture, x, y, angle).
    """
    na = a[4].shape[0]
    nb = b[4].shape[0]
    scratch.chosen[:] = 0
    scratch.match_a[:] = -2
    if min(na, nb) < tables.fewest:
        return 0, -1, 0, 0
    similar = queue_pairs(a[0], a[1], a[4], b[0], b[1], b[4], tables, scratch)
    count = assign(similar, na, nb, scratch)
    if count < tables.fewest:
        return 0, -1, 0, 0
    compatibilities(count, distances, directions, a[4], b[2], b[3], b[4], tables, scratch)
    relax(count, tables, scratch)
    wanted = tables.pairs[min(na, nb)]
    total = select(count, wanted, scratch)
    relaxed = total // wanted
    if relaxed < tables.gate:
        return relaxed, -1, 0, 0
    agreement, anchors = consensus(count, total, tables, scratch)
    if anchors < 2:
        return relaxed, agreement, 0, 0
    cosine, sine = motion(anchors, a[2], a[3], b[2], b[3], scratch)
    anchor_a = scratch.anchor_a
    anchor_b = scratch.anchor_b
    transfer(a, b, anchors, anchor_a, anchor_b, cosine, sine, tables, scratch, scratch.match_a)
    transfer(b, a, anchors, anchor_b, anchor_a, cosine, -sine, tables, scratch, scratch.match_b)
    matched, unmatched = tally(na, nb, scratch)
    return relaxed, agreement, matched, unmatched


@kernel(inline=True, borrows=True)
def first_evidence(found, smaller, tables):
    """Weighted evidence of the first `features`, less what non-mated prints of the smaller side's
    size reach more easily than others.
    """
    evidence = tables.relaxed[min(found[0] >> 3, tables.relaxed.shape[0] - 1)]
    evidence += tables.agreement[min(found[1] >> 5, tables.agreement.shape[0] - 1)]
    return evidence + tables.matched[found[2]] + tables.unmatched[found[3]] + tables.size[smaller]


@kernel(inner=True, borrows=True)
def bent_evidence(relaxed, agreement, matched, unmatched, missed, smaller, table):
    """The same after the re-alignment that bends, with how far matched minutiae lie from their
    matches.
    """
    last = table.shape[1] - 1
    evidence = np.int64(table[0, min(relaxed >> 3, last)])
    evidence += table[1, min(agreement >> 5, last)]
    evidence += table[2, matched] + table[3, unmatched]
    return evidence - ((missed * table[4, matched]) >> 10) + table[5, smaller]


@kernel(inline=True, borrows=True)
def score(a, distances, directions, b, tables, scratch):
    """Raw score of two search forms, in three steps of which each lies above the one before.

    Up to `tables.gate` it is the relaxation's. Above that it is the gate plus the weighted evidence
    of relaxation, consensus, and matched and unmatched minutiae after local re-alignment, up to
    `tables.bend_from`. What gets as far is re-aligned once more, by a motion that bends, and its
    evidence is weighed anew.
    """
    found = features(a, distances, directions, b, tables, scratch)
    if found[1] < 0:
        return found[0]
    smaller = min(a[4].shape[0], b[4].shape[0])
    evidence = first_evidence(found, smaller, tables)
    if evidence < tables.bend_from:
        return tables.gate + max(evidence, 0)
    matched, unmatched, missed = bent(a, b, tables, scratch)
    if matched < 0:
        return tables.gate + tables.bend_from
    args = (found[0], found[1], matched, unmatched, missed, smaller)
    return tables.gate + tables.bend_from + max(bent_evidence(*args, tables.bent), np.int64(0))


@kernel(inline=True, borrows=True)
def _row(gallery, low, high):
    return (
        gallery[0][low:high],
        gallery[1][low:high],
        gallery[2][low:high],
        gallery[3][low:high],
        gallery[4][low:high],
    )


@kernel(borrows=True)
def score_rows(a, distances, directions, gallery, offsets, rows, tables, scratch, out):
    """Raw scores of one side `a` against rows of a packed gallery; out : (K,) int32."""
    for k in range(rows.shape[0]):
        b = _row(gallery, offsets[rows[k]], offsets[rows[k] + 1])
        out[k] = score(a, distances, directions, b, tables, scratch)


@kernel(borrows=True)
def feature_rows(a, distances, directions, gallery, offsets, rows, tables, scratch, out):
    """The `features` of one side against rows of a packed gallery, the minutiae of the smaller
    side, and what `bent` gives of those whose evidence gets as far, -1 of others; out : (K, 8)
    int32.
    """
    for k in range(rows.shape[0]):
        b = _row(gallery, offsets[rows[k]], offsets[rows[k] + 1])
        found = features(a, distances, directions, b, tables, scratch)
        smaller = min(a[4].shape[0], b[4].shape[0])
        out[k, 0] = found[0]
        out[k, 1] = found[1]
        out[k, 2] = found[2]
        out[k, 3] = found[3]
        out[k, 4] = smaller
        out[k, 5] = -1
        out[k, 6] = 0
        out[k, 7] = 0
        if found[1] >= 0 and first_evidence(found, smaller, tables) >= tables.bend_from:
            matched, unmatched, missed = bent(a, b, tables, scratch)
            out[k, 5] = matched
            out[k, 6] = unmatched
            out[k, 7] = missed
