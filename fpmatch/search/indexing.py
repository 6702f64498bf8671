"""Stored rows into the index: laid out beforehand, or made from what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from fpmatch.descriptor import PackedTemplates, SearchTemplate, encode, encode_many, pack
from fpmatch.errors import FpmatchError
from fpmatch.gallery import NewRow, following
from fpmatch.gallery.putting import Contents, stored_form
from fpmatch.index import Batch, Part
from fpmatch.parameters import SEARCH
from fpmatch.search.state import State
from fpmatch.template import Template
from fpmatch.types import Record


@dataclass(frozen=True, slots=True)
class Forms(Mapping[bytes, SearchTemplate]):
    """Search forms by the template's bytes, each made when it is asked for.

    Parameters
    ----------
    packed : PackedTemplates
    numbers : dict of bytes to int
        Which of them is whose.
    """

    packed: PackedTemplates
    numbers: dict[bytes, int]

    def __getitem__(self, content: bytes) -> SearchTemplate:
        return self.packed[self.numbers[content]]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(slots=True)
class Ready:
    """Search forms of a batch that is about to be enrolled: most of the work.

    Parameters
    ----------
    forms : mapping of bytes to SearchTemplate
        Of all that can be enrolled, by the template's bytes.
    numbers : dict of (int, int) to int
        The form of an item's finger in the batch, by number of the item and place in it.
    batch : Batch or None
        Laid out; None where there is no form.
    contents : dict of int to (Template, bytes)
        The templates and their bytes, by `id` of the template.
    part : Part or None
        The rows as they are stored, once their ids are known; None where not all were taken.
    """

    state: State
    partition: str
    forms: Mapping[bytes, SearchTemplate] = field(default_factory=dict)
    numbers: dict[tuple[int, int], int] = field(default_factory=dict)
    batch: Batch | None = None
    contents: Contents = field(default_factory=dict)
    part: Part | None = None

    @classmethod
    def of(
        cls,
        state: State,
        partition: str,
        items: Sequence[tuple[int, object]],
        contents: Contents | None = None,
    ) -> Ready:
        """Make the forms of a batch while searches go on.

        Parameters
        ----------
        state : State
            The open engine.
        partition : str
            Its name.
        items : sequence of (int, object)
            Numbered; what is no record has no form.
        contents : dict of int to (Template, bytes), optional
            As `Ready.contents`, as far as it is known.
        """
        out = cls(state, partition, contents=contents or {})
        if state.shards is not None:
            return out
        fingers: list[Template] = []
        numbers: dict[bytes, int] = {}
        for number, record in items:
            several = record.fingers if isinstance(record, Record) else ()
            for place, finger in enumerate(several if isinstance(several, list | tuple) else ()):
                if isinstance(finger, Template) and len(finger):
                    numbers.setdefault(stored_form(finger, out.contents), len(fingers))
                    out.numbers[number, place] = len(fingers)
                    fingers.append(finger)
        if fingers:
            positions = np.array([int(finger.position) for finger in fingers], np.uint8)
            packed = encode_many(fingers)
            out.forms = Forms(packed, numbers)
            out.batch = state.indexes[partition].batch(packed, positions)
        return out

    def announce(self, rows: Sequence[NewRow]) -> None:
        """Hand readers what is about to be committed.

        Parameters
        ----------
        rows : sequence of NewRow
            Ascending.
        """
        if self.batch is None:
            return
        kept = [self.numbers[row.item, row.place] for row in rows]
        ids = np.array([row.row for row in rows], np.int64)
        self.part = self.batch.numbered(np.array(kept, np.int64), ids)
        if self.part is not None:
            of = following.digest((row.row, int(row.position), row.sha256) for row in rows)
            self.state.indexes[self.partition].announce(self.part, of)

    def add(self, rows: list[NewRow]) -> None:
        """Bring the rows into the index, now that they are stored.

        Parameters
        ----------
        rows : list of NewRow

        Raises
        ------
        FpmatchError, OSError
            As `index_rows`.
        """
        if self.part is not None:
            self.state.indexes[self.partition].add_part(self.part)
        elif rows:
            index_rows(self.state, self.partition, rows, self.forms)

    def settle(self) -> None:
        """Join what is in memory, while searches go on."""
        if self.part is not None:
            self.state.indexes[self.partition].join_memory()


def index_rows(
    state: State,
    partition: str,
    rows: list[NewRow],
    forms: Mapping[bytes, SearchTemplate] | None = None,
) -> None:
    """Bring stored rows into the partition's index, or have hosts follow.

    All of them, also where an addition raises what went wrong in the background before it.

    Parameters
    ----------
    state : State
        The open engine.
    partition : str
        Its name.
    rows : list of NewRow
        Stored, with their templates.
    forms : mapping of bytes to SearchTemplate, optional
        Search forms at hand, by the template's bytes; others are computed here.

    Raises
    ------
    FpmatchError, OSError
        The first that an addition raised.
    """
    if state.shards is not None:
        state.shards.level(partition)
        return
    forms = forms or {}
    first: Exception | None = None
    for few in _batched(rows, SEARCH.enrol_batch):
        stored = dict(state.gallery.stored_templates(partition, [r.row for r in few]))
        found = [r for r in few if r.row in stored]
        if found:
            try:
                state.indexes[partition].add(
                    np.array([r.row for r in found], np.int64),
                    pack([_form(stored[r.row], forms) for r in found]),
                    np.array([int(r.position) for r in found], np.uint8),
                )
            except (OSError, FpmatchError) as error:
                first = first or error
    if first is not None:
        raise first


def _form(content: bytes, forms: Mapping[bytes, SearchTemplate]) -> SearchTemplate:
    """The search form of a stored template, at hand or computed here."""
    form = forms.get(content)
    return encode(Template.from_bytes(content)) if form is None else form


def _batched(rows: Iterable[NewRow], size: int) -> Iterator[list[NewRow]]:
    each = iter(rows)
    while few := list(islice(each, size)):
        yield few
