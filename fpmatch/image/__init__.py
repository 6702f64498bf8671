"""Images: bytes or arrays -> `FingerImage` at 500 ppi."""

from fpmatch.image.finger_image import FingerImage
from fpmatch.image.read import read_image
from fpmatch.image.resolution import meant_ppi, settle_ppi
from fpmatch.image.ridges import Ridges, find_ridges

__all__ = ["FingerImage", "Ridges", "find_ridges", "meant_ppi", "read_image", "settle_ppi"]
