"""Small worlds for the engine's tests: templates from a number, a policy, an engine on tmpfs."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from fpmatch.policy import Policy
from fpmatch.search import Engine
from fpmatch.template import Template
from fpmatch.types import FingerPosition, Record, SearchRequest, SearchResponse

if os.environ.get("FPMATCH_TEST_KEYS"):
    import encrypted_everywhere  # noqa: F401

SHM = Path("/dev/shm")
NOW = datetime(2011, 1, 15, tzinfo=UTC)
ON, OFF, HELD, LATER, KEEPS = (f"CA03801{i:02d}" for i in range(5))
OTHER = "CA0990000"

POLICY = f"""
version = 1
transactions = ["CAR", "CNA"]
roles = ["officer", "advocate"]
charges = ["felony", "misdemeanor"]
dispositions = ["convicted", "acquitted", "dismissed", "pending"]

[[partition]]
name = "criminal"
ndr = 1
owner = "DOJ-FBI"
requires_activation = false

[[partition]]
name = "immigration"
ndr = 9
owner = "DHS"
protected_roles = ["advocate"]

[[jurisdiction]]
id = "CA"
kind = "state"

[[agency]]
ori = "{ON}"
parent = "CA"
[[agency]]
ori = "{OFF}"
parent = "CA"
[[agency]]
ori = "{HELD}"
parent = "CA"
[[agency]]
ori = "{LATER}"
parent = "CA"
[[agency]]
ori = "{KEEPS}"
parent = "CA"
[[agency]]
ori = "{OTHER}"

[[rule]]
id = "criminal-for-all"
effect = "permit"
who = "CA"
partitions = "criminal"
author = "DOJ-FBI"

[[mode]]
mode = "interoperable"
who = "{ON}"
partition = "immigration"
author = "DHS"
[[mode]]
mode = "ori_deactivated"
who = "{OFF}"
partition = "immigration"
author = "DHS"
[[mode]]
mode = "results_withheld"
who = "{HELD}"
partition = "immigration"
author = "DHS"
[[mode]]
mode = "deferred_disposition"
who = "{LATER}"
partition = "immigration"
author = "DHS"
expires_days = 30
[[mode]]
mode = "interoperable"
who = "{KEEPS}"
partition = "immigration"
author = "DHS"
retain = true
"""


@lru_cache(maxsize=4096)
def print_of(
    person: int,
    touch: int = 0,
    position: FingerPosition = FingerPosition.RIGHT_INDEX,
    minutiae: int = 16,
) -> Template:
    """One touch of a person's finger; touches of one finger score above 60, others near 0."""
    base = np.random.default_rng([person, int(position)])
    xy = base.integers(300, 2200, (minutiae, 2))
    angle = base.integers(0, 65536, minutiae)
    if touch:
        noise = np.random.default_rng([person, touch])
        xy = xy + noise.integers(-6, 7, xy.shape)
    return Template(
        xy=xy.astype(np.uint16),
        angle=angle.astype(np.uint16),
        kind=np.ones(minutiae, np.uint8),
        quality=np.full(minutiae, 60, np.uint8),
        width=320,
        height=320,
        position=position,
        extractor="test",
    )


def record(name: str, person: int, touch: int = 0, **more: Any) -> Record:
    return Record(name, [print_of(person, touch)], **more)


_numbers = count(1)


def request(ori: str = ON, person: int = 1, touch: int = 5, **more: Any) -> SearchRequest:
    more.setdefault("tcn", f"TCN-{next(_numbers)}")
    more.setdefault("fingers", [print_of(person, touch)])
    return SearchRequest(booking_ori=ori, **more)


def found(e: Engine, person: int, partition: str = "criminal") -> list[str]:
    """Records that a search of one who is granted it lists, with scores above chance."""
    section = e.search(request(ON, person, threshold=30))[partition]
    return [c.record for c in section.candidates or ()]


def again(asked: SearchRequest) -> SearchRequest:
    """The same submission under a control number that no agency has used."""
    return dataclasses.replace(asked, tcn=f"TCN-{next(_numbers)}")


def told(response: SearchResponse) -> bytes:
    """What a response says, its control number aside."""
    return dataclasses.replace(response, tcn="").to_bytes()


class Clock:
    """Time that a test sets."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def folder() -> Path:
    """A new empty folder, in memory where the machine has such a place."""
    return Path(tempfile.mkdtemp(prefix="fpm-", dir=SHM if SHM.is_dir() else None))


@contextmanager
def engine(
    people: dict[str, list[Record]] | None = None, text: str = POLICY, **options: Any
) -> Iterator[Engine]:
    """An engine with two partitions, some records and a policy."""
    place = folder()
    options.setdefault("durability", "off")
    options.setdefault("clock", Clock())
    try:
        with Engine.create(place, **options) as made:
            made.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
            made.add_partition("immigration", 9, "DHS", expected_fingers=100)
            for name, records in (world() if people is None else people).items():
                report = made.enrol(name, records)
                assert report.ok, report.errors
            made.publish(Policy.parse(text))
            yield made
    finally:
        shutil.rmtree(place, ignore_errors=True)


def world() -> dict[str, list[Record]]:
    """Persons 1 and 2 in both partitions, others in one."""
    return {
        "criminal": [record(f"C-{i}", i) for i in (1, 2, 3, 4)],
        "immigration": [record(f"I-{i}", i, touch=1) for i in (1, 2, 7, 8)],
    }
