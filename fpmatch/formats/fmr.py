"""ISO/IEC 19794-2:2005 and :2011, INCITS 378-2004, -2007 (draft), -2009 and its amendment."""

from __future__ import annotations

from fpmatch.formats.codec import Codec
from fpmatch.formats.fmr_layouts import BY_NAME, LAYOUTS, MAGIC
from fpmatch.formats.fmr_read import layout_of, parse
from fpmatch.formats.fmr_write import write
from fpmatch.formats.values import TemplateRecord


def find(data: bytes) -> TemplateRecord | None:
    """Read in the layout that fits best; see `layout_of`."""
    return layout_of(data)[1] if data.startswith(MAGIC) else None


def recognise(data: bytes) -> str | None:
    """The layout that fits best; see `layout_of`."""
    found = find(data)
    return None if found is None else found.format


def read(data: bytes, name: str) -> TemplateRecord:
    """Read in the named layout."""
    return parse(BY_NAME[name], data)


CODEC = Codec(tuple(layout.name for layout in LAYOUTS), recognise, read, write, find)
