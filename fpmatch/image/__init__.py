"""Images: bytes or arrays -> `FingerImage` at 500 ppi."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpmatch.lazy_names import loader

if TYPE_CHECKING:
    from fpmatch.image.finger_image import FingerImage as FingerImage
    from fpmatch.image.read import read_image as read_image
    from fpmatch.image.resolution import meant_ppi as meant_ppi
    from fpmatch.image.resolution import settle_ppi as settle_ppi
    from fpmatch.image.ridges import Ridges as Ridges
    from fpmatch.image.ridges import find_ridges as find_ridges
    from fpmatch.image.slap import segment_slap as segment_slap
    from fpmatch.image.slap_cut import SlapFinger as SlapFinger
    from fpmatch.image.slap_cut import cut_stated as cut_stated
    from fpmatch.image.slap_picture import draw_cuts as draw_cuts

__all__ = [
    "FingerImage",
    "Ridges",
    "SlapFinger",
    "cut_stated",
    "draw_cuts",
    "find_ridges",
    "meant_ppi",
    "read_image",
    "segment_slap",
    "settle_ppi",
]

if not TYPE_CHECKING:  # so that a gallery is opened without OpenCV
    __getattr__ = loader(
        __name__,
        {
            "FingerImage": "fpmatch.image.finger_image",
            "Ridges": "fpmatch.image.ridges",
            "SlapFinger": "fpmatch.image.slap_cut",
            "cut_stated": "fpmatch.image.slap_cut",
            "draw_cuts": "fpmatch.image.slap_picture",
            "find_ridges": "fpmatch.image.ridges",
            "meant_ppi": "fpmatch.image.resolution",
            "read_image": "fpmatch.image.read",
            "segment_slap": "fpmatch.image.slap",
            "settle_ppi": "fpmatch.image.resolution",
        },
    )
