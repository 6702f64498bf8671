"""Messages of MOSIP's ABIS interface, specification 0.9: bytes -> `Message`, answers -> bytes."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fpmatch.checks import check_number, check_text, quoted
from fpmatch.errors import InputError
from fpmatch.parameters import FORMATS

_SUCCESS, _FAILED = "1", "2"
LONGEST = 255
"""Longest id of a request or reference, characters."""
LONGEST_URL = 4096
MOST_DIGITS = 18
LARGEST_FPIR = 300.0
"""-10*log10 of the rarest false positive that a message may ask for: rarer is no request."""
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?Z")
_WHOLE = re.compile(rf"\d{{1,{MOST_DIGITS}}}")
_DECIMAL = re.compile(rf"\d{{1,{MOST_DIGITS}}}(\.\d{{1,{MOST_DIGITS}}})?")


class Operation(enum.StrEnum):
    """What a message asks for: its ``id``."""

    INSERT = "mosip.abis.insert"
    IDENTIFY = "mosip.abis.identify"
    DELETE = "mosip.abis.delete"
    PING = "mosip.abis.ping"
    PENDING = "mosip.abis.pendingJobs"
    COUNT = "mosip.abis.referenceCount"


class FailureReason(enum.IntEnum):
    """Why a message was not served: its ``failureReason``. Closed."""

    INTERNAL = 1
    ABORTED = 2
    UNEXPECTED = 3
    INVALID_REQUEST = 4
    NO_REFERENCE = 5
    NO_REQUEST_ID = 6
    NOT_FETCHED = 7
    NO_URL = 8
    NO_TIME = 9
    EXISTS = 10
    NO_DATA = 11
    NOT_FOUND = 12
    INVALID_VERSION = 13
    INVALID_ID = 14
    INVALID_TIME = 15
    INVALID_CBEFF = 16
    EXPIRED = 17
    POOR_QUALITY = 18


@dataclass(frozen=True, slots=True)
class Message:
    """A well-formed message.

    Parameters
    ----------
    operation : Operation
    request : str
        Id of the request, which the answer repeats.
    time : datetime
        When it was sent, as it says.
    reference : str
        Id of a registration; "" where the operation takes none.
    url : str
        Where its biometrics are; "" if it names none.
    max_results : int or None
        Most candidates asked for.
    target_fpir : float or None
        -10*log10 of the false positive identification rate asked for.
    gallery : tuple of str or None
        The references to compare with; None for all.
    """

    operation: Operation
    request: str
    time: datetime
    reference: str = ""
    url: str = ""
    max_results: int | None = None
    target_fpir: float | None = None
    gallery: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that cannot be served, with as much of it as the answer can repeat.

    Parameters
    ----------
    id, request : str
        "" where it does not say.
    reason : FailureReason
    why : str
        For the log of who serves; no part of the answer.
    """

    id: str
    request: str
    reason: FailureReason
    why: str


class _Wrong(Exception):
    """Carries a reason out of the parser."""

    def __init__(self, reason: FailureReason, why: str) -> None:
        super().__init__(why)
        self.reason = reason


def parse(data: bytes, versions: tuple[str, ...] = ("1.1",)) -> Message | Failure:
    """Read a message; whatever is wrong with it is a `Failure`.

    Parameters
    ----------
    data : bytes
        JSON in UTF-8.
    versions : tuple of str
        Values of ``version`` that are taken.

    Returns
    -------
    Message or Failure
        Fields are looked at in the order id, version, requestId, requesttime, referenceId,
        referenceURL, flags, gallery; the first fault counts. Fields of no meaning here are passed
        over.
    """
    try:
        fields = _object(data)
    except _Wrong as wrong:
        return Failure("", "", wrong.reason, str(wrong))
    try:
        return _message(fields, versions)
    except _Wrong as wrong:
        return Failure(
            _shown(fields.get("id")), _shown(fields.get("requestId")), wrong.reason, str(wrong)
        )


def _object(data: bytes) -> dict[str, Any]:
    if len(data) > FORMATS.message_bytes:
        raise _invalid(f"over {FORMATS.message_bytes} bytes")
    try:
        found = json.loads(
            data.decode("utf-8-sig"), object_pairs_hook=_distinct, parse_constant=_no_number
        )
    except RecursionError:
        raise _invalid("nested too deep") from None
    except ValueError as error:
        raise _invalid(f"no JSON ({type(error).__name__})") from None
    if not isinstance(found, dict):
        raise _invalid("no object")
    return found


def _invalid(why: str) -> _Wrong:
    return _Wrong(FailureReason.INVALID_REQUEST, why)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _invalid("a name stands twice")
    return found


def _no_number(name: str) -> float:
    raise _invalid(f"{name} is no number of JSON")


def _shown(value: object) -> str:
    """What an answer repeats of a field that may be anything."""
    try:
        return check_text("a field", value, longest=LONGEST)
    except InputError:
        return ""


def _message(fields: Mapping[str, Any], versions: tuple[str, ...]) -> Message:
    name = fields.get("id")
    if not isinstance(name, str) or name not in set(Operation):
        raise _Wrong(FailureReason.INVALID_ID, f"id {quoted(name)}")
    operation = Operation(name)
    if fields.get("version") not in versions:
        raise _Wrong(FailureReason.INVALID_VERSION, f"version {quoted(fields.get('version'))}")
    request = _text(fields, "requestId", LONGEST)
    if not request:
        raise _Wrong(FailureReason.NO_REQUEST_ID, "no requestId")
    time = _time(fields)
    reference = url = ""
    if operation in (Operation.INSERT, Operation.IDENTIFY, Operation.DELETE):
        reference = _text(fields, "referenceId", LONGEST)
    if operation in (Operation.INSERT, Operation.IDENTIFY):
        url = _text(fields, "referenceURL", LONGEST_URL)
    named = reference or (operation is Operation.IDENTIFY and url)
    if operation in (Operation.INSERT, Operation.IDENTIFY, Operation.DELETE) and not named:
        raise _Wrong(FailureReason.NO_REFERENCE, "no referenceId")
    if operation is Operation.INSERT and not url:
        raise _Wrong(FailureReason.NO_URL, "no referenceURL")
    message = Message(operation, request, time, reference, url)
    if operation is not Operation.IDENTIFY:
        return message
    flags = fields.get("flags")
    if flags is not None and not isinstance(flags, dict):
        raise _invalid("flags are no object")
    return Message(
        operation,
        request,
        time,
        reference,
        url,
        _max_results(flags or {}),
        _target_fpir(flags or {}),
        _gallery(fields.get("gallery")),
    )


def _text(fields: Mapping[str, Any], name: str, longest: int) -> str:
    """A text that may be absent or null; blank is as absent."""
    value = fields.get(name)
    if value is None:
        return ""
    try:
        return check_text(name, value, longest=longest).strip()
    except InputError as error:
        raise _invalid(str(error)) from None


def _time(fields: Mapping[str, Any]) -> datetime:
    value = fields.get("requesttime")
    if value is None or value == "":
        raise _Wrong(FailureReason.NO_TIME, "no requesttime")
    wrong = _Wrong(FailureReason.INVALID_TIME, f"requesttime {quoted(value)}")
    found = _TIME.fullmatch(value) if isinstance(value, str) and value.isascii() else None
    if found is None:
        raise wrong
    try:
        # Fractions of a second are those of a log, and no decision depends on them.
        return datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
    except ValueError:
        raise wrong from None


def _max_results(flags: Mapping[str, Any]) -> int | None:
    value = flags.get("maxResults")
    if value is None or value == "":
        return None
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not text.isascii() or _WHOLE.fullmatch(text) is None:
        raise _invalid(f"maxResults {quoted(value)} is no number of 1 to {MOST_DIGITS} digits")
    return int(text)


def _target_fpir(flags: Mapping[str, Any]) -> float | None:
    value = flags.get("targetFPIR")
    if value is None or value == "":
        return None
    if isinstance(value, str):
        if not value.isascii() or _DECIMAL.fullmatch(value) is None:
            raise _invalid(f"targetFPIR {quoted(value)} is no number")
        value = float(value)
    try:
        return check_number("targetFPIR", value, 0.0, LARGEST_FPIR)
    except InputError as error:
        raise _invalid(str(error)) from None


def _gallery(value: object) -> tuple[str, ...] | None:
    """The references listed. An empty list is refused: some mean all by it and some mean none."""
    if value is None:
        return None
    listed = value.get("referenceIds") if isinstance(value, dict) else None
    if not isinstance(listed, list) or not listed:
        raise _invalid("gallery without referenceIds")
    if len(listed) > FORMATS.message_references:
        raise _invalid(f"gallery of over {FORMATS.message_references} references")
    found = []
    for one in listed:
        name = _text(one, "referenceId", LONGEST) if isinstance(one, dict) else ""
        if not name:
            raise _invalid("a referenceId of the gallery is missing")
        found.append(name)
    return tuple(dict.fromkeys(found))


def succeeded(message: Message, at: datetime, more: Mapping[str, Any] | None = None) -> bytes:
    """The answer to a message that was served.

    Parameters
    ----------
    message : Message
    at : datetime
        Now.
    more : mapping of str, optional
        What the operation adds: ``candidateList``, ``jobscount``, ``count``.
    """
    return _answer(message.operation.value, message.request, at, _SUCCESS, more or {})


def failed(failure: Failure, at: datetime) -> bytes:
    """The answer to one that was not.

    Parameters
    ----------
    failure : Failure
    at : datetime
        Now.
    """
    reason = {"failureReason": str(int(failure.reason))}
    return _answer(failure.id, failure.request, at, _FAILED, reason)


def _answer(name: str, request: str, at: datetime, value: str, more: Mapping[str, Any]) -> bytes:
    time = at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    said = {"id": name, "requestId": request, "responsetime": time, "returnValue": value}
    return json.dumps({**said, **more}, separators=(",", ":")).encode("ascii")
