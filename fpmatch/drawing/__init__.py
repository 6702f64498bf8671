"""Pictures for people: minutiae on their print, and the paired minutiae of two prints."""

from fpmatch.drawing.pairs import draw_pairs
from fpmatch.drawing.picture import Drawing
from fpmatch.drawing.prints import draw

__all__ = ["Drawing", "draw", "draw_pairs"]
