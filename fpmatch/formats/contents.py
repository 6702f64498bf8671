"""Templates and pictures out of content of any format."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fpmatch.errors import FormatError
from fpmatch.formats import cbeff, fir, itl_minutiae, itl_pictures
from fpmatch.formats.cbeff_values import BiometricRecord
from fpmatch.formats.fir_values import FingerImageRecord
from fpmatch.formats.itl_values import Transaction
from fpmatch.formats.pictures import Picture
from fpmatch.formats.source import Source
from fpmatch.formats.table import read
from fpmatch.formats.templates import to_templates
from fpmatch.formats.values import TemplateRecord
from fpmatch.template import Template
from fpmatch.types import FingerPosition


def templates_of(
    content: Any,
    *,
    position: FingerPosition | None = None,
    ppi: float | None = None,
    size: tuple[int, int] | None = None,
) -> list[Template]:
    """The templates that content of any format holds.

    Parameters
    ----------
    content : Template, TemplateRecord, Transaction or FingerImageRecord
        As `read` gives it.
    position : FingerPosition, optional
        Wins over what the content says.
    ppi : float, optional
        Resolution, pixels per inch; wins over what the content states.
    size : (int, int), optional
        Width and height of the image, pixels; wins over what the content states.

    Returns
    -------
    list of Template
        None for content that holds pictures only: see `pictures_of`.

    Raises
    ------
    FormatError
        If minutiae are malformed, or it is no content of a known format.
    ResolutionError
        If no credible resolution is stated and ``ppi`` is not given.
    """
    if isinstance(content, Template):
        return [content if position is None else replace(content, position=position)]
    if isinstance(content, TemplateRecord):
        return to_templates(content, position=position, ppi=ppi, size=size)
    if isinstance(content, Transaction):
        return itl_minutiae.templates(content, position=position, ppi=ppi, size=size)
    if isinstance(content, BiometricRecord):
        records = cbeff.fingers(content).templates
        return [
            template
            for record in records
            for template in to_templates(record, position=position, ppi=ppi, size=size)
        ]
    if isinstance(content, FingerImageRecord):
        return []
    raise FormatError(f"{type(content).__name__} is no content of a known format")


def pictures_of(content: Any) -> list[Picture]:
    """The fingerprint pictures that content of any format holds.

    Returns
    -------
    list of Picture
        Of a finger image record all, of a transaction those of Type-4, -13 and -14, of a CBEFF
        file those of its finger blocks that can be read; none of records of minutiae.

    Raises
    ------
    FormatError
        With the byte position, if a record of a transaction lacks its picture or states no number
        where one belongs.
    """
    if isinstance(content, FingerImageRecord):
        return fir.pictures(content)
    if isinstance(content, Transaction):
        return itl_pictures.pictures(content)
    if isinstance(content, BiometricRecord):
        return list(cbeff.fingers(content).pictures)
    if isinstance(content, Template | TemplateRecord):
        return []
    raise FormatError(f"{type(content).__name__} is no content of a known format")


def read_templates(
    source: Source,
    format: str | None = None,
    *,
    strict: bool = False,
    position: FingerPosition | None = None,
    ppi: float | None = None,
    size: tuple[int, int] | None = None,
) -> list[Template]:
    """Read the templates of a file of any format: one for each impression in it.

    Parameters
    ----------
    source, format, strict
        See `read`.
    position, ppi, size
        See `to_templates`: what the file does not say, or says wrong.

    Raises
    ------
    FormatError
        See `read`; also if there are no minutiae in the file.
    ResolutionError
        If the file states no credible resolution and ``ppi`` is not given.
    """
    content = read(source, format, strict=strict)
    found = templates_of(content, position=position, ppi=ppi, size=size)
    if not found:
        pictures = len(pictures_of(content))
        raise FormatError(f"no minutiae in the file, and {pictures} pictures: see pictures_of")
    return found
