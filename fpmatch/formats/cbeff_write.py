"""`BiometricRecord` -> XML, as MOSIP writes it: elements in the order of the schema."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from fpmatch.checks import quoted
from fpmatch.errors import FormatError
from fpmatch.formats.cbeff_values import (
    NAMESPACE,
    BdbInfo,
    BiometricRecord,
    Bir,
    BirInfo,
    Quality,
    RegistryId,
)
from fpmatch.parameters import FORMATS

_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LARGEST = 2**32 - 1


def write(record: BiometricRecord) -> bytes:
    """Serialise; read again it gives an equal record.

    Raises
    ------
    FormatError
        If a text holds characters that XML has not, a number does not fit, or there are more
        records, or deeper ones, than are read.
    """
    if len(record.bir.each()) > FORMATS.max_records:
        raise FormatError(f"over {FORMATS.max_records} records")
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    body = _bir(record.bir, f" xmlns={quoteattr(NAMESPACE)}", 1)
    if body.count("<") - body.count("</") > FORMATS.xml_elements:
        raise FormatError(f"over {FORMATS.xml_elements} elements")
    return (head + body).encode("utf-8") + b"\n"


def _bir(bir: Bir, attributes: str, depth: int) -> str:
    if depth > FORMATS.xml_depth - 4:
        raise FormatError("records nested too deep to be read again")
    security = "" if bir.security_format is None else _registered("Format", bir.security_format)
    parts = [
        _version("Version", bir.version),
        _version("CBEFFVersion", bir.cbeff_version),
        _info(bir.info),
        "" if bir.about is None else _about(bir.about),
        _element("SBInfo", security) if security else "",
        *(_bir(one, "", depth + 1) for one in bir.records),
        _binary("BDB", bir.data),
        _binary("SB", bir.security),
        *(
            _element("Others", _element("Key", _text(key)) + _element("Value", _text(value)))
            for key, value in bir.others
        ),
    ]
    return f"<BIR{attributes}>{''.join(parts)}</BIR>"


def _info(info: BirInfo) -> str:
    return _element(
        "BIRInfo",
        _leaf("Creator", info.creator)
        + _leaf("Index", info.index)
        + _binary("Payload", info.payload)
        + _boolean("Integrity", info.integrity)
        + _leaf("CreationDate", info.created)
        + _leaf("NotValidBefore", info.not_before)
        + _leaf("NotValidAfter", info.not_after),
    )


def _about(about: BdbInfo) -> str:
    return _element(
        "BDBInfo",
        _binary("ChallengeResponse", about.challenge)
        + _leaf("Index", about.index)
        + _registered("Format", about.format)
        + _boolean("Encryption", about.encrypted)
        + _leaf("CreationDate", about.created)
        + _leaf("NotValidBefore", about.not_before)
        + _leaf("NotValidAfter", about.not_after)
        + _words("Type", about.types)
        + _words("Subtype", about.subtypes)
        + _leaf("Level", about.level)
        + _registered("Product", about.product)
        + _registered("CaptureDevice", about.device)
        + _registered("FeatureExtractionAlgorithm", about.extraction)
        + _registered("ComparisonAlgorithm", about.comparison)
        + _registered("CompressionAlgorithm", about.compression)
        + _leaf("Purpose", about.purpose)
        + _quality(about.quality),
    )


def _quality(quality: Quality | None) -> str:
    if quality is None:
        return ""
    score = ""
    if quality.score is not None:
        score = _element("Score", str(_number("a quality", quality.score)))
    return _element(
        "Quality",
        _registered("Algorithm", quality.algorithm)
        + score
        + _leaf("QualityCalculationFailed", quality.failed),
    )


def _version(name: str, version: tuple[int, int] | None) -> str:
    if version is None:
        return ""
    major, minor = (str(_number(name, number)) for number in version)
    return _element(name, _element("Major", major) + _element("Minor", minor))


def _number(name: str, value: int) -> int:
    if not 0 <= value <= _LARGEST:
        raise FormatError(f"{name} {quoted(value)} does not fit")
    return value


def _registered(name: str, entry: RegistryId | None) -> str:
    if entry is None:
        return ""
    organization = _element("Organization", _text(entry.organization))
    return _element(name, organization + _element("Type", _text(entry.type)))


def _words(name: str, words: Iterable[str]) -> str:
    for word in words:
        if not word or word.split() != [word]:
            raise FormatError(f"{name}: {quoted(word)} is no single word")
    return _leaf(name, " ".join(words))


def _boolean(name: str, value: bool | None) -> str:
    return "" if value is None else _element(name, "true" if value else "false")


def _binary(name: str, data: bytes) -> str:
    return _element(name, base64.b64encode(data).decode("ascii")) if data else ""


def _leaf(name: str, text: str) -> str:
    return _element(name, _text(text)) if text else ""


def _text(text: str) -> str:
    if _FORBIDDEN.search(text) is not None or text != text.strip():
        raise FormatError(f"{quoted(text)} cannot be written as XML")
    return escape(text, {"\r": "&#13;"})


def _element(name: str, content: str) -> str:
    return f"<{name}>{content}</{name}>"
