"""What a score says about chance, and where it says no more."""

from __future__ import annotations

from dataclasses import dataclass

from fpmatch.argument_types import takes
from fpmatch.checks import check_number
from fpmatch.parameters import CALIBRATION


@dataclass(frozen=True, slots=True)
class Claim:
    """A false match rate with the evidence that it rests on.

    Parameters
    ----------
    fmr : float
        Share of non-mated comparisons that score as high; where `below`, at most this.
    below : bool
        Whether the score lies beyond what the calibration's comparisons can show: higher scores
        rank higher, but no lower rate is claimed.
    comparisons : int
        Non-mated comparisons that the calibration rests on.
    """

    fmr: float
    below: bool
    comparisons: int

    def __str__(self) -> str:
        """As it is printed behind the words "false match rate" or "FMR"."""
        if self.below:
            return f"below {_short(f'{self.fmr:.0e}')} (beyond the evidence)"
        return f"{self.fmr:.2g}" if self.fmr >= 0.01 else _short(f"{self.fmr:.1e}")


def _short(power: str) -> str:
    """A power of ten without leading zeros: 1e-5, not 1e-05."""
    digits, _, exponent = power.partition("e")
    return f"{digits}e{int(exponent)}"


@takes(score=lambda name, value: check_number(name, value, -3000.0, 1e6))
def claim_of(score: float) -> Claim:
    """The claim of a score, -10*log10(FMR); rates to six significant digits."""
    rate = float(f"{10 ** (-score / 10):.5e}")
    least = CALIBRATION.least_fmr
    return Claim(max(rate, least), rate < least, CALIBRATION.comparisons)
