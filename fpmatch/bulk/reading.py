"""One item's files to its record: hashed, read, extracted; what fails is said and stops nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from fpmatch.bulk.items import Failure, Item, Job, Outcome, Part, Reading, digest, sourced
from fpmatch.errors import ExtractionError, FormatError, FpmatchError, InputError
from fpmatch.finger import parse_position
from fpmatch.formats import pictures_of, recognise, templates_in, templates_of
from fpmatch.formats import read as read_format
from fpmatch.formats.ebts import fingers_of
from fpmatch.formats.itl_values import Transaction
from fpmatch.formats.source import read_bytes
from fpmatch.image import read_image
from fpmatch.template import Template, extract
from fpmatch.types import FingerPosition


def _never() -> bool:
    return False


def read_item(job: Job, stopping: Callable[[], bool] = _never) -> Outcome:
    """Read all files of an item.

    Parameters
    ----------
    job : Job
        If the item's digest is among its ``known`` ones nothing is extracted.
    stopping : callable
        Asked between two files; what was read before it says yes is taken.
    """
    item = job.item
    if item.problem is not None:
        return Outcome(failures=(Failure("", *item.problem),))
    if item.made is not None:
        return _of_record(job)
    return enrolled_already(job) or _extracted(item, job.reading, stopping)


def enrolled_already(job: Job) -> Outcome | None:
    """The outcome of an item whose files are those that its record was enrolled from."""
    if job.known:
        found = _digest(job.item, job.reading)
        if found in job.known:
            return Outcome(digest=found, skipped=True)
    return None


def fingers_in(
    data: bytes, position: FingerPosition, reading: Reading
) -> tuple[list[Template], tuple[str, ...]]:
    """The fingers that a file of any kind holds, and what of it was passed over.

    Parameters
    ----------
    data : bytes
        A picture, or a file of any format in `fpmatch.formats`.
    position : FingerPosition
        Which finger, where the file does not say.
    reading : Reading
        What else it may not say.

    Raises
    ------
    FormatError
        If it holds no finger. Other errors of ours where it cannot be read.
    """
    if recognise(data) is None:
        image = read_image(
            data,
            ppi=reading.ppi,
            trust_ppi=reading.trust_ppi,
            estimate=reading.estimate,
            isolated=reading.isolated,
        )
        return [extract(image, position=position, extractor=reading.extractor)], ()
    content = read_format(data)
    passed_over: tuple[str, ...] = ()
    if isinstance(content, Transaction):
        found, passed_over = fingers_of(
            content, extractor=reading.extractor, isolated=reading.isolated
        )
    else:
        found = templates_of(content, ppi=reading.ppi)
        for shown in [] if found else pictures_of(content):
            try:
                made, left_out = templates_in(
                    shown,
                    ppi=reading.ppi,
                    trust_ppi=reading.trust_ppi,
                    extractor=reading.extractor,
                    isolated=reading.isolated,
                )
            except ExtractionError as error:
                if shown.finger is not None:
                    raise
                passed_over += (str(error),)
                continue
            found += made
            passed_over += left_out
    if not found:
        raise FormatError(f"there is no finger in it: {'; '.join(passed_over) or 'it is empty'}")
    return [_placed(one, position) for one in found], passed_over


def _placed(template: Template, position: FingerPosition) -> Template:
    named = template.position is not FingerPosition.UNKNOWN
    return template if named or not position else replace(template, position=position)


def _of_record(job: Job) -> Outcome:
    """A record that came as it is: what is to be known of it is its digest."""
    made = job.item.made
    assert made is not None
    try:
        contents = [(hashlib.sha256(f.to_bytes()).hexdigest(), "") for f in made.fingers]
        found = digest(made, contents, Reading())
    except (AttributeError, TypeError, ValueError):
        # Of the types that it is: what cannot be enrolled is refused there, with the reason.
        found = b""
    if found and found in job.known:
        return Outcome(digest=found, skipped=True)
    sources = getattr(made, "sources", ())
    return Outcome(sourced(made, made.fingers, found, sources), found)


def _digest(item: Item, reading: Reading) -> bytes:
    """Of the item as its files are now; empty where one cannot be read."""
    contents = []
    for part in item.parts:
        try:
            contents.append((hashlib.sha256(read_bytes(part.path)).hexdigest(), part.position))
        except FpmatchError:
            return b""
    return digest(item, contents, reading)


def _extracted(item: Item, reading: Reading, stopping: Callable[[], bool]) -> Outcome:
    fingers: list[Template] = []
    sources: list[bytes] = []
    contents: list[tuple[str, str]] = []
    failures: list[Failure] = []
    passed_over: list[str] = []
    whole = True
    for part in item.parts:
        if stopping():
            whole = False
            break
        try:
            data = read_bytes(part.path)
            said = hashlib.sha256(data).digest()
            found, left_out = _read_part(part, data, said, reading)
        except FpmatchError as error:
            failures.append(Failure(part.path, type(error).__name__, str(error)))
        except Exception as error:
            # One item's misfortune, whatever it is, is not that of all others.
            what = f"reading it failed: {type(error).__name__}"
            failures.append(Failure(part.path, type(error).__name__, what))
        else:
            fingers += found
            sources += [bytes.fromhex(part.source) or said] * len(found)
            contents.append((said.hex(), part.position))
            passed_over += left_out
    complete = whole and not failures
    found_digest = digest(item, contents, reading) if complete else b""
    record = sourced(item, fingers, found_digest, sources) if fingers else None
    return Outcome(record, found_digest, False, tuple(failures), tuple(passed_over), whole)


def _read_part(
    part: Part, data: bytes, said: bytes, reading: Reading
) -> tuple[list[Template], tuple[str, ...]]:
    if part.digest and part.digest != said.hex():
        raise InputError(f"it is not the file that is meant: its SHA-256 is {said.hex()}")
    position = parse_position(part.position) if part.position else reading.position
    return fingers_in(data, position, reading)


def in_this_process(
    jobs: Iterator[Job], stopping: Callable[[], bool]
) -> Iterator[tuple[Job, Outcome]]:
    """Read items one after the other, here.

    Parameters
    ----------
    jobs : iterator of Job
    stopping : callable
        See `read_item`.
    """
    for job in jobs:
        yield job, read_item(job, stopping)
