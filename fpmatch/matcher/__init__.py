"""Template x Template -> Score; calibration; fusion over fingers."""

from fpmatch.matcher.calibration import calibrate, fuse
from fpmatch.matcher.compare import ROTATIONS, Score, compare, compare_many

__all__ = ["ROTATIONS", "Score", "calibrate", "compare", "compare_many", "fuse"]
