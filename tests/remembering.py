"""The reference engine with each encoding and comparison made once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from unittest import mock

import fpmatch.reference.engine as reference_engine
from fpmatch.template import Template


@contextlib.contextmanager
def remembered() -> Iterator[None]:
    """Encodings by a template's bytes, comparisons by what was compared and how."""
    encode, compare = reference_engine.encode, reference_engine.compare
    forms: dict = {}
    scores: dict = {}
    held: dict = {}

    def encoded(template):
        content = template.to_bytes()
        if content not in forms:
            forms[content] = encode(template)
        return forms[content]

    def named(side):
        if isinstance(side, Template):
            return side.to_bytes()
        # A form is held as long as its address names it: another may come to lie there.
        held[id(side)] = side
        return id(side)

    def compared(a, b, **how):
        key = (named(a), named(b), *sorted(how.items()))
        if key not in scores:
            scores[key] = compare(a, b, **how)
        return scores[key]

    with (
        mock.patch.object(reference_engine, "encode", encoded),
        mock.patch.object(reference_engine, "compare", compared),
    ):
        yield
