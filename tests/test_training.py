"""The learned extractor's training: what spoils prints, who votes on labels, how a file goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fpmatch.minutiae import neural
from fpmatch.parameters import NEURAL

pytest.importorskip("torch", reason="training needs PyTorch, which is no dependency")

from training import vote
from training.augment import CROP, crop
from training.faults import FAULTS, Scene, spoil
from training.prints import CELL, Print
from training.samples import batch
from training.teach import taught_all
from training.vote import RAISE, inside, local_map, readable, voted, witnessed

MODEL = Path(neural.__file__).parent / "models" / NEURAL.model
SIDE = 240


def ridges(labels: np.ndarray | None = None) -> Print:
    """Straight ridges in a disc, 9 pixels apart."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    disc = np.hypot(x - SIDE / 2, y - SIDE / 2) < 100
    pixels = np.where(disc, 128 + 100 * np.cos(2 * np.pi * x / 9), 230).astype(np.uint8)
    field = np.where(disc[CELL // 2 :: CELL, CELL // 2 :: CELL], np.pi / 2, np.nan)
    return Print.of(pixels, np.zeros((0, 5)) if labels is None else labels, field)


@pytest.mark.parametrize("width", [CROP, CROP - 40])
@pytest.mark.parametrize("fault", [f for _, f in FAULTS], ids=lambda f: f.__name__)
def test_each_fault_changes_a_print_and_keeps_its_form(fault, width) -> None:
    pixels = ridges().pixels[:CROP, :width].astype(np.float32)
    finger = np.zeros_like(pixels)
    finger[40:150, 40:150] = 1
    other = np.random.default_rng(1).normal(0, 1, pixels.shape).astype(np.float32)
    before = pixels.copy()
    made = [
        fault(pixels, Scene(finger, other), np.random.default_rng(seed)) for seed in (1, 1, 2, 3)
    ]
    assert all(m.shape == pixels.shape and m.dtype == np.float32 for m in made)
    assert all(np.isfinite(m).all() for m in made)
    assert np.array_equal(pixels, before)
    assert np.array_equal(made[0], made[1])
    assert max(np.abs(m - pixels).mean() for m in made) > 0.1


def test_most_crops_are_spoilt_and_none_is_lost() -> None:
    pixels = ridges().pixels[:CROP, :CROP].astype(np.float32)
    scene = Scene(np.ones_like(pixels), np.zeros_like(pixels))
    made = [spoil(pixels, scene, np.random.default_rng(seed)) for seed in range(60)]
    spoilt = np.mean([not np.array_equal(m, pixels) for m in made])
    assert 0.5 < spoilt < 0.95
    assert min(m.std() for m in made) > 2


def test_a_crop_keeps_its_labels_whatever_befalls_it() -> None:
    labels = np.array([[100, 110, 0.5, 1, 0.9], [130, 90, 2.0, 2, 0.8]], np.float32)
    plain = [crop(ridges(labels), np.random.default_rng(s)) for s in range(8)]
    faulty = [crop(ridges(labels), np.random.default_rng(s), ridges()) for s in range(8)]
    for (_, a, flow), (image, b, other) in zip(plain, faulty, strict=True):
        assert np.array_equal(a, b)
        assert np.array_equal(flow, other)
        assert image.shape == (CROP, CROP)


def test_the_local_map_bends() -> None:
    """A shear that no rigid map fits is followed; a direction turns with it."""
    rng = np.random.default_rng(3)
    source = rng.uniform(0, 300, (60, 2))
    middle = np.array([150.0, 150.0])
    target = source + 12 * np.sin(source[:, ::-1] / 90)
    place, _, support = local_map(source[:20], source[20:], target[20:])
    assert np.hypot(*(place - target[:20]).T).max() < 12
    assert np.median(np.hypot(*(place - target[:20]).T)) < 4
    assert (support > 0.5).all()
    c, s = np.cos(0.3), np.sin(0.3)
    turned = (source - middle) @ np.array([[c, s], [-s, c]]) + middle + (20, -10)
    place, turn, _ = local_map(source[:20], source[20:], turned[20:])
    assert np.allclose(place, turned[:20], atol=1e-6)
    assert np.allclose(turn, 0.3)


def test_impressions_vote(monkeypatch) -> None:
    """Seen by most others: raised. By none of four: not asked. By three others only: not asked."""
    import training.vote as module

    rng = np.random.default_rng(5)
    common = np.c_[rng.uniform(70, 170, (20, 2)), rng.uniform(-3, 3, 20), np.ones(20)]
    common = common[(np.hypot(*(common[:, None, :2] - common[None, :, :2]).transpose(2, 0, 1))
                     + 99 * np.eye(20)).min(1) > 3]  # fmt: skip
    prints = {}
    for i in range(6):
        heat = np.full(len(common), 0.8)
        heat[0] = 0.3 if i == 0 else 0.8
        labels = np.c_[common, heat**2]
        if i == 0:
            labels = np.r_[labels, [[120.0, 195.0, 0.1, 1, 0.64]]]
            labels = np.delete(labels, 1, axis=0)
        prints[f"7_{i}"] = ridges(labels)

    class Found:
        pairs = np.c_[np.arange(2, 12), np.arange(2, 12)]

        def __float__(self) -> float:
            return 90.0

    class Sides:
        xy = np.rint(common[:, :2] * 8).astype(np.uint16)

    monkeypatch.setattr(module.fp, "compare", lambda a, b: Found())
    monkeypatch.setattr(module, "SUPPORT", 0.0)
    out = voted(prints, dict.fromkeys(prints, Sides()))["7_0"].minutiae
    at = {tuple(np.rint(m[:2]).astype(int)): m[4] for m in out}

    def confidence(xy):
        return at.get(tuple(np.rint(np.float32(xy)).astype(int)))

    assert confidence(common[0, :2]) == pytest.approx((0.3 + RAISE) ** 2, abs=1e-4)
    assert confidence((120, 195)) == -1
    assert confidence(common[1, :2]) == -1
    assert confidence(common[5, :2]) > 0.8


def test_the_rim_has_no_vote() -> None:
    one = ridges()
    points = np.array([[120.0, 120.0], [120.0, 208.0], [215.0, 215.0], [-5.0, 100.0]])
    assert inside(one, points).tolist() == [True, False, False, False]


def test_training_goes_on_from_a_model_file() -> None:
    """Un-folded, in both modes, the network computes what OpenCV computes from the file."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    import cv2

    from fpmatch.minutiae.model_file import read_model
    from fpmatch.minutiae.network import _blocks
    from training.export import onnx_bytes
    from training.targets import normalise
    from training.unfold import unfold

    image = normalise(ridges().pixels[:192, :192].astype(np.float32))[None, None]
    crops = np.concatenate([image, image[..., ::-1], image.transpose(0, 1, 3, 2)])
    net = unfold(MODEL, crops)

    def by_opencv(network: bytes, block: int = 1) -> np.ndarray:
        run = cv2.dnn.readNetFromONNX(np.frombuffer(network, np.uint8))
        run.setInput(_blocks(image[0, 0], block))
        return run.forward()

    header, network = read_model(MODEL)
    expected = by_opencv(network, header.block)
    with torch.no_grad():
        assert np.abs(net(torch.from_numpy(image)).numpy() - expected).max() < 1e-3
        trained = net.train()(torch.from_numpy(np.ascontiguousarray(crops))).numpy()[:1]
    assert np.abs(trained - expected).max() < 1e-2
    fresh = unfold(MODEL, crops)
    assert np.abs(by_opencv(onnx_bytes(fresh)) - expected).max() < 1e-3
    assert all(not m._forward_pre_hooks for m in fresh.modules())


def test_a_network_over_blocks_of_pixels_is_the_same_network(tmp_path: Path) -> None:
    """From PyTorch to a file whose input is blocks, through `forward`, and back."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from fpmatch.minutiae.model_file import ModelHeader, write_model
    from fpmatch.minutiae.network import forward
    from training.export import in_blocks, onnx_bytes
    from training.targets import normalise
    from training.unfold import unfold

    pixels = ridges().pixels[:192, :160]
    image = torch.from_numpy(normalise(pixels.astype(np.float32))[None, None])
    net = unfold(MODEL, image.numpy()).eval()
    path = tmp_path / "blocks.fpnet"
    header = ModelHeader("net", 1, "nothing", 0, 4, 12.0, 10.0, normalise_step=2, block=2)
    write_model(path, header, in_blocks(onnx_bytes(net)))
    with torch.no_grad():
        expected = net(image)[0].numpy()
        again = unfold(path, image.numpy()).eval()(image)[0].numpy()
    assert np.abs(forward(pixels, str(path)) - expected).max() < 1e-3
    assert np.abs(again - expected).max() < 1e-3
    turned = forward(np.ascontiguousarray(pixels[::-1, ::-1]), str(path), turned=True)
    signs = np.array([1, -1, -1, -1, -1, 1, 1, 1, 1])[:, None, None]
    assert np.abs(turned[:, ::-1, ::-1] * signs - expected).max() < 1e-3


def test_a_wider_network_begins_with_what_the_narrow_one_says() -> None:
    """All the same, to rounding; every new channel can learn; narrower it is refused."""
    torch = pytest.importorskip("torch")
    from training.network import MinutiaNet
    from training.widen import widen

    torch.manual_seed(3)
    net = MinutiaNet((4, 6, 6, 8))
    images = torch.randn(3, 1, 64, 64)
    net.train()(images)  # statistics that are not those of a fresh network
    wide = widen(net, (6, 9, 12, 20))
    with torch.no_grad():
        assert torch.allclose(net.eval()(images), wide.eval()(images), atol=1e-5)
    for step in range(2):  # what leads away from the new channels first, then what leads to them
        if step:
            torch.optim.SGD(wide.parameters(), 0.1).step()
        wide.train().zero_grad()
        wide(images).square().sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in wide.parameters())
    fresh = wide.up8.first[0].weight.grad
    assert (fresh[6:].abs().sum((1, 2, 3)) > 0).all()
    assert fresh[:, 6:].abs().sum() > 0
    with pytest.raises(ValueError, match="cannot shrink"):
        widen(wide, (4, 6, 6, 8))


def test_a_synthetic_print_is_asked_for_what_can_be_seen(monkeypatch) -> None:
    """Seen: the truth. Clear and not seen: asked for. Neither: not asked. A firm claim without a
    truth: not asked; a weak one is no label at all, so its absence is asked for."""
    import training.vote as module

    truth = np.array([[60, 60, 0, 1, 0.4], [100, 60, 0, 1, 0.9], [140, 60, 0, 1, 0.3]], np.float32)
    seen = np.array([[62, 60, 0, 1, 0.7], [60, 150, 0, 1, 0.6], [140, 150, 0, 1, 0.05]], np.float32)
    monkeypatch.setattr(module, "own", lambda pixels: seen)
    labels = module.witnessed(ridges(truth)).minutiae
    confidence = {tuple(m[:2].astype(int)): float(m[4]) for m in labels}
    expected = {(60, 60): 0.7, (100, 60): 0.5, (140, 60): -1, (60, 150): -0.6}
    assert confidence == pytest.approx(expected)  # below 0: nothing is asked


def test_runs_of_several_seeds_are_averaged(tmp_path: Path) -> None:
    """Weights and statistics: the mean of the runs, and the sum of their steps."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from training.export import load_average
    from training.network import MinutiaNet

    nets = [MinutiaNet((4, 6, 6, 8)) for _ in range(2)]
    for k, net in enumerate(nets):
        net.stem[0][1].running_mean.fill_(float(k))
        (tmp_path / str(k)).mkdir()
        (tmp_path / str(k) / "arguments.json").write_text('{"widths": [4, 6, 6, 8]}')
        state = {f"module.{name}": value for name, value in net.state_dict().items()}
        torch.save({"average": state, "step": 30 + k}, tmp_path / str(k) / "checkpoint.pt")
    mean, steps = load_average([tmp_path / "0", tmp_path / "1"])
    assert steps == 61
    expected = (nets[0].head[1].weight + nets[1].head[1].weight) / 2
    assert torch.allclose(mean.head[1].weight, expected)
    assert (mean.stem[0][1].running_mean == 0.5).all()


def test_a_flat_print_as_residue_spoils_no_crop() -> None:
    """A running sum over what is all but flat comes out a little under nothing."""
    pixels = np.full((SIDE, SIDE), 255, np.uint8)
    pixels[:40] = 3
    flat = Print.of(pixels, np.zeros((0, 5)), np.full((SIDE // CELL, SIDE // CELL), np.nan))
    made = [crop(ridges(), np.random.default_rng(s), flat)[0] for s in range(40)]
    assert all(np.isfinite(m).all() for m in made)


def test_a_share_of_the_crops_can_be_without_faults() -> None:
    def drawn(share: float) -> np.ndarray:
        """A crop's first draws are the same whatever befalls it later."""
        return batch([[ridges()]], [1.0], 24, np.random.default_rng(5), faults=share)[0]

    assert np.array_equal(drawn(0.0), drawn(0.0))
    assert not np.array_equal(drawn(0.0), drawn(1.0))
    assert all(np.isfinite(drawn(share)).all() for share in (0.0, 0.5, 1.0))


def test_prints_in_which_nothing_is_found_are_left_out() -> None:
    blank = Print.of(
        np.full((SIDE, SIDE), 200, np.uint8), np.zeros((0, 5)), np.full((30, 30), np.nan)
    )
    some = readable({"good": ridges(), "blank": blank}, witnessed)
    assert "blank" not in some
    found = taught_all(lambda p: np.zeros((0, 5), np.float32), [("blank", blank.pixels)])
    assert found == {}


def test_a_teacher_says_what_its_file_says_and_learns_nothing() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from training.distil import teacher
    from training.targets import normalise
    from training.unfold import unfold

    image = normalise(ridges().pixels[:192, :192].astype(np.float32))[None, None]
    crops = np.concatenate([image, image[..., ::-1], image.transpose(0, 1, 3, 2)])
    guide = teacher(MODEL, crops)
    with torch.no_grad():
        expected = unfold(MODEL, crops).eval()(torch.from_numpy(image))
        assert torch.allclose(guide(torch.from_numpy(image)), expected, atol=1e-3)
    assert not any(weight.requires_grad for weight in guide.parameters())
    assert not any(isinstance(one, torch.nn.BatchNorm2d) for one in guide.modules())


def test_the_distance_to_a_teacher_counts_what_it_is_sure_of() -> None:
    """0 where both say the same; each part has its maps; what is not there has no direction."""
    torch = pytest.importorskip("torch")
    from training.distil import distance

    torch.manual_seed(4)
    taught = torch.randn(2, 9, 8, 8)
    taught[:, 0] = -9
    taught[:, 0, 3, 3] = 2
    taught[:, 8, :, :4], taught[:, 8, :, 4:], taught[:, 8, 3, 3] = 9, -9, 1
    assert all(abs(float(part)) < 1e-6 for part in distance(taught, taught).values())
    maps = {"heat": 0, "offset": 2, "direction": 4, "type": 5, "flow": 6, "finger": 8}
    for name, channel in maps.items():
        output = taught.clone()
        output[:, channel, 3, 3] += 1
        parts = distance(output, taught)
        assert [n for n, part in parts.items() if part > 1e-6] == [f"taught_{name}"]
    output = taught.clone()
    output[:, 1:6, :, 4:] += 1
    output[:, 6:8, :, 4:] += 1
    assert all(part < 1e-2 for part in distance(output, taught).values())


def test_training_with_a_teacher_is_repeatable_and_the_teacher_counts(
    tmp_path: Path, monkeypatch
) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from training import train
    from training.prints import write

    labels = np.array([[60, 60, 0, 1, 0.4], [150, 160, 2, 2, 0.9]], np.float32)
    write(tmp_path / "labels" / "some.npz", {"1_1": ridges(labels)})

    def run(name: str, *more: str) -> list:
        given = f"--labels {tmp_path}/labels --widths 4 6 6 8 --steps 4 --batch 2 --faults 0"
        monkeypatch.setattr(
            "sys.argv", ["train", *given.split(), "--out", str(tmp_path / name), *more]
        )
        train.main()
        state = torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)
        return list(state["net"].values())

    def same(one: list, other: list) -> bool:
        return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))

    taught, alone = run("taught", "--teacher", str(MODEL)), run("alone")
    assert same(taught, run("again", "--teacher", str(MODEL)))
    assert not same(taught, alone)
    assert same(alone, run("unheard", "--teacher", str(MODEL), "--taught", "0"))


def test_own_labels_keep_out_what_is_left_out(tmp_path, monkeypatch) -> None:
    """Of a set of which half is kept back, the second and the fourth finger are not labelled."""
    picture = Image.fromarray(ridges().pixels)
    (tmp_path / "sd4").mkdir()
    for finger in ("A001", "A002", "A003", "A004"):
        for impression in (1, 2):
            picture.save(tmp_path / "sd4" / f"{finger}_{impression}.png")
    (tmp_path / "ppi.json").write_text('{"sd4": 500}')
    monkeypatch.setattr(vote, "taught", lambda find, pixels: ridges())
    made = vote.own_prints(tmp_path, ["sd4"])["sd4"]
    assert sorted(made) == ["A001_1", "A001_2", "A003_1", "A003_2"]
