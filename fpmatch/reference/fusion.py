"""Several fingers of one record as one score."""

from __future__ import annotations

import math


def fuse(values: list[float], tries: list[int]) -> float:
    """Fisher's combination of independent fingers, each the best of so many comparisons.

    Each value is a false match rate p = 10^(-value/10); the best of n has rate 1 - (1 - p)^n.
    The chance that k such rates, uniform by chance, have a product as small as theirs is
    product * sum over i < k of (-ln product)^i / i!  (Fisher 1932).
    """
    evidence = 0.0
    for value, n in zip(values, tries, strict=True):
        surprise = max(value, 0.0) * math.log(10) / 10
        if n > 1:
            rate = math.exp(-surprise)
            # 1 - (1 - p)^n is n p for the smallest rates, where the subtraction loses digits.
            if rate < 1e-9:
                surprise = max(surprise - math.log(n), 0.0)
            else:
                surprise = -math.log(-math.expm1(n * math.log1p(-rate))) if rate < 1 else 0.0
        evidence += surprise
    if len(values) > 1:
        terms = sum(evidence**i / math.factorial(i) for i in range(len(values)))
        evidence = max(evidence - math.log(terms), 0.0)
    return round(evidence * 10 / math.log(10), 2)
