"""What the comparison reads and where it works."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Tables(NamedTuple):
    """What the comparison looks up; see `fpmatch.matcher.tables`."""

    cylinder: np.ndarray
    texture: np.ndarray
    wanted: np.ndarray
    distance: np.ndarray
    turn: np.ndarray
    arctangent: np.ndarray
    pairs: np.ndarray
    share: np.ndarray
    relaxed: np.ndarray
    agreement: np.ndarray
    matched: np.ndarray
    unmatched: np.ndarray
    size: np.ndarray
    bent: np.ndarray
    cosine: np.ndarray
    sine: np.ndarray
    cell_number: np.ndarray
    cell_of: np.ndarray
    window: int
    turned: int
    most_turn: int
    least: int
    stay: int
    sweeps: int
    fewest: int
    gate: int
    anchor: int
    near: int
    near_turn: int
    bend_from: int
    reach: int


class Scratch(NamedTuple):
    """Working memory for sides of up to C minutiae; see `fpmatch.matcher.tables.scratch`."""

    words: np.ndarray
    below: np.ndarray
    counts: np.ndarray
    listed: np.ndarray
    queue: np.ndarray
    bucket: np.ndarray
    used_a: np.ndarray
    used_b: np.ndarray
    pair_a: np.ndarray
    pair_b: np.ndarray
    at_x: np.ndarray
    at_y: np.ndarray
    turned: np.ndarray
    near: np.ndarray
    candidates: np.ndarray
    start: np.ndarray
    support: np.ndarray
    next: np.ndarray
    kept: np.ndarray
    chosen: np.ndarray
    anchor_a: np.ndarray
    anchor_b: np.ndarray
    match_a: np.ndarray
    match_b: np.ndarray
    off: np.ndarray
    moved: np.ndarray
    missed: np.ndarray
    sums: np.ndarray
    compatible: np.ndarray
