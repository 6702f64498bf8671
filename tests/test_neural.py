"""The learned extractor: truth, determinism, damage."""

from __future__ import annotations

import dataclasses
import random
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from fpmatch import read_image
from fpmatch.errors import CorruptError, ExtractionError
from fpmatch.image import FingerImage
from fpmatch.matcher import compare
from fpmatch.minutiae import EXTRACTORS, extract_minutiae, network, neural
from fpmatch.minutiae.decode import decode
from fpmatch.minutiae.model_file import MAGIC, ModelHeader, read_model, write_model
from fpmatch.minutiae.neural import extract_neural
from fpmatch.parameters import EXTRACTOR_NAMES, NEURAL, NEURAL_LARGE
from fpmatch.synthetic import impression, master
from fpmatch.template import extract

MODEL = Path(neural.__file__).parent / "models" / NEURAL.model


@pytest.fixture(scope="module")
def print_of_corpus(synthetic_data: Path) -> FingerImage:
    return read_image(synthetic_data / "optical" / "1_1.png", ppi=500)


def same(a: object, b: object) -> bool:
    fields = ("xy", "angle", "kind", "quality", "orientation")
    return all(np.array_equal(getattr(a, f), getattr(b, f), equal_nan=True) for f in fields)


def test_the_model_file_says_what_it_is_and_what_it_saw() -> None:
    header, network = read_model(MODEL)
    assert f"{header.name}-{header.version}.fpnet" == NEURAL.model
    assert "FVC2000 DB3_B" in header.trained_on
    assert MODEL.stat().st_size <= 2_500_000
    assert len(network) > 500_000


def test_the_large_network_says_the_same_of_itself() -> None:
    header, network = read_model(MODEL.with_name(NEURAL_LARGE.model))
    assert f"{header.name}-{header.version}.fpnet" == NEURAL_LARGE.model
    assert all(name in header.trained_on for name in ("FVC2000 DB3_B", "90 fingers of sd4"))
    assert 3_000_000 < len(network) < 5_000_000


def test_the_two_networks_do_not_get_in_each_others_way(print_of_corpus: FingerImage) -> None:
    """In turn in one thread, each finds what it finds alone; a template of either matches."""
    small, large = (extract(print_of_corpus, extractor=e) for e in ("neural", "neural-large"))
    assert (small.extractor, large.extractor) == ("fpnet-4", "fpnet-large-4")
    assert small.to_bytes() != large.to_bytes()
    for extractor, first in (("neural", small), ("neural-large", large)):
        assert extract(print_of_corpus, extractor=extractor).to_bytes() == first.to_bytes()
    assert compare(small, large).value > 60


def test_names_of_extractors_are_those_that_are_checked_elsewhere() -> None:
    assert tuple(EXTRACTORS) == EXTRACTOR_NAMES


def test_extraction_goes_by_name_and_the_template_carries_it(print_of_corpus: FingerImage) -> None:
    found = extract_minutiae(print_of_corpus, extractor="neural")
    assert found.extractor == "fpnet-4"
    assert extract(print_of_corpus, extractor="neural").extractor == "fpnet-4"
    assert 0 < found.image_quality <= 100


def test_minutiae_are_where_the_synthetic_truth_says() -> None:
    """On prints whose fingers no weight has seen; half a turn counts as wrong."""
    hits = claims = truths = 0
    for seed in (81, 82, 83):
        touched = impression(master(seed), 0, sensor="optical")
        found = extract_minutiae(touched.image, extractor="neural")
        clear = touched.truth.quality > 0.5
        claims += len(found)
        truths += int(clear.sum())
        distance = np.hypot(*(found.xy[:, None] - touched.truth.xy[None]).transpose(2, 0, 1))
        turn = found.angle[:, None] - touched.truth.angle[None]
        agree = (distance < 10) & (np.cos(turn) > np.cos(np.radians(30)))
        hits += int(agree.any(axis=1).sum())
        assert agree[:, clear].any(axis=0).mean() > 0.6
    assert truths > 50
    assert hits / claims > 0.85


def test_repeated_runs_and_any_thread_count_agree(print_of_corpus: FingerImage) -> None:
    first = extract_minutiae(print_of_corpus, extractor="neural")
    before = cv2.getNumThreads()
    results = [extract_minutiae(print_of_corpus, extractor="neural")]
    try:
        for threads in (1, 2, 3):
            cv2.setNumThreads(threads)
            results.append(extract_minutiae(print_of_corpus, extractor="neural"))
    finally:
        cv2.setNumThreads(before)

    def work() -> None:
        results.append(extract_minutiae(print_of_corpus, extractor="neural"))

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 7
    assert all(same(first, other) for other in results)


def test_a_shifted_print_gives_shifted_minutiae(print_of_corpus: FingerImage) -> None:
    """Nearly: the network's cells fall elsewhere on the ridges, and faint minutiae come and go."""
    wide = np.pad(print_of_corpus.pixels, ((32, 0), (16, 0)), mode="edge")
    a = extract_minutiae(print_of_corpus, extractor="neural")
    b = extract_minutiae(FingerImage(wide), extractor="neural")
    distance = np.hypot(*(a.xy[:, None] + (16, 32) - b.xy[None]).transpose(2, 0, 1))
    assert (distance.min(axis=1) < 4).mean() > 0.85


@pytest.mark.parametrize("cut", [(0, 0), (1, 0), (0, 1), (3, 1)])
def test_local_contrast_by_means_of_pixels_is_nearly_the_same(
    print_of_corpus: FingerImage, cut: tuple[int, int]
) -> None:
    """Sides that are no whole steps too; a little more apart at the border than within."""
    pixels = print_of_corpus.pixels[cut[0] :, cut[1] :]
    exact = network.normalise(pixels, 12.0, 10.0)
    for step, apart in ((2, 0.02), (4, 0.08)):
        steps = network.normalise(pixels, 12.0, 10.0, step)
        assert steps.shape == exact.shape
        assert 0 < np.abs(steps - exact)[24:-24, 24:-24].max() < apart
        assert np.abs(steps - exact).max() < 0.3


@pytest.mark.parametrize("level", [0, 128, 255])
def test_no_ridges_no_template(level: int) -> None:
    with pytest.raises(ExtractionError):
        extract_minutiae(FingerImage(np.full((300, 300), level, np.uint8)), extractor="neural")


def test_the_threshold_and_the_distance_change_what_is_found(print_of_corpus: FingerImage) -> None:
    plain = len(extract_neural(print_of_corpus))
    strict = dataclasses.replace(NEURAL, threshold=0.97)
    sparse = dataclasses.replace(NEURAL, min_distance=25.0)
    assert len(extract_neural(print_of_corpus, None, strict)) < plain
    assert len(extract_neural(print_of_corpus, None, sparse)) < plain


def test_a_second_look_changes_what_is_found_and_only_where_it_is_not_sure(
    print_of_corpus: FingerImage,
) -> None:
    usual = extract_neural(print_of_corpus)
    never, always = (dataclasses.replace(NEURAL, second_look=v) for v in (0.0, 1.1))
    assert same(extract_neural(print_of_corpus, None, never), usual)
    assert not same(extract_neural(print_of_corpus, None, always), usual)
    noise = np.random.default_rng(1).normal(0, 160, print_of_corpus.pixels.shape)
    poor = FingerImage(np.clip(print_of_corpus.pixels + noise, 0, 255).astype(np.uint8))
    assert same(extract_neural(poor), extract_neural(poor, None, always))


def test_a_turned_look_speaks_of_the_same_minutiae(print_of_corpus: FingerImage) -> None:
    """Half a turn of the maps is undone: direction, offset and orientation included."""
    here = network.forward(print_of_corpus.pixels)
    there = network.forward(print_of_corpus.pixels, turned=True)
    sure = (here[0] > 0) & (there[0] > 0)
    assert sure.sum() > 20
    for first in (3, 6):
        cos = (here[first : first + 2] * there[first : first + 2]).sum(0)[sure]
        length = np.hypot(*here[first : first + 2]) * np.hypot(*there[first : first + 2])
        assert np.median(cos / length[sure]) > 0.98
    assert np.abs(here[1:3] - there[1:3])[:, sure].mean() < 0.25


def test_the_finger_and_orientation_parameters_change_the_result(
    print_of_corpus: FingerImage,
) -> None:
    usual = extract_neural(print_of_corpus)
    for change in (
        {"finger_least": 0.97}, {"finger_smooth": 8.0}, {"finger_clean": 12},
        {"orientation_smooth": 8.0},
    ):  # fmt: skip
        other = extract_neural(print_of_corpus, None, dataclasses.replace(NEURAL, **change))
        assert not same(other, usual), change


def test_doubtful_claims_lower_the_quality_and_nothing_else(print_of_corpus: FingerImage) -> None:
    usual = extract_neural(print_of_corpus)
    strict = extract_neural(print_of_corpus, None, dataclasses.replace(NEURAL, doubtful=0.3))
    assert same(usual, strict)
    assert usual.image_quality < strict.image_quality


def test_stages_are_left_for_inspection(print_of_corpus: FingerImage) -> None:
    stages: dict[str, object] = {}
    extract_minutiae(print_of_corpus, extractor="neural", stages=stages)
    assert {"mask", "maps", "window"} <= stages.keys()


def empty_maps(side: int = 12) -> np.ndarray:
    maps = np.zeros((9, side, side), np.float32)
    maps[0] = -9.0
    maps[3] = 1.0
    return maps


def test_a_peak_is_placed_by_the_cells_that_mean_the_same_place() -> None:
    """Cell (5, 6) says x = 6.9, its neighbour (5, 7) 7.1; one two cells off means another place."""
    maps = empty_maps()
    maps[0, 5, 6], maps[0, 5, 7] = 2.0, 1.0
    maps[1, 5, 6], maps[1, 5, 7] = 0.4, -0.4
    maps[0, 4, 6], maps[2, 4, 6], maps[1, 4, 6] = 0.5, -0.9, 0.4
    found = decode(maps, np.ones((48, 48), np.uint8), 4, 0.5)
    p, q = 1 / (1 + np.exp(-2.0)), 1 / (1 + np.exp(-1.0))
    x = (p * 6.9 + q * 7.1) / (p + q)
    assert found[:, :2] == pytest.approx(np.array([[4 * x - 0.5, 4 * 5.5 - 0.5]]), abs=1e-4)
    assert found[0, 4] == pytest.approx(p, abs=1e-6)


def test_the_direction_is_a_mean_of_vectors_not_of_angles() -> None:
    maps = empty_maps()
    for column, angle in ((6, 0.2), (7, -0.2)):
        maps[0, 5, column], maps[1, 5, column] = 2.0, 6.5 - column
        maps[3, 5, column], maps[4, 5, column] = np.cos(angle), np.sin(angle)
    found = decode(maps, np.ones((48, 48), np.uint8), 4, 0.3)
    assert len(found) == 1
    assert np.cos(found[0, 2]) == pytest.approx(1, abs=1e-6)


def test_peaks_outside_the_finger_are_dropped_and_odds_change_the_confidence() -> None:
    maps = empty_maps()
    maps[0, 3, 3] = maps[0, 9, 9] = 1.0
    mask = np.zeros((48, 48), np.uint8)
    mask[:24] = 1
    found = decode(maps, mask, 4, 0.3, NEURAL, (2.0, 1.0))
    assert len(found) == 1
    assert found[0, :2] == pytest.approx([13.5, 13.5])
    assert found[0, 4] == pytest.approx(1 / (1 + np.exp(-3.0)), abs=1e-6)


def test_model_file_round_trip(tmp_path: Path) -> None:
    header = ModelHeader("net", 3, "nothing", 10, 4, 12.0, 10.0, 1.5, -0.25)
    write_model(tmp_path / "net.fpnet", header, b"\x01\x02\n\x03")
    assert read_model(tmp_path / "net.fpnet") == (header, b"\x01\x02\n\x03")
    assert (header.normalise_step, header.block) == (1, 1)  # of files that do not say


def test_a_damaged_model_file_is_refused(tmp_path: Path) -> None:
    good = MODEL.read_bytes()
    path = tmp_path / "bad.fpnet"
    rng = random.Random(3)
    header_end = good.index(b"\n", len(MAGIC))
    for case in range(120):
        bad = bytearray(good)
        if case % 3 == 0:
            bad = bad[: rng.randrange(len(bad))]
        elif case % 3 == 1:
            bad[rng.randrange(header_end + 1, len(bad))] ^= 1 << rng.randrange(8)
        else:
            bad[rng.randrange(len(MAGIC))] ^= 1 << rng.randrange(8)
        path.write_bytes(bad)
        with pytest.raises(CorruptError):
            read_model(path)
    with pytest.raises(CorruptError, match="cannot read"):
        read_model(tmp_path / "absent.fpnet")


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b'{"bytes": 1}', b"\xff\xfe", b"1"])
def test_a_senseless_header_is_refused(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "bad.fpnet"
    path.write_bytes(MAGIC + line + b"\nnetwork")
    with pytest.raises(CorruptError):
        read_model(path)
