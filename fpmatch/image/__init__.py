"""Images: bytes or arrays -> `FingerImage` at 500 ppi."""

from fpmatch.image.finger_image import FingerImage
from fpmatch.image.read import read_image

__all__ = ["FingerImage", "read_image"]
