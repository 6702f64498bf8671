"""What an examiner looks at: one page of a search's candidates, their minutiae, and the proof."""

from fpmatch.examiner.page import render

__all__ = ["render"]
