"""The inverted lists of a part: what an entry holds, and in which order entries lie.

A list's entries lie by finger position, direction and row: those that a probe cylinder may see are
one or two ranges of a list for each position.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import PackedTemplates
from fpmatch.index._kernels import fill_lists, sort_lists, turn_lists
from fpmatch.index.quantizer import Quantizer

LIST_COLUMNS: dict[str, tuple[type, tuple[int, ...]]] = {
    "list_sketches": (np.uint32, (3,)),
    "list_owners": (np.uint16, ()),
    "list_turns": (np.uint8, ()),
}
"""A list entry: sketch (three words), row, direction. 15 bytes."""


def list_columns(rows: int) -> dict[str, tuple[type, tuple[int, ...]]]:
    """Dtype and shape of an entry of the lists of so many rows.

    Parameters
    ----------
    rows : int
        Of a part. No merge makes one of more than 65 536; where an addition or an earlier release
        has, its entries are two bytes longer.
    """
    if rows <= 1 << 16:
        return LIST_COLUMNS
    return {**LIST_COLUMNS, "list_owners": (np.uint32, ())}


def build_lists(
    arrays: Mapping[str, NDArray],
    forms: PackedTemplates,
    sketches: NDArray[np.uint32],
    quantizer: Quantizer,
) -> None:
    """Fill the list arrays of some rows; about 2 us a minutia and 10 bytes of scratch.

    Parameters
    ----------
    arrays : mapping of name to array
        As in `shapes`; positions are read, the lists filled.
    forms : PackedTemplates
        Search forms of the rows.
    sketches : (C, 3) uint32
        Of their minutiae.
    quantizer : Quantizer
    """
    count = len(forms.angle)
    lists = np.zeros(count, np.uint16)
    quantizer.assign(forms.codes, lists)
    order = np.zeros(count, np.int64)
    places = np.zeros(quantizer.lists, np.int64)
    starts, owners = arrays["list_starts"], arrays["list_owners"]
    sort_lists(lists, forms.offsets, starts, places, order, owners)
    longest = int(np.diff(starts).max(initial=0))
    scratch = (np.zeros(longest, np.int64), np.zeros(longest, owners.dtype))
    turn_lists(starts, arrays["positions"], forms.angle, order, owners, scratch)
    out = (arrays["list_sketches"], arrays["list_turns"])
    fill_lists(order, 0, len(order), sketches, forms.angle, out)
