"""The demo's people: synthetic fingers, read from the committed corpus or made on the spot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fpmatch.types import FingerPosition, Record

if TYPE_CHECKING:
    from fpmatch.cli.output import Progress
    from fpmatch.image import FingerImage
    from fpmatch.template import Template


@dataclass(frozen=True, slots=True)
class Person:
    """One synthetic finger and its record in each partition ("" for none)."""

    sensor: str
    finger: int
    criminal: str = ""
    immigration: str = ""


def people() -> list[Person]:
    """Sixteen persons, some in one partition, some in both; the corpus has all their fingers."""
    out = [Person("optical", n, criminal=f"C-{100 + n}") for n in range(1, 7)]
    out.append(Person("optical", 7, criminal="C-107", immigration="I-207"))
    out += [Person("optical", n, immigration=f"I-{200 + n}") for n in range(8, 11)]
    out.append(Person("capacitive", 1, criminal="C-111", immigration="I-211"))
    out += [Person("capacitive", n, immigration=f"I-{210 + n}") for n in range(2, 5)]
    out.append(Person("capacitive", 5, criminal="C-112"))
    out.append(Person("capacitive", 6, immigration="I-215"))
    return out


WANTED = Person("optical", 7, criminal="C-107", immigration="I-207")
"""Whom the demo searches: enrolled in both partitions from different touches."""
PROBE_TOUCH = 3
_TOUCHES = {"criminal": 1, "immigration": 2}


class Prints:
    """Fingerprint images by sensor, finger and touch; equal wherever they come from."""

    def __init__(self, folder: Path | None = None, *, bundled: bool = True) -> None:
        from fpmatch.synthetic.bundled import bundled_prints

        self.folder = folder or (bundled_prints() if bundled else None)
        self.read = 0
        self.made = 0

    def image(self, sensor: str, finger: int, touch: int) -> FingerImage:
        """One impression: read if the corpus has it, else made from the corpus's own seeds.

        Parameters
        ----------
        sensor : str
            A folder of the corpus.
        finger : int
            Number of the finger.
        touch : int
            Number of its impression.
        """
        from fpmatch.image import read_image

        if self.folder is not None:
            path = self.folder / sensor / f"{finger}_{touch}.png"
            if path.is_file():
                self.read += 1
                return read_image(str(path), ppi=500)
        from fpmatch.synthetic import impression, master
        from fpmatch.synthetic.corpus import FOLDERS

        self.made += 1
        return impression(master(FOLDERS[sensor] + finger), touch, sensor=sensor).image

    def template(self, sensor: str, finger: int, touch: int) -> Template:
        """The template of one impression; the demo's fingers are all right index fingers.

        Parameters
        ----------
        sensor : str
            A folder of the corpus.
        finger : int
            Number of the finger.
        touch : int
            Number of its impression.
        """
        from fpmatch.template import extract

        return extract(self.image(sensor, finger, touch), position=FingerPosition.RIGHT_INDEX)


def records(prints: Prints, partition: str, progress: Progress | None) -> Iterator[Record]:
    """The records of one partition.

    Parameters
    ----------
    prints : Prints
        Where the impressions come from.
    partition : str
        Name of the partition.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    """
    members = [p for p in people() if getattr(p, partition)]
    for number, person in enumerate(members, 1):
        finger = prints.template(person.sensor, person.finger, _TOUCHES[partition])
        yield Record(getattr(person, partition), [finger])
        if progress is not None:
            progress(f"extracting and enrolling: {partition}", number, len(members))


def probe(prints: Prints) -> Template:
    """A third touch of the wanted person's finger."""
    return prints.template(WANTED.sensor, WANTED.finger, PROBE_TOUCH)


def stranger(prints: Prints) -> Template:
    """A finger that is enrolled nowhere."""
    return prints.template("capacitive", 9, 1)
