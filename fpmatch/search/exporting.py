"""Templates out of a partition, under the policy; and what records were enrolled from."""

from __future__ import annotations

from itertools import islice

from fpmatch.checks import check_integer, check_text
from fpmatch.gallery import facts, origins
from fpmatch.search.looking import EXPORT, MOST_RECORDS, Look, look
from fpmatch.search.state import State
from fpmatch.types import RecordsRequest, StoredRecord, TemplatePage


def templates(
    state: State, partition: str, request: RecordsRequest, after: str, limit: int
) -> TemplatePage:
    """See `Engine.templates`.

    Parameters
    ----------
    state : State
        The open engine.
    partition : str
        Its name.
    request : RecordsRequest
        Who asks.
    after : str
        The last name of the page before.
    limit : int
        Records of a page.
    """
    check_text("after", after, longest=255)
    check_integer("limit", limit, 1, MOST_RECORDS)

    def read(open_: Look) -> tuple[TemplatePage, list[str]]:
        every = facts.names(state.gallery, partition, after)
        found = list(islice(((k, n) for k, n in every if open_.sees(k)), limit + 1))
        page = tuple(
            StoredRecord(
                open_.info(key, name), origins.fingers(state.gallery, key, events=open_.owner)
            )
            for key, name in found[:limit]
        )
        more = found[limit - 1][1] if len(found) > limit else ""
        return TemplatePage(partition, page, more), [one.info.record for one in page]

    return look(state, partition, request, EXPORT, read)


def taken(state: State, partition: str, record: str, event: str) -> frozenset[bytes]:
    """See `Engine.taken`.

    Parameters
    ----------
    state : State
        The open engine.
    partition : str
        Its name.
    record : str
        Its id.
    event : str
        Which event.
    """
    state.writable()
    check_text("partition", partition, longest=200)
    check_text("record", record, longest=255)
    check_text("event", event, longest=255)
    return origins.taken(state.gallery, partition, record, event)
