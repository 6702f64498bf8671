"""The whole comparison, of one pair and of rows of a gallery."""

from __future__ import annotations

from fpmatch.jit import kernel
from fpmatch.matcher._kernels.alignment import consensus, motion, tally, transfer
from fpmatch.matcher._kernels.pairing import assign, queue_pairs
from fpmatch.matcher._kernels.relaxation import compatibilities, relax, select


@kernel(inline=True)
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


@kernel(inline=True)
def score(a, distances, directions, b, tables, scratch):
    """Raw score of two search forms.

    Up to `tables.gate` it is the relaxation's; above that, the gate plus the weighted evidence of
    relaxation, consensus, and matched and unmatched minutiae after local re-alignment, less what
    non-mated prints of the smaller side's size reach more easily than others.
    """
    relaxed, agreement, matched, unmatched = features(a, distances, directions, b, tables, scratch)
    if agreement < 0:
        return relaxed
    evidence = tables.relaxed[min(relaxed >> 3, tables.relaxed.shape[0] - 1)]
    evidence += tables.agreement[min(agreement >> 5, tables.agreement.shape[0] - 1)]
    evidence += tables.matched[matched] + tables.unmatched[unmatched]
    evidence += tables.size[min(a[4].shape[0], b[4].shape[0])]
    return tables.gate + max(evidence, 0)


@kernel(inline=True)
def _row(gallery, low, high):
    return (
        gallery[0][low:high],
        gallery[1][low:high],
        gallery[2][low:high],
        gallery[3][low:high],
        gallery[4][low:high],
    )


@kernel
def score_rows(a, distances, directions, gallery, offsets, rows, tables, scratch, out):
    """Raw scores of one side `a` against rows of a packed gallery; out : (K,) int32."""
    for k in range(rows.shape[0]):
        b = _row(gallery, offsets[rows[k]], offsets[rows[k] + 1])
        out[k] = score(a, distances, directions, b, tables, scratch)


@kernel
def feature_rows(a, distances, directions, gallery, offsets, rows, tables, scratch, out):
    """The `features` of one side against rows of a packed gallery, and the minutiae of the smaller
    side; out : (K, 5) int32.
    """
    for k in range(rows.shape[0]):
        b = _row(gallery, offsets[rows[k]], offsets[rows[k] + 1])
        relaxed, agreement, matched, unmatched = features(
            a, distances, directions, b, tables, scratch
        )
        out[k, 0] = relaxed
        out[k, 1] = agreement
        out[k, 2] = matched
        out[k, 3] = unmatched
        out[k, 4] = min(a[4].shape[0], b[4].shape[0])
