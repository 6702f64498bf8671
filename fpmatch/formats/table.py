"""The table of formats, and reading and writing by it.

A new format is a file with a `Codec` and a line here.
"""

from __future__ import annotations

from typing import Any

from fpmatch.checks import quoted
from fpmatch.errors import FormatError
from fpmatch.formats import cbeff, fir, fmr, itl, stored, xyt
from fpmatch.formats.codec import Codec
from fpmatch.formats.source import Source, read_bytes
from fpmatch.template import Template

CODECS: tuple[Codec, ...] = (
    fmr.CODEC,
    fir.CODEC,
    stored.CODEC,
    itl.CODEC,
    cbeff.CODEC,
    xyt.CODEC,
)

NAMES = tuple(name for codec in CODECS for name in codec.names)


def recognise(source: Source) -> str | None:
    """The format of a file, by its content alone.

    Returns
    -------
    str or None
        A name in `NAMES`; None if it is of no known format (an image, say).

    Raises
    ------
    FormatError
        If it is of a known family beyond doubt and too damaged to tell which member.
    InputError
        If the source cannot be read.
    """
    data = read_bytes(source)
    found = (codec.recognise(data) for codec in CODECS)
    return next((name for name in found if name is not None), None)


def read(source: Source, format: str | None = None, *, strict: bool = False) -> Any:
    """Read a file of any known format.

    Parameters
    ----------
    source : path, bytes or binary file object
    format : str, optional
        A name in `NAMES`; by default what `recognise` says.
    strict : bool
        Refuse what departs from its standard; otherwise the content's ``deviations`` say what did.

    Returns
    -------
    content
        All that the file holds: a `TemplateRecord`, `FingerImageRecord`, `Transaction`,
        `BiometricRecord`, or a `Template` for ``fpt``.

    Raises
    ------
    FormatError
        If the file is damaged or, with ``strict``, deviates; with the byte position.
    InputError
        If the source cannot be read.

    Notes
    -----
    Cost: linear in the size of the file, in time and memory. Safe to call from several threads.
    """
    data = read_bytes(source)
    content = _find(data) if format is None else codec_of(format).read(data, format)
    deviations = getattr(content, "deviations", ())
    if strict and deviations:
        more = f" (and {len(deviations) - 1} more)" if len(deviations) > 1 else ""
        raise FormatError(f"{deviations[0].what}{more}", deviations[0].at)
    return content


def _find(data: bytes) -> Any:
    for codec in CODECS:
        if codec.find is not None:
            content = codec.find(data)
            if content is not None:
                return content
        else:
            name = codec.recognise(data)
            if name is not None:
                return codec.read(data, name)
    raise FormatError(f"{len(data)} bytes of no known format ({', '.join(NAMES)})")


def write(content: Any) -> bytes:
    """Serialise content in the format that it is of.

    Raises
    ------
    FormatError
        If a value does not fit the format, or the content is of none.
    """
    return codec_of(format_of(content)).write(content)


def format_of(content: Any) -> str:
    """The name of the format that content is of.

    Raises
    ------
    FormatError
        If it is no content of a known format.
    """
    if isinstance(content, Template):
        return stored.NAMES[0]
    name = getattr(content, "format", None)
    if not isinstance(name, str):
        raise FormatError(f"{type(content).__name__} is no content of a known format")
    return name


def codec_of(name: str) -> Codec:
    """The codec of a format by its name.

    Raises
    ------
    FormatError
        If there is no such format.
    """
    for codec in CODECS:
        if name in codec.names:
            return codec
    raise FormatError(f"no format {quoted(name)}; known are {', '.join(NAMES)}")
