"""Kernels of the index: block checksums, cylinder distances, lists, votes.

A vote of a candidate row is the sum over the probe's minutiae of ``table[i, d]``, d the lowest
Hamming distance of the sketch of probe minutia i to one of a minutia of the row whose direction
differs by at most ``window`` (256 units a turn). Everything is integer arithmetic: sums do not
depend on order.

Compiled callers are cached by the date of their own file: after an edit in one of these files,
delete the ``*.nbi`` beside all of them.
"""

from fpmatch.index._kernels.bits import (
    SKETCH_WORDS,
    WORDS,
    distance,
    popcount,
    prefetch,
)
from fpmatch.index._kernels.carry import carry_over, count_kept
from fpmatch.index._kernels.checksum import checksum_blocks
from fpmatch.index._kernels.coding import coding_work
from fpmatch.index._kernels.finding import find_rows, ranges_checked
from fpmatch.index._kernels.likely import TOGETHER, likely_lists
from fpmatch.index._kernels.lists import (
    fill_lists,
    list_ranges,
    nearest_lists,
    sort_lists,
    turn_lists,
)
from fpmatch.index._kernels.packing import (
    PADDING,
    code_rows,
    copy_rows,
    pack_rows,
    row_sizes,
    unpack_rows,
)
from fpmatch.index._kernels.rows import best_distances, vote_rows
from fpmatch.index._kernels.sift import WAITING, leaders, sift, wipe, worth_listing

__all__ = [
    "PADDING",
    "SKETCH_WORDS",
    "TOGETHER",
    "WAITING",
    "WORDS",
    "best_distances",
    "carry_over",
    "checksum_blocks",
    "code_rows",
    "coding_work",
    "copy_rows",
    "count_kept",
    "distance",
    "fill_lists",
    "find_rows",
    "leaders",
    "likely_lists",
    "list_ranges",
    "nearest_lists",
    "pack_rows",
    "popcount",
    "prefetch",
    "ranges_checked",
    "row_sizes",
    "sift",
    "sort_lists",
    "turn_lists",
    "unpack_rows",
    "vote_rows",
    "wipe",
    "worth_listing",
]
