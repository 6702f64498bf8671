"""What an index's files hold of a finger: bytes to look for where none of them may be."""

from __future__ import annotations

import numpy as np

from fpmatch.descriptor import SearchTemplate
from fpmatch.descriptor import pack as joined
from fpmatch.descriptor.sketch import sketch
from fpmatch.index.row_layout import pack


def packed_codes(form: SearchTemplate) -> bytes:
    """Directions, sketches and codes of a search form as its row has them, wherever it lies."""
    forms = joined([form])
    _, row = pack(forms, sketch(forms))
    return row[1 : 1 + 18 * len(form) + np.count_nonzero(form.codes.view(np.uint8))].tobytes()


def pieces_of_codes(form: SearchTemplate) -> list[bytes]:
    """The same in pieces of sixteen bytes, and each sketch as a list has it."""
    row = packed_codes(form)
    listed = [one.tobytes() for one in sketch(joined([form]))]
    return [row[i : i + 16] for i in range(0, len(row) - 15, 16)] + listed
