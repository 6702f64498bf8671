"""Bytes of XML -> a small tree: no document type, no entities of its own, everything bounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat

from fpmatch.errors import FormatError
from fpmatch.parameters import FORMATS

_SPACE = " "
"""Between namespace and name; no namespace holds one that is one."""


_NO_ATTRIBUTES: Mapping[str, str] = {}


@dataclass(slots=True)
class Node:
    """An element.

    Parameters
    ----------
    name : str
        Without its namespace.
    space : str
        The namespace; "" for none.
    at : int
        Bytes from the start of the file to its tag.
    attributes : mapping of str
    text : str
        All text directly in it, stripped.
    children : sequence of Node
    """

    name: str
    space: str
    at: int
    attributes: Mapping[str, str]
    text: str = ""
    children: Sequence[Node] = ()


def parse(data: bytes) -> Node:
    """Parse a document.

    Raises
    ------
    FormatError
        With the byte position, if it is not well-formed, declares a document type, is nested
        deeper than `FORMATS.xml_depth` or has more elements than `FORMATS.xml_elements`.

    Notes
    -----
    Cost: linear, in time and memory. Nothing outside the bytes is ever read.
    """
    builder = _Builder()
    try:
        builder.parser.Parse(data, True)
    except expat.ExpatError as error:
        # ``at`` is where the parser stood, which for a file cut short is its end.
        at = max(builder.parser.ErrorByteIndex, 0)
        said = expat.ErrorString(error.code) or "malformed"
        raise FormatError(f"XML: {said}", at) from None
    except (ValueError, LookupError) as error:
        # What Python's codecs say of an encoding that the parser asks them for.
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"XML: an encoding that is not read ({type(error).__name__})", 0) from (
            None
        )
    assert builder.root is not None
    return builder.root


class _Builder:
    """The handlers of one parse."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[Node] = []
        self._text: list[list[str]] = []
        self._children: list[list[Node]] = []
        self._count = 0
        self._names: dict[str, str] = {}
        parser = expat.ParserCreate(namespace_separator=_SPACE)
        parser.buffer_text = True
        parser.buffer_size = 1 << 16
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        self.parser = parser

    def _refuse(self, *_: Any) -> None:
        raise FormatError("XML: a document type declaration", self.parser.CurrentByteIndex)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        at = self.parser.CurrentByteIndex
        self._count += 1
        if self._count > FORMATS.xml_elements:
            raise FormatError(f"XML: over {FORMATS.xml_elements} elements", at)
        if len(self._open) >= FORMATS.xml_depth:
            raise FormatError(f"XML: elements nested over {FORMATS.xml_depth} deep", at)
        space, _, local = name.rpartition(_SPACE)
        # A name is often repeated, and most elements have neither attributes nor children.
        local = self._names.setdefault(local, local)
        space = self._names.setdefault(space, space)
        node = Node(local, space, at, attributes or _NO_ATTRIBUTES)
        if self._open:
            self._children[-1].append(node)
        else:
            self.root = node
        self._open.append(node)
        self._text.append([])
        self._children.append([])

    def _end(self, _: str) -> None:
        node = self._open.pop()
        node.text = "".join(self._text.pop()).strip()
        node.children = tuple(self._children.pop())

    def _characters(self, text: str) -> None:
        self._text[-1].append(text)
