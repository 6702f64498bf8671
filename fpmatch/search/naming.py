"""By which name an asker means which record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from fpmatch.gallery import facts
from fpmatch.search.opaque_ids import opaque_id_of
from fpmatch.search.state import State


def key_of(state: State, partition: str, name: str, recipient: str | None) -> int | None:
    """The key of the record that an asker means; None if there is none of that name.

    Parameters
    ----------
    state : State
        The open engine.
    partition : str
        Its name.
    name : str
        The record's id; for a recipient to whom the partition is opaque the name that its
        candidates have, and no other: the id would tell whose name that is. It is looked for
        among those of all records, whether or not it is found on the way (about 5 us each).
    recipient : str or None
        To whom the partition is opaque, if it is.
    """
    if recipient is None:
        return facts.find(state.gallery, partition, name)
    every = facts.names(state.gallery, partition)
    found = {shown: key for key, shown in _opaque(state, partition, recipient, every)}
    return found.get(name)


def keys_of(
    state: State, partition: str, names: Sequence[str], recipient: str | None
) -> tuple[int, ...]:
    """The keys of the records that an asker means; see `key_of`. Those not found are left out.

    Parameters
    ----------
    state : State
        The open engine.
    partition : str
        Its name.
    names : sequence of str
        The records' ids, or the names that they have for who asks.
    recipient : str or None
        To whom the partition is opaque, if it is: then all its names are made once.
    """
    if len(names) == 1 or recipient is None:
        found = (key_of(state, partition, name, recipient) for name in dict.fromkeys(names))
        return tuple(key for key in found if key is not None)
    wanted = frozenset(names)
    every = _opaque(state, partition, recipient, facts.names(state.gallery, partition))
    return tuple(key for key, name in every if name in wanted)


def shown(
    state: State, partition: str, recipient: str | None, after: str
) -> Iterator[tuple[int, str]]:
    """Key and name of every record, as an asker knows it, ascending by name.

    Parameters
    ----------
    state : State
        The open engine.
    partition : str
        Its name.
    recipient : str or None
        To whom the partition is opaque, if it is: then all names are made before the first one
        is given.
    after : str
        Begin behind this name.
    """
    if recipient is None:
        yield from facts.names(state.gallery, partition, after)
        return
    every = facts.names(state.gallery, partition)
    named = sorted((name, key) for key, name in _opaque(state, partition, recipient, every))
    yield from ((key, name) for name, key in named if name > after)


def _opaque(
    state: State, partition: str, recipient: str, records: Iterable[tuple[int, str]]
) -> Iterator[tuple[int, str]]:
    for key, record in records:
        yield key, opaque_id_of(state, recipient, partition, record)
