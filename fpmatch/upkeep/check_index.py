"""What is derived from the records, against them: index, columns."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fpmatch.descriptor import encode_many
from fpmatch.errors import FpmatchError
from fpmatch.gallery import Gallery, snapshot
from fpmatch.gallery.loading import from_tables
from fpmatch.gallery.partition_names import folder_name
from fpmatch.index import PartitionIndex, contents, placing
from fpmatch.upkeep.finding import REBUILD, Finding

_BATCH = 256


def check_columns(gallery: Gallery, partition: str) -> Iterator[Finding]:
    """The copy of a partition's columns, if it claims to show the state of now."""
    key = gallery.key_of(partition)
    path = snapshot.path_of(gallery.folder, key)
    stamp = gallery.stamps.now().get(key)
    files = gallery.cipher.files
    if stamp is None or not path.exists() or not snapshot.claims(path, stamp, files):
        return  # Passed over, and made anew, whatever is in it.
    found = snapshot.read(gallery.folder, key, stamp, files)
    columns = from_tables(gallery.database, key)
    if columns.unnamed:
        return  # The copy may be the last place that has a damaged record's name.
    true = columns.snapshot()
    same = (
        found is not None
        and found.bans == true.bans
        and found.arrays.keys() == true.arrays.keys()
        and all(np.array_equal(found.arrays[n], true.arrays[n]) for n in true.arrays)
    )
    if not same:
        what = "it claims the state of now and does not show it"
        yield Finding(path.name, what, REBUILD, True, path.name)


def check_index(gallery: Gallery, partition: str, deep: bool) -> Iterator[Finding]:
    """Every block of the index, its rows against the gallery's; with `deep` also every form.

    Parameters
    ----------
    gallery : Gallery
        Open.
    partition : str
        Its name.
    deep : bool
        Whether search forms are computed again.
    """
    folder = f"index/{folder_name(partition)}"
    try:
        with placing.attach(gallery.folder / folder, gallery.cipher.files) as index:
            contents.verify_blocks(index)
            what = _differs(gallery, partition, index, deep)
    except FpmatchError as error:
        what = str(error)
    if what:
        yield Finding(folder, what, REBUILD, True, folder)


def _differs(gallery: Gallery, partition: str, index: PartitionIndex, deep: bool) -> str:
    columns = from_tables(gallery.database, gallery.key_of(partition))
    stored = np.flatnonzero(columns.row_record >= 0).astype(np.int64)
    held = index.row_ids()
    missing, extra = np.setdiff1d(stored, held), np.setdiff1d(held, stored)
    if len(missing) or len(extra):
        return f"it lacks {len(missing)} fingers and holds {len(extra)} that are no record's"
    if len(np.unique(held)) < len(held):
        return "it holds fingers twice"
    rows, positions = contents.positions(index)
    if not np.array_equal(columns.row_position[rows], positions):
        return "a finger is under another position"
    if deep:
        for first in range(0, len(stored), _BATCH):
            rows = stored[first : first + _BATCH]
            forms = encode_many([t for _, t in gallery.templates(partition, rows.tolist())])
            own = contents.forms(index, rows)
            if any(not np.array_equal(getattr(forms, n), getattr(own, n)) for n in contents.HELD):
                return "the search form of a finger is not that of its template"
        if name := contents.differs(index):
            return f"{name} is not what its rows give: searches may pass over a finger"
    return ""
