"""Errors of OpenCV and of memory that do not leave the library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2

from fpmatch.errors import FpmatchError


@contextmanager
def no_foreign(kind: type[FpmatchError]) -> Iterator[None]:
    """Raise `kind` where OpenCV or an allocation fails.

    Parameters
    ----------
    kind : type
        A leaf of our error tree.
    """
    try:
        yield
    except MemoryError:
        raise kind("not enough memory for an image of this size") from None
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise kind("not enough memory for an image of this size") from None
        raise kind(f"the image could not be worked on (OpenCV error {error.code})") from error
