"""What the shipped networks have not seen: whole fingers, half of every class; the files say so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fpmatch.minutiae import neural
from fpmatch.minutiae.model_file import read_model
from fpmatch.parameters import NEURAL_LARGE
from training.split import HALVED, LEFT_OUT, left_out

MODELS = Path(neural.__file__).parent / "models"
SD4 = [f"{c}{n:03d}_{i}" for c in "ALRTW" for n in range(1, 37) for i in (1, 2)]
FVC = [f"{finger}_{i}" for finger in range(101, 111) for i in range(1, 9)]


def test_a_set_is_left_out_whole_or_not_at_all_unless_it_is_halved() -> None:
    assert left_out("fvc2000/DB3_B", FVC) == set(FVC)
    assert left_out("fvc2002/DB1_B", FVC) == set()


@pytest.mark.parametrize("order", [1, -1])
def test_half_of_the_rolled_prints_of_each_class_and_no_finger_on_both_sides(order) -> None:
    kept = left_out("sd4", SD4[::order])
    fingers = {name[:-2] for name in kept}
    assert (len(kept), len(fingers)) == (180, 90)
    assert not fingers & {name[:-2] for name in set(SD4) - kept}
    counts = np.unique([finger[0] for finger in fingers], return_counts=True)[1]
    assert counts.tolist() == [18] * 5
    assert "A001_1" not in kept
    assert "A002_2" in kept


def test_the_file_names_all_that_it_has_not_seen() -> None:
    said = read_model(MODELS / NEURAL_LARGE.model)[0].trained_on
    unseen = said[said.index("half of the crops with faults.") :]
    for name in (*LEFT_OUT, *HALVED):
        assert name.replace("fvc", "FVC").replace("/", " ") in unseen
    assert "90 fingers" in unseen
