"""Drawings: nothing is hidden or left out, every form shows the same, bad input is told."""

from __future__ import annotations

import dataclasses
import io
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from engine_helpers import print_of
from PIL import Image

import fpmatch as fp
from fpmatch.drawing import draw, draw_pairs
from fpmatch.drawing.labels import place_labels
from fpmatch.drawing.panel import LARGE, Marks, panel_of
from fpmatch.drawing.shapes import Box, Path, Picture, Ring, Text
from fpmatch.errors import InputError
from fpmatch.types import Minutia, MinutiaType, Pairing

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def two(synthetic_data):
    images = [fp.read_image(synthetic_data / "optical" / f"1_{n}.png", ppi=500) for n in (1, 2)]
    templates = [fp.extract(image) for image in images]
    return images, templates, fp.compare(*templates)


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def near(color: str, shown: np.ndarray) -> np.ndarray:
    wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return np.abs(shown - wanted).max(axis=-1) < 40


def grounds(drawing):
    """Rectangles of the labels: white, with an edge."""
    return [s for s in drawing.shapes if isinstance(s, Box) and s.fill == "#FFFFFF" and s.edge]


@pytest.mark.parametrize("seed", range(20))
def test_labels_lie_on_nothing_and_within_the_canvas(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 120))
    anchors = rng.uniform(5, 595, (n, 2)) if seed % 2 else rng.normal(300, 40, (n, 2))
    sizes = [(8.0 * len(str(i)) + 5, 16.0) for i in range(n)]
    areas = place_labels(anchors, rng.uniform(0, 6.28, n), sizes, 4.0, (600.0, 600.0))
    assert len(areas) == n
    for i, area in enumerate(areas):
        assert 0 <= area.x - area.across <= area.x + area.across <= 600
        assert 0 <= area.y - area.down <= area.y + area.down <= 600
        assert all(area.apart(other) for other in areas[:i])
        apart = np.maximum(
            np.abs(anchors[:, 0] - area.x) - area.across,
            np.abs(anchors[:, 1] - area.y) - area.down,
        )
        assert apart.min() > 3.9


def test_a_canvas_that_is_full_still_gets_every_label():
    anchors = np.full((50, 2), 20.0)
    areas = place_labels(anchors, np.zeros(50), [(20.0, 16.0)] * 50, 4.0, (40.0, 40.0))
    assert len(areas) == 50


def test_each_minutia_is_drawn_once_in_its_place_and_direction(two):
    (image, _), (template, _), _ = two
    drawing = draw(image, template)
    (picture,) = (s for s in drawing.shapes if isinstance(s, Picture))
    scale = picture.width / template.width
    kinds = {
        MinutiaType.ENDING: [s for s in drawing.shapes if isinstance(s, Ring)],
        MinutiaType.BIFURCATION: [
            s for s in drawing.shapes if isinstance(s, Path) and len(s.points) == 4
        ],
    }
    for kind, found in kinds.items():
        colored = [s for s in found if s.color != "#FFFFFF" and _middle(s)[1] < picture.height]
        xy = (template.xy[template.kind == kind] / 8 + 0.5) * scale
        assert len(colored) == len(xy)
        for shape, place in zip(colored, xy, strict=True):
            assert _middle(shape) == pytest.approx(tuple(place), abs=0.01)
            i = drawing.shapes.index(shape)
            (x0, y0), (x1, y1) = drawing.shapes[i + 1].points
            turn = np.arctan2(y1 - y0, x1 - x0) % (2 * np.pi)
            mine = np.flatnonzero(np.isclose((template.xy / 8 + 0.5) * scale, place).all(axis=1))
            assert turn == pytest.approx(int(template.angle[mine[0]]) * 2 * np.pi / 65536)


def _middle(shape):
    if isinstance(shape, Ring):
        return shape.x, shape.y
    xy = np.array(shape.points).mean(axis=0)
    return float(xy[0]), float(xy[1])


def test_marks_stand_out_from_dark_ridges_by_a_white_outline(two):
    _, (template, _), _ = two
    black = fp.FingerImage(np.zeros((template.height, template.width), np.uint8))
    shown = pixels(draw(black, template).png())
    marks = near("#D55E00", shown) | near("#0072B2", shown)
    assert marks.sum() > 500
    white = (shown > 235).all(axis=-1)
    around = np.zeros_like(white)
    for dy in range(-4, 5):
        for dx in range(-4, 5):
            around |= np.roll(white, (dy, dx), (0, 1))
    assert (marks & ~around).sum() < 0.02 * marks.sum()


def test_the_same_pair_has_the_same_number_and_colour_on_both_sides(two):
    images, templates, score = two
    drawing = draw_pairs(images[0], templates[0], images[1], templates[1], score)
    texts = [s for s in drawing.shapes if isinstance(s, Text) and s.text.isdecimal()]
    assert sorted(int(t.text) for t in texts) == sorted([*range(1, len(score.pairs) + 1)] * 2)
    colors = {}
    for text in texts:
        assert colors.setdefault(text.text, text.color) == text.color
    boxes = grounds(drawing)
    assert len(boxes) == len(texts)
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            assert (
                a.x + a.width <= b.x + 1e-6 or b.x + b.width <= a.x + 1e-6
                or a.y + a.height <= b.y + 1e-6 or b.y + b.height <= a.y + 1e-6
            )  # fmt: skip


def test_both_prints_are_drawn_at_one_scale(two):
    images, templates, _ = two
    part = fp.FingerImage(images[1].pixels[:200, :200])
    drawing = draw_pairs(images[0], templates[0], part, fp.extract(part), np.zeros((0, 2), int))
    one, other = (s for s in drawing.shapes if isinstance(s, Picture))
    assert one.width / one.pixels.shape[1] == pytest.approx(other.width / 200)


def test_a_pairing_draws_what_its_templates_draw(two):
    images, templates, score = two

    def told(template, i):
        x, y = template.xy[i] / 8
        angle = int(template.angle[i]) * 360 / 65536
        return Minutia(int(i), float(x), float(y), angle, MinutiaType(int(template.kind[i])))

    pairing = Pairing(
        0, 0, templates[1].position, templates[1].impression,
        (templates[0].width, templates[0].height), (templates[1].width, templates[1].height),
        tuple((told(templates[0], i), told(templates[1], j)) for i, j in score.pairs),
    )  # fmt: skip
    whole = draw_pairs(images[0], templates[0], images[1], templates[1], score)
    same = draw_pairs(images[0], templates[0], images[1], templates[1], pairing)
    assert same.svg() == whole.svg()
    bare = draw_pairs(None, None, None, None, pairing)
    assert bare.svg().count("no image") == 2
    numbers = [s.text for s in bare.shapes if isinstance(s, Text) and s.text.isdecimal()]
    assert len(numbers) == 2 * len(score.pairs)
    with pytest.raises(InputError, match="not the one"):
        draw_pairs(None, print_of(1), None, None, pairing)
    with pytest.raises(InputError, match="not of the impression"):
        draw_pairs(fp.FingerImage(images[0].pixels[:200]), None, None, None, pairing)


def test_png_and_svg_are_whole_and_repeat(two):
    (image, _), (template, _), _ = two
    drawing = draw(image, template, title="a <title> & \u202e more", numbers=True)
    root = ElementTree.fromstring(drawing.svg())
    assert root.tag == f"{SVG}svg"
    assert root.find(f"{SVG}title").text == "a <title> & � more"
    assert (
        drawing.svg() == draw(image, template, title="a <title> & \u202e more", numbers=True).svg()
    )
    assert drawing.png() == drawing.png()
    height, width, _ = pixels(drawing.png()).shape
    assert (width, height) == (round(drawing.width), round(drawing.height))


def test_drawings_go_onto_an_axis(two):
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    images, templates, score = two
    figure = Figure(figsize=(8, 4), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    drawing = draw_pairs(
        images[0], templates[0], images[1], templates[1], score, title="cost $x$", lines=True
    )
    drawing.onto(axes)
    canvas.draw()
    assert axes.get_xlim() == (0, drawing.width)
    assert axes.get_ylim() == (drawing.height, 0)
    assert len(axes.texts) == sum(isinstance(s, Text) for s in drawing.shapes)
    shown = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
    assert near("#0063A0", shown).sum() > 50
    with pytest.raises(InputError, match="axis"):
        drawing.onto("axes")


def test_png_and_svg_need_no_matplotlib():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import numpy as np, fpmatch as fp\n"
        "u = np.zeros(0, np.uint8); h = np.zeros(0, np.uint16)\n"
        "t = fp.Template(np.zeros((0, 2), np.uint16), h, u, u, 300, 300)\n"
        "d = fp.draw(None, t)\n"
        "assert d.png()[:4] == b'\\x89PNG' and d.svg()\n"
        "assert fp.draw_pairs(None, t, None, t, []).png()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_a_large_image_is_cut_to_where_the_minutiae_are():
    image = fp.FingerImage(np.full((3000, 3600), 240, np.uint8))
    template = dataclasses.replace(
        print_of(1), xy=print_of(1).xy + np.uint16(8 * 1000), width=3600, height=3000
    )
    drawing = draw(image, template)
    assert drawing.width < 1000
    (picture,) = (s for s in drawing.shapes if isinstance(s, Picture))
    assert max(picture.pixels.shape) <= 500
    spread = dataclasses.replace(
        print_of(1), xy=(print_of(1).xy * 10).astype(np.uint16), width=3600, height=3000
    )
    assert max(draw(image, spread).width, draw(image, spread).height) < 4000
    small = panel_of(None, (LARGE, LARGE), [Marks.of(print_of(1))])
    assert (small.across, small.down) == (LARGE, LARGE)


def test_nothing_to_draw_is_drawn():
    none = np.zeros(0, np.uint16)
    empty = fp.Template(none.reshape(0, 2), none, none.astype("u1"), none.astype("u1"), 100, 100)
    assert draw(None, empty, numbers=True).png()
    assert "0 paired" in draw_pairs(None, empty, None, empty, []).svg()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None, "x"), "template"),
        (("x", print_of(1)), "image"),
        ((fp.FingerImage(np.zeros((300, 300), np.uint8)), print_of(1)), "do not belong together"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        draw(*arguments)


@pytest.mark.parametrize(
    "pairs",
    [
        [(0, 16)],
        [(-1, 0)],
        [(0,)],
        [(0, 1, 2)],
        [(0.5, 1.5)],
        "ab",
        [("a", "b")],
        7,
        None,
        [[0], [1, 2]],
    ],
)
def test_pairs_that_mean_nothing_are_refused(pairs):
    with pytest.raises(InputError, match="pairs"):
        draw_pairs(None, print_of(1), None, print_of(1, 1), pairs)


def test_other_values_that_mean_nothing_are_refused(tmp_path):
    for bad in ({"title": 5}, {"title": "x" * 300}, {"numbers": "yes"}):
        with pytest.raises(InputError):
            draw(None, print_of(1), **bad)
    for bad in ({"names": "ab"}, {"names": ("a",)}, {"names": ("a", 5)}, {"lines": 1}):
        with pytest.raises(InputError):
            draw_pairs(None, print_of(1), None, print_of(2), [], **bad)
    with pytest.raises(InputError, match="without a template"):
        draw_pairs(None, None, None, None, [(0, 0)])
    drawing = draw(None, print_of(1))
    for path in (tmp_path / "x.jpg", tmp_path / "no" / "x.png", 5):
        with pytest.raises(InputError):
            drawing.save(path)
    drawing.save(tmp_path / "x.PNG")
    drawing.save(str(tmp_path / "x.svg"))
    assert (tmp_path / "x.svg").read_text() == drawing.svg()
