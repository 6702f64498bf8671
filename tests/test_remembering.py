"""What the comparison of two prints gave is not said of two others that lie where they lay."""

from __future__ import annotations

import dataclasses

from engine_helpers import print_of
from remembering import remembered

import fpmatch.reference.engine as reference_engine
from fpmatch.types import FingerPosition


def test_prints_that_come_and_go_are_not_mixed_up():
    place = FingerPosition.RIGHT_INDEX
    record = print_of(1, 0, place, minutiae=8)
    seen = {}
    with remembered():
        for _ in range(40):
            for person in (1, 2):
                # At any scale the probe is a template.
                probe = dataclasses.replace(print_of(person, 1, place, minutiae=8))
                form = reference_engine.encode(record)
                score = reference_engine.compare(probe, form, rotation="upright", scale="any").value
                del probe  # The next may come to lie where it lay.
                assert seen.setdefault(person, score) == score
    assert seen[1] > seen[2]
