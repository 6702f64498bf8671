"""What the children of `processes` are born with: imports, and kernels that a search calls."""

import numba  # noqa: F401
import pytest  # noqa: F401
from engine_helpers import print_of

import fpmatch.search  # noqa: F401
from fpmatch.matcher import compare

compare(print_of(1), print_of(2))
