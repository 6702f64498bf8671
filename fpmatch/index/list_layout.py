"""The inverted lists of a part: what an entry holds, and in which order entries lie.

A list's entries lie by finger position, direction and row: those that a probe cylinder may see are
one or two ranges of a list for each position.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fpmatch.index._kernels import fill_lists, sort_lists, turn_lists
from fpmatch.index.quantizer import Quantizer

LIST_COLUMNS: dict[str, tuple[type, tuple[int, ...]]] = {
    "list_folds": (np.uint64, (2,)),
    "list_owners": (np.uint16, ()),
    "list_turns": (np.uint8, ()),
}
"""A list entry: folded code (two words), row, direction. 19 bytes."""


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


def build_lists(arrays: Mapping[str, NDArray], quantizer: Quantizer) -> None:
    """Fill the list arrays from the columns; about 2 us a cylinder and 10 bytes of scratch.

    Parameters
    ----------
    arrays : mapping of name to array
        As in `shapes`; columns, offsets and positions are read, the lists filled.
    quantizer : Quantizer
    """
    count = len(arrays["angle"])
    lists = np.zeros(count, np.uint16)
    quantizer.assign(arrays["codes"], lists)
    order = np.zeros(count, np.int64)
    places = np.zeros(quantizer.lists, np.int64)
    starts, owners = arrays["list_starts"], arrays["list_owners"]
    sort_lists(lists, arrays["offsets"], starts, places, order, owners)
    lay_out_lists(arrays, order)


def lay_out_lists(arrays: Mapping[str, NDArray], order: NDArray[np.int64]) -> None:
    """Fill the list arrays, of which starts and owners are known.

    Parameters
    ----------
    arrays : mapping of name to array
        As in `shapes`; `list_owners` ascends within each list and is sorted by direction.
    order : (C,) int64
        The cylinder of each entry; sorted with the owners.
    """
    codes, angle, starts = arrays["codes"], arrays["angle"], arrays["list_starts"]
    owners = arrays["list_owners"]
    longest = int(np.diff(starts).max(initial=0))
    scratch = (np.zeros(longest, np.int64), np.zeros(longest, owners.dtype))
    turn_lists(starts, arrays["positions"], angle, order, owners, scratch)
    out = (arrays["list_folds"], arrays["list_turns"])
    fill_lists(order, 0, len(order), codes, angle, out)


EARLIER_LISTS = ("list_rows", "list_places", "list_folds", "list_owners", "list_turns")
"""What the lists of today are made from, and the columns, of segments of earlier versions."""


def lists_of_earlier(arrays: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """The list arrays of today, from those of a segment of version 1 or 2.

    Entries of version 1 held short codes under a mask of the list's own, row, place in the row and
    direction, ascending in row; those of version 2 are today's, but for rows of four bytes. Which
    list a cylinder belongs to has not changed. About 0.3 us a cylinder.

    Parameters
    ----------
    arrays : mapping of name to array
        Of the segment; rows, offsets, columns and what `EARLIER_LISTS` names have been checked.
    """
    columns = list_columns(len(arrays["row_ids"]))
    owner = columns["list_owners"][0]
    if "list_rows" not in arrays:
        return {"list_owners": arrays["list_owners"].astype(owner)}
    owners = arrays["list_rows"]
    order = arrays["offsets"][owners] + arrays["list_places"]
    out: dict[str, NDArray] = {
        name: np.zeros((len(owners), *entry), dtype) for name, (dtype, entry) in columns.items()
    }
    out["list_owners"][...] = owners
    lay_out_lists({**arrays, **out}, order)
    return out
