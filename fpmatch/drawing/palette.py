"""Colours of Okabe and Ito (2008), told apart by people who see no red or no green."""

from __future__ import annotations

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, YELLOW, BLACK, GREY = "#CC79A7", "#56B4E9", "#B8A800", "#111111", "#6B6B6B"
WHITE, PAPER, FRAME = "#FFFFFF", "#F7F5EF", "#8A8A8A"
PAIRS = ("#0063A0", "#B84A00", "#00704F", "#8E3B79", "#6B5200", "#111111")
"""Of one pair after the other: dark enough for small figures on white."""
