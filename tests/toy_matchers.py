"""Matchers as other people write them: good ones, and ones with every fault."""

from __future__ import annotations

import os
import sys
import time

import numpy as np

import fpmatch as fp


class Toy:
    """What is printed into the image's corner decides: the score of a pair is known by hand."""

    name = "toy 1.0"

    def prepare(self, image, ppi):
        assert ppi == 500
        if image[0, 0] == 255:
            raise ValueError("nothing to see")
        return int(image[0, 0]), int(image[0, 1])

    def compare(self, a, b):
        return SCORES[frozenset((a, b))]


A, B = 1, 2
SCORES = {
    # Finger A and finger B, impressions 1 to 3: mated 9, 7, 5 and 8, 4, 2.
    frozenset(((A, 1), (A, 2))): 9.0,
    frozenset(((A, 1), (A, 3))): 7.0,
    frozenset(((A, 2), (A, 3))): 5.0,
    frozenset(((B, 1), (B, 2))): 8.0,
    frozenset(((B, 1), (B, 3))): 4.0,
    frozenset(((B, 2), (B, 3))): 2.0,
    # Non-mated: 6 once, 3 once, 1 else.
    **{frozenset(((A, i), (B, j))): 1.0 for i in (1, 2, 3) for j in (1, 2, 3)},
    frozenset(((A, 1), (B, 1))): 6.0,
    frozenset(((A, 2), (B, 3))): 3.0,
}
toy = Toy()


class Handle(Toy):
    """What it prepares means nothing in another process, and says so."""

    def prepare(self, image, ppi):
        return Held(super().prepare(image, ppi))

    def compare(self, a, b):
        assert a.process == b.process == os.getpid()
        return super().compare(a.value, b.value)


class Held:
    def __init__(self, value):
        self.value, self.process = value, os.getpid()


def handles():
    return Handle()


def pixels(a, b):
    """A plain function of two images."""
    return -float(np.abs(a.astype(float)[:100, :100] - b.astype(float)[:100, :100]).mean())


def minutiae(probe: fp.Template, candidate: fp.Template) -> float:
    """A plain function of two templates."""
    return -abs(len(probe) - len(candidate))


class Hangs(Toy):
    def prepare(self, image, ppi):
        if image[0, 0] == A and image[0, 1] == 2:
            time.sleep(60)
        return super().prepare(image, ppi)


class Dies(Toy):
    def prepare(self, image, ppi):
        if image[0, 0] == A and image[0, 1] == 2:
            os.abort()
        return super().prepare(image, ppi)


class DiesComparing(Toy):
    def compare(self, a, b):
        os._exit(3)


class Prints(Toy):
    def prepare(self, image, ppi):
        sys.stdout.write("look, an image")
        return super().prepare(image, ppi)


class PreparesNone(Toy):
    def prepare(self, image, ppi):
        return None if image[0, 1] == 3 else super().prepare(image, ppi)


class Raises(Toy):
    def compare(self, a, b):
        raise KeyError("no such pair")


def gives(value):
    return type("Gives", (Toy,), {"compare": lambda self, a, b: value})


Nan, Inf, Text, Nothing, Flag = map(gives, (float("nan"), float("inf"), "9.0", None, True))
Numpy, Array0 = gives(np.float32(3)), gives(np.array(3.0))


class CannotBeMade:
    def __init__(self):
        raise RuntimeError("no licence file")


class Leaves:
    def __init__(self):
        raise SystemExit(4)


def three(a, b, c):
    return 0.0


number = 5
