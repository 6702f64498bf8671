"""Synthetic prints: ground truth, determinism, proportions, the committed corpus."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import naive_synthetic as naive
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

from fpmatch.errors import InputError
from fpmatch.parameters import SYNTHETIC
from fpmatch.synthetic import PatternClass, Placement, _kernels, impression, master, write_prints
from fpmatch.synthetic.corpus import FOLDERS
from fpmatch.synthetic.noise import stream
from fpmatch.synthetic.orientation import draw_class
from fpmatch.synthetic.placement import draw_placement
from fpmatch.synthetic.sensors import SENSORS
from fpmatch.synthetic.truth import _thinning_table

CORPUS = Path(__file__).resolve().parent.parent / "data" / "synthetic"


@pytest.fixture(scope="module")
def fingers():
    return [master(seed, kind=kind) for seed, kind in enumerate(PatternClass, 70)]


@pytest.fixture(scope="module")
def loop(fingers):
    return fingers[int(PatternClass.LEFT_LOOP)]


def crossing_number_minutiae(pixels, mask):
    """Minutiae of a clean print from its pixels alone.

    Thinned (the kernel is checked against the published algorithm) at twice the resolution; spurs
    cut by removing every end a few times and growing the true ends back; crossing numbers.
    """
    ridges = pixels < 128
    label, count = ndimage.label(ridges, np.ones((3, 3)))
    small = np.bincount(label.ravel(), minlength=count + 1) < 20
    pixels = np.where(small[label] & (label > 0), 255, pixels)
    label, count = ndimage.label(~ridges)
    small = np.bincount(label.ravel(), minlength=count + 1) < 20
    pixels = np.where(small[label] & (label > 0), 0, pixels)
    size = [2 * n - 1 for n in pixels.shape]
    y, x = np.mgrid[0 : size[0], 0 : size[1]] / 2
    fine = ndimage.map_coordinates(pixels.astype(float), [y, x], order=1)
    lines = np.zeros(size, np.uint8)
    _kernels.thin((fine < 128).astype(np.uint8), _thinning_table(), lines)
    lines = cut_spurs(without_corners(lines > 0), 8)
    number = crossing_numbers(lines)
    y, x = np.nonzero(lines & ((number == 1) | (number == 3)))
    found = np.stack([x, y], axis=1) / 2
    x, y = np.rint(found).astype(int).T
    return found[mask[y, x]]


def shifted(image):
    """Eight neighbours clockwise from north, for every pixel."""
    p = np.pad(image, 1).astype(np.uint8)
    h, w = image.shape
    offsets = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
    return [p[1 + i : 1 + i + h, 1 + j : 1 + j + w] for i, j in offsets]


def without_corners(image):
    for k in range(0, 8, 2):  # the middle of a right-angled corner is no fork
        n = shifted(image)
        corner = n[k] & n[(k + 2) % 8] & ~n[(k + 4) % 8] & ~n[(k + 6) % 8] & 1
        image = image & ~((corner == 1) & (n[(k + 5) % 8] == 0))
    return image


def crossing_numbers(lines):
    n = shifted(lines)
    return sum(np.abs(n[k].astype(int) - n[(k + 1) % 8]) for k in range(8)) // 2


def cut_spurs(lines, length):
    kept = lines.copy()
    for _ in range(length):
        kept &= ~(crossing_numbers(kept) == 1)
    # Ends that were cut back grow again along the old lines; spurs have no end left to grow from.
    grown = kept.copy()
    ends = kept & (crossing_numbers(kept) == 1)
    for _ in range(length):
        ends = ndimage.binary_dilation(ends, np.ones((3, 3))) & lines
        grown |= ends
    return grown


def test_ground_truth_agrees_with_crossing_numbers_one_to_one(fingers):
    total = missed = extra = 0
    for finger in fingers:
        for k in (3, 4):
            touched = impression(finger, k, sensor="clean", distortion=0.0, moisture=0.0)
            inner = ndimage.binary_erosion(touched.mask, iterations=18, border_value=0)
            found = crossing_number_minutiae(touched.pixels, touched.mask)
            truth = touched.truth.xy.astype(float)
            distance = np.hypot(*(truth[:, None] - found[None]).transpose(2, 0, 1))
            i, j = linear_sum_assignment(np.minimum(distance, 50))
            near = distance[i, j] <= 3
            x, y = np.rint(truth).astype(int).T
            missed += len(set(np.flatnonzero(inner[y, x])) - set(i[near]))
            total += int(inner[y, x].sum())
            x, y = np.rint(found).astype(int).T
            extra += len(set(np.flatnonzero(inner[y, x])) - set(j[near]))
    assert total > 300
    # What is left over lies within a pixel or two more, where a ridge ends in a long fine point.
    assert missed <= 0.01 * total
    assert extra <= 0.01 * total


def test_directions_run_along_the_ridges(fingers):
    for finger in fingers:
        x, y = np.rint(finger.xy).astype(int).T
        off = np.sin(finger.angle - finger.orientation[y, x])
        assert np.abs(off).max() < 1e-5


def test_an_ending_points_along_its_ridge(loop):
    # Half a period ahead of an ending there is ridge, behind it there is valley.
    ends = loop.type == 1
    step = np.stack([np.cos(loop.angle), np.sin(loop.angle)], axis=1)[ends] * 5
    ridge = loop.layers[0]

    def level(points):
        return ndimage.map_coordinates(ridge, points[:, ::-1].T, order=1)

    ahead, behind = level(loop.xy[ends] + step), level(loop.xy[ends] - step)
    assert (ahead > behind).mean() > 0.95


def test_same_seed_same_pixels(loop):
    again = master(loop.seed, kind=loop.kind)
    assert (again.layers == loop.layers).all()
    assert (again.xy == loop.xy).all()
    for sensor in SENSORS:
        a, b = impression(loop, 5, sensor=sensor), impression(again, 5, sensor=sensor)
        assert (a.pixels == b.pixels).all()
        assert (a.truth.xy == b.truth.xy).all()
    assert (impression(loop, 6).pixels != impression(loop, 5).pixels).any()


def test_global_random_state_plays_no_part(loop):
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    impression(loop, 1)
    assert (np.random.get_state()[1] == before).all()


def test_different_seeds_are_different_fingers(fingers):
    assert not np.array_equal(fingers[0].xy, fingers[1].xy)
    assert not np.array_equal(master(fingers[0].seed + 50, kind=fingers[0].kind).xy, fingers[0].xy)


def test_mapping_between_impressions_joins_the_same_minutiae(loop):
    for k in range(4):
        a = impression(loop, 10 + k)
        b = impression(loop, 20 + k, sensor="capacitive")
        common, i, j = np.intersect1d(a.ids, b.ids, return_indices=True)
        assert len(common) > 8
        there = a.to(b, a.truth.xy[i].astype(float))
        assert np.abs(there - b.truth.xy[j]).max() < 1e-3
        back = b.to(a, there)
        assert np.abs(back - a.truth.xy[i]).max() < 1e-3
        assert (a.truth.kind[i] == b.truth.kind[j]).all()


def test_mapping_between_different_fingers_is_refused(fingers):
    a, b = impression(fingers[0], 0), impression(fingers[1], 0)
    with pytest.raises(InputError, match="different fingers"):
        a.to(b, np.zeros((1, 2)))


def test_orientation_and_mask_agree(loop):
    touched = impression(loop, 2)
    assert (np.isfinite(touched.orientation) == touched.mask).all()
    inside = touched.orientation[touched.mask]
    assert inside.min() >= 0
    assert inside.max() <= np.pi
    x, y = np.rint(touched.truth.xy).astype(int).T
    assert touched.mask[y, x].all()
    off = np.sin(touched.truth.angle - touched.orientation[y, x])
    assert np.quantile(np.abs(off), 0.9) < 0.15


def test_orientation_truth_is_that_of_the_pixels(loop):
    touched = impression(loop, 4, sensor="clean", distortion=1.0)
    pixels = ndimage.gaussian_filter(touched.pixels.astype(float), 1.0)
    gy, gx = np.gradient(pixels)
    s, c = 2 * gx * gy, gx * gx - gy * gy
    s, c = ndimage.gaussian_filter(s, 6), ndimage.gaussian_filter(c, 6)
    estimate = 0.5 * np.arctan2(s, c) + np.pi / 2
    deep = ndimage.binary_erosion(touched.mask, iterations=20)
    off = np.abs(np.sin(estimate - touched.orientation))[deep]
    assert np.median(off) < 0.05
    assert np.quantile(off, 0.95) < 0.3


def test_distortion_keeps_the_skin_in_one_piece():
    y, x = np.mgrid[0:374:6, 0:388:6]
    grid = np.stack([x.ravel(), y.ravel()], axis=1).astype(float)
    for k in range(60):
        placement = draw_placement(
            stream(1, k), shape=(374, 388), master_shape=SYNTHETIC.master_shape,
            contact=(110, 150), scale=1.0, distortion=1.5, rotation=None,
        )  # fmt: skip
        h = 0.01
        right, down = np.array([h, 0]), np.array([0, h])
        dx = (placement.to_master(grid + right) - placement.to_master(grid - right)) / (2 * h)
        dy = (placement.to_master(grid + down) - placement.to_master(grid - down)) / (2 * h)
        assert (dx[:, 0] * dy[:, 1] - dx[:, 1] * dy[:, 0]).min() > 0.1


def test_classes_come_in_natural_proportions():
    rng = stream(99)
    drawn = Counter(draw_class(rng) for _ in range(20_000))
    for kind, share in zip(PatternClass, SYNTHETIC.class_share, strict=True):
        want = share / sum(SYNTHETIC.class_share)
        assert abs(drawn[kind] / 20_000 - want) < 4 * np.sqrt(want / 20_000)


@pytest.mark.parametrize(
    ("kind", "cores", "deltas"),
    [("arch", 0, 0), ("tented_arch", 1, 1), ("left_loop", 1, 1), ("right_loop", 1, 1),
     ("whorl", 2, 2), ("double_loop", 2, 2)],
)  # fmt: skip
def test_classes_have_their_singularities(fingers, kind, cores, deltas):
    finger = fingers[int(PatternClass[kind.upper()])]
    is_core = finger.singularities[:, 2] == 1
    assert (is_core.sum(), (~is_core).sum()) == (cores, deltas)
    # The turning of the flow round each point: half a turn forth for a core, back for a delta.
    for x, y, core in finger.singularities:
        others = finger.singularities[:, :2]
        gap = np.hypot(*(others - [x, y]).T)
        r = min(20.0, 0.4 * gap[gap > 0].min()) if (gap > 0).any() else 20.0
        t = np.linspace(0, 2 * np.pi, 200)
        ring = finger.orientation[
            np.rint(y + r * np.sin(t)).astype(int), np.rint(x + r * np.cos(t)).astype(int)
        ]
        steps = np.diff(2 * ring.astype(float))
        turned = np.angle(np.exp(1j * steps)).sum() / (2 * np.pi)
        assert round(turned) == (1 if core else -1)


def test_loops_open_to_their_side(fingers):
    for kind, side in ((PatternClass.LEFT_LOOP, 1), (PatternClass.RIGHT_LOOP, -1)):
        core, delta = fingers[int(kind)].singularities
        assert side * (delta[0] - core[0]) > 20


@pytest.mark.parametrize(
    "change",
    [{"sensor": "capacitive"}, {"rolled": True}, {"rotation": 0.5}, {"distortion": 0.0},
     {"moisture": 0.9}, {"area": 0.7}],
)  # fmt: skip
def test_every_parameter_of_an_impression_changes_it(loop, change):
    plain, other = impression(loop, 1), impression(loop, 1, **change)
    assert plain.pixels.shape != other.pixels.shape or (plain.pixels != other.pixels).any()


def test_moisture_darkens_and_area_adds_minutiae(loop):
    dry, wet = (impression(loop, 1, moisture=m).pixels.mean() for m in (-0.6, 0.6))
    assert wet < dry - 10
    small, large = (len(impression(loop, 1, area=a).truth) for a in (0.6, 1.2))
    assert small < large
    assert len(impression(loop, 1, rolled=True).truth) > large


def test_class_can_be_chosen():
    assert master(5, kind="whorl").kind is PatternClass.WHORL
    assert master(5, kind=PatternClass.ARCH).kind is PatternClass.ARCH


@pytest.mark.parametrize(
    "call",
    [
        lambda m: master(-1),
        lambda m: master("7"),
        lambda m: master(True),
        lambda m: master(1.5),
        lambda m: master(1, kind="spiral"),
        lambda m: master(1, kind=17),
        lambda m: impression(m, -3),
        lambda m: impression(m, 0, sensor="radar"),
        lambda m: impression(m, 0, sensor=None),
        lambda m: impression(m, 0, distortion=-0.1),
        lambda m: impression(m, 0, distortion=2.0),
        lambda m: impression(m, 0, moisture=1.2),
        lambda m: impression(m, 0, moisture=float("nan")),
        lambda m: impression(m, 0, area=0.0),
        lambda m: impression(m, 0, rotation=float("inf")),
        lambda m: write_prints("nowhere", 0, 1, 1),
        lambda m: write_prints("nowhere", 1, 0, 1),
        lambda m: write_prints("nowhere", 1, 1, 1, sensor="radar"),
        lambda m: impression(m, 0).placement.to_master(np.zeros(3)),
        lambda m: Placement.from_dict({}),
    ],
)
def test_bad_parameters_give_input_errors(loop, call):
    with pytest.raises(InputError):
        call(loop)
    assert not Path("nowhere").exists()


def test_placement_survives_json(loop):
    touched = impression(loop, 1)
    again = Placement.from_dict(json.loads(json.dumps(touched.to_dict()))["placement"])
    assert again == touched.placement
    assert naive.to_master((100.0, 120.0), again) == pytest.approx(
        touched.placement.to_master(np.array([[100.0, 120.0]]))[0]
    )


def test_written_folder_reads_back(tmp_path):
    calls = []
    paths = write_prints(tmp_path / "a", 1, 2, 4, progress=lambda k, n: calls.append((k, n)))
    assert [p.name for p in paths] == ["1_1.png", "1_2.png"]
    assert calls == [(1, 2), (2, 2)]
    want = impression(master(5), 2)
    with Image.open(paths[1]) as image:
        assert image.info["dpi"] == pytest.approx((500, 500), rel=1e-4)
        assert (np.asarray(image) == want.pixels).all()
    truth = json.loads(paths[1].with_suffix(".json").read_text())
    assert len(truth["minutiae"]) == len(want.truth)
    assert truth["minutiae"][0]["x"] == pytest.approx(want.truth.xy[0, 0], abs=1e-3)
    assert (truth["width"], truth["height"], truth["ppi"]) == (388, 374, 500)
    assert truth["pattern"] == master(5).kind.name.lower()


def test_image_is_ready_for_extraction(loop):
    touched = impression(loop, 0)
    assert touched.image.pixels.shape == touched.truth.shape


def manifest():
    return json.loads((CORPUS / "manifest.json").read_text())


def test_corpus_is_what_its_manifest_says():
    files = manifest()["files"]
    assert sum(name.endswith(".png") for name in files) == 80
    assert sum((CORPUS / name).stat().st_size for name in files) < 5_000_000
    for name, entry in files.items():
        assert hashlib.sha256((CORPUS / name).read_bytes()).hexdigest() == entry["sha256"], name


def rounded(value):
    """A value of JSON, its numbers to nine digits behind the point."""
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return round(value, 9) if isinstance(value, float) else value


@pytest.mark.parametrize(("sensor", "finger", "k"), [("optical", 3, 1), ("capacitive", 8, 4)])
def test_corpus_is_reproduced(tmp_path, sensor, finger, k):
    # Fingers are numbered from the seed, so one folder with a later seed starts at that finger.
    paths = write_prints(tmp_path, 1, k, FOLDERS[sensor] + finger - 1, sensor=sensor)
    name = f"{sensor}/{finger}_{k}"
    files = manifest()["files"]
    with Image.open(paths[-1]) as image:
        pixels = hashlib.sha256(np.asarray(image).tobytes()).hexdigest()
    assert pixels == files[f"{name}.png"]["pixels"]
    # The last digit of a sine is the processor's own.
    told = json.loads(paths[-1].with_suffix(".json").read_text())
    assert rounded(told) == rounded(json.loads((CORPUS / f"{name}.json").read_text()))
