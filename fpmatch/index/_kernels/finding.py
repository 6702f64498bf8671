"""Where rows lie in a part, and whether what lies under them has been checked."""

from __future__ import annotations

from fpmatch.jit import kernel


@kernel
def find_rows(row_ids, runs, wanted, out):
    """The row of each of ``wanted (K,) int64``: ``out (K,) int64``, -1 where there is none.

    ``runs (R + 1,) int64``: first row of each run of ascending ``row_ids (N,) int64``, and N.
    """
    for k in range(wanted.shape[0]):
        out[k] = -1
        for r in range(runs.shape[0] - 1):
            first, end = runs[r], runs[r + 1]
            # Rows come in order of their ids, so that most are outside of most parts.
            if first == end or wanted[k] < row_ids[first] or wanted[k] > row_ids[end - 1]:
                continue
            low, high = first, end
            while low < high:
                middle = (low + high) >> 1
                if row_ids[middle] < wanted[k]:
                    low = middle + 1
                else:
                    high = middle
            if low < end and row_ids[low] == wanted[k]:
                out[k] = low
                break


@kernel
def ranges_checked(checked, block, offset, each, ranges):
    """Whether all blocks under some ranges of entries have been checked.

    ``checked (B,) bool`` of blocks of ``block`` bytes; entries of ``each`` bytes begin at byte
    ``offset``; ``ranges (K, 2) int64``: of each the first entry, and the one after the last.
    """
    for k in range(ranges.shape[0]):
        if ranges[k, 1] <= ranges[k, 0]:
            continue
        first = (offset + ranges[k, 0] * each) // block
        last = (offset + ranges[k, 1] * each - 1) // block
        for b in range(first, last + 1):
            if not checked[b]:
                return False
    return True
