"""What a referenceURL stands for: fetched by the caller, read here, brought into templates."""

from __future__ import annotations

import json
import logging

from fpmatch.checks import quoted
from fpmatch.errors import ExtractionError, FormatError, FpmatchError, InputError
from fpmatch.formats import cbeff
from fpmatch.formats.abis import Adapter, Expired, Fetch
from fpmatch.formats.abis_messages import FailureReason
from fpmatch.formats.cbeff_values import NAME as CBEFF
from fpmatch.formats.pictures import Picture
from fpmatch.formats.table import read
from fpmatch.formats.templates import to_templates
from fpmatch.parameters import FORMATS
from fpmatch.template import QUALITY_UNKNOWN, Template, extract
from fpmatch.types.checked import MOST_FINGERS

log = logging.getLogger(__name__)

_EXPIRED = "expired"


class Refused(Exception):
    """Carries a reason out of an operation; it never leaves `serve`.

    Parameters
    ----------
    reason : FailureReason
    why : str
    """

    def __init__(self, reason: FailureReason, why: str) -> None:
        super().__init__(why)
        self.reason = reason


def fetched(fetch: Fetch, url: str) -> bytes:
    """The file behind an address.

    Parameters
    ----------
    fetch : callable
        The caller's.
    url : str
        The address.

    Raises
    ------
    InputError
        If the caller's function gives no bytes.
    """
    try:
        data = fetch(url)
    except Expired:
        raise Refused(FailureReason.EXPIRED, "the address has expired") from None
    except Exception as error:
        # Whatever a network, a token or a key may raise: not its words, which may hold either.
        raise Refused(FailureReason.NOT_FETCHED, type(error).__name__) from None
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InputError(f"fetch must give bytes, not {quoted(data)}")
    data = bytes(data)
    if not data:
        raise Refused(FailureReason.NO_DATA, "an empty file")
    if len(data) > FORMATS.max_bytes:
        raise Refused(FailureReason.INVALID_CBEFF, f"over {FORMATS.max_bytes} bytes")
    said = _error_of(data)
    if said is not None:
        expired = _EXPIRED in said.lower()
        raise Refused(FailureReason.EXPIRED if expired else FailureReason.NOT_FETCHED, said)
    return data


def _error_of(data: bytes) -> str | None:
    """What MOSIP's data share says instead of the file: an error, as JSON, with status 200."""
    if data.lstrip()[:1] != b"{" or len(data) > FORMATS.message_bytes:
        return None
    try:
        errors = json.loads(data).get("errors")
        return " ".join(str(error.get("message")) for error in errors)[:200]
    except (ValueError, RecursionError, AttributeError, TypeError):
        return None


def fingers_of(adapter: Adapter, data: bytes) -> tuple[Template, ...]:
    """Templates of the fingers in a CBEFF file; what is left out goes into the module's log.

    Parameters
    ----------
    adapter : Adapter
        Says which pictures are good enough.
    data : bytes
        The file.
    """
    if cbeff.recognise(data) is None:
        raise Refused(FailureReason.INVALID_CBEFF, "no CBEFF file")
    try:
        held = cbeff.fingers(read(data, CBEFF))
    except FormatError as error:
        raise Refused(FailureReason.INVALID_CBEFF, str(error)) from None
    taken: list[Template] = []
    passed_over = list(held.passed_over)
    poor, unreadable = 0, held.unreadable
    for picture in held.pictures:
        try:
            taken.append(_extracted(adapter, picture))
        except ExtractionError as error:
            poor += 1
            passed_over.append(str(error)[:120])
        except FpmatchError as error:
            unreadable += 1
            passed_over.append(str(error)[:120])
    for record in held.templates:
        try:
            taken += [template for template in to_templates(record) if len(template)]
        except FpmatchError as error:
            unreadable += 1
            passed_over.append(str(error)[:120])
    for why in passed_over:
        log.info("passed over in a CBEFF file: %s", why)
    if len(taken) > MOST_FINGERS:
        raise Refused(FailureReason.INVALID_CBEFF, f"over {MOST_FINGERS} fingers")
    if not taken:
        reason = FailureReason.NO_DATA
        if unreadable:
            reason = FailureReason.INVALID_CBEFF
        if poor:
            reason = FailureReason.POOR_QUALITY
        raise Refused(reason, "; ".join(passed_over)[:200] or "no finger in the file")
    return tuple(taken)


def _extracted(adapter: Adapter, picture: Picture) -> Template:
    if picture.finger is None:
        raise FormatError(f"position {quoted(picture.positions[0])} is no single finger")
    found = extract(
        picture.read(isolated=adapter.isolated),
        position=picture.finger,
        impression=picture.impression_type,
        extractor=adapter.extractor,
    )
    quality = found.image_quality
    if quality != QUALITY_UNKNOWN and quality < adapter.least_quality:
        raise ExtractionError(f"a picture of quality {quality}, under {adapter.least_quality}")
    return found
