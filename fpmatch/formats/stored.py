"""``.fpt``: the stored form of a `Template`, as `Template.to_bytes` writes it."""

from __future__ import annotations

from fpmatch.errors import FormatError, TemplateError
from fpmatch.formats.codec import Codec
from fpmatch.template import Template

NAMES = ("fpt",)
_MAGIC = b"FPT"


def recognise(data: bytes) -> str | None:
    """``fpt`` if the magic is there."""
    return NAMES[0] if data.startswith(_MAGIC) else None


def read(data: bytes, name: str) -> Template:
    """Read a stored template; damage is a `FormatError`, as of every format."""
    try:
        return Template.from_bytes(data)
    except TemplateError as error:
        raise FormatError(f"stored template: {error}") from error


def write(template: Template) -> bytes:
    """The stored form."""
    return template.to_bytes()


CODEC = Codec(NAMES, recognise, read, write)
