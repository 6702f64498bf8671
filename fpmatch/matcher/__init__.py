"""Template x Template -> Score; calibration; fusion over fingers."""

from fpmatch.matcher.calibration import best_of, calibrate, fuse
from fpmatch.matcher.compare import ROTATIONS, Score, compare, compare_many

__all__ = ["ROTATIONS", "Score", "best_of", "calibrate", "compare", "compare_many", "fuse"]
