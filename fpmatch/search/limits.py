"""How much one call may ask of an engine."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from dataclasses import dataclass

from fpmatch.checks import check_integer
from fpmatch.errors import InputError
from fpmatch.parameters import FORMATS, SEARCH
from fpmatch.types import Record, SearchRequest
from fpmatch.types.checked import MOST_FINGERS


@dataclass(frozen=True, slots=True)
class Limits:
    """What a call is refused beyond, before any of it is done; for `Engine.open`.

    A picture's size is limited where it is read: ``read_image(max_pixels=)`` and
    ``parameters.IMAGE.max_pixels``.

    Parameters
    ----------
    enrol_records : int or None
        Records of one `Engine.enrol`; None: any number. A source that does not know its length is
        read so far, and what it gave until then is enrolled.
    searches : int
        Submissions of one `Engine.search_many`: their answers are held until the last is ready.
    fingers : int
        Impressions of one submission, 1 to 100.
    message_bytes : int
        Bytes of one message or transaction (`Engine.abis`, `Engine.transact`).

    Raises
    ------
    InputError
        If one is no such number.
    """

    enrol_records: int | None = None
    searches: int = SEARCH.most_searches
    fingers: int = MOST_FINGERS
    message_bytes: int = FORMATS.max_bytes

    def __post_init__(self) -> None:
        if self.enrol_records is not None:
            check_integer("enrol_records", self.enrol_records, 1, 2**62)
        check_integer("searches", self.searches, 1, 2**31)
        check_integer("fingers", self.fingers, 1, MOST_FINGERS)
        check_integer("message_bytes", self.message_bytes, 1, FORMATS.max_bytes)

    def submission(self, request: SearchRequest) -> None:
        """InputError if a submission has more impressions than one may have."""
        count = len(request.fingers)
        if count > self.fingers:
            raise InputError(f"a submission has {self.fingers} fingers at most, not {count}")

    def several(self, count: int) -> None:
        """InputError if so many submissions are more than one call may have."""
        if count > self.searches:
            raise InputError(f"a call has {self.searches} submissions at most, not {count}")

    def message(self, data: object) -> None:
        """InputError if a message is too long; what is none is left to who reads it."""
        if isinstance(data, bytes | bytearray | memoryview) and len(data) > self.message_bytes:
            raise InputError(f"a message has {self.message_bytes} bytes at most, not {len(data)}")

    def source(
        self, source: object, numbered: Iterator[tuple[int, Record]]
    ) -> Iterator[tuple[int, Record]]:
        """Items of a source, as many as a call may have.

        Parameters
        ----------
        source : object
            What was handed in.
        numbered : iterator of (int, Record)
            Its items.

        Raises
        ------
        InputError
            If it has more: at once where it knows how many, else when the first of them comes.
        """
        most = self.enrol_records
        if most is None:
            return numbered
        if isinstance(source, Sized) and not isinstance(source, str) and len(source) > most:
            raise InputError(f"a call enrols {most} records at most, not {len(source)}")
        return self._counted(numbered, most)

    def _counted(
        self, numbered: Iterator[tuple[int, Record]], most: int
    ) -> Iterator[tuple[int, Record]]:
        for number, item in numbered:
            if number >= most:
                raise InputError(f"a call enrols {most} records at most; the source has more")
            yield number, item
