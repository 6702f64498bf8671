"""Quality on the scale of the standards: ours, NFIQ 2's, and the command."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import format_cases as cases
import numpy as np
import pytest

import fpmatch as fp
from fpmatch import formats
from fpmatch.errors import InputError, MissingExtra
from fpmatch.image import nfiq2 as module
from fpmatch.template import ImageQuality

Fpm = Callable[..., tuple[int, str, str]]


@pytest.fixture
def print_(synthetic_data: Path) -> fp.FingerImage:
    return fp.read_image(synthetic_data / "optical" / "1_1.png", ppi=500)


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nbis-py were not installed."""
    monkeypatch.setitem(sys.modules, "nbis", None)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    module._extractor.cache_clear()


def test_the_values_that_nfiq2_states_for_its_own_examples(data: Path) -> None:
    pytest.importorskip("nbis")
    folder = data / "formats" / "nfiq2" / "Examples"
    images = sorted((folder / "Images").glob("*.pgm"))
    assert len(images) == 5
    for path in images:
        text = (folder / "Expected" / f"{path.stem}_output.txt").read_text()
        stated = int(text.split("UnifiedQualityScore:")[1].split()[0])
        assert fp.quality(fp.read_image(path, ppi=500), nfiq2=True).nfiq2 == stated


def test_the_example_of_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[1]
    monkeypatch.chdir(root)
    (code,) = re.findall(r"```python\n(.*?)```", (root / "docs/quality.md").read_text(), re.DOTALL)
    names: dict = {}
    exec(compile(code, "quality.md", "exec"), names)
    assert names["found"].value > 50


def test_ours_is_what_the_template_keeps(print_: fp.FingerImage) -> None:
    for extractor in ("neural", "classical"):
        template = fp.extract(print_, extractor=extractor)
        found = fp.quality(print_, extractor=extractor, nfiq2=False)
        assert found == ImageQuality(
            template.image_quality, 254, False, len(template), template.extractor
        )


def test_where_nothing_can_be_extracted_there_is_no_value() -> None:
    pixels = np.random.default_rng(0).integers(100, 120, (200, 200), dtype=np.uint8)
    found = fp.quality(fp.read_image(pixels, ppi=500))
    assert (found.value, found.minutiae, found.retake) == (255, 0, True)
    assert "ridge" in found.reason
    if module.nfiq2_installed():
        assert found.nfiq2 == 255


def test_poor_prints_are_to_be_captured_again(print_: fp.FingerImage) -> None:
    noise = np.random.default_rng(0).normal(0, 250, print_.pixels.shape)
    poor = np.clip(print_.pixels + noise, 0, 255).astype(np.uint8)
    good, bad = (fp.quality(one, nfiq2=False) for one in (print_, fp.read_image(poor, ppi=500)))
    assert not good.retake
    assert bad.retake
    assert bad.value < 30 <= good.value


@pytest.mark.usefixtures("without")
def test_without_nbis(print_: fp.FingerImage, fpm: Fpm, synthetic_data: Path) -> None:
    assert fp.quality(print_).nfiq2 == 254
    with pytest.raises(MissingExtra, match="nfiq"):
        fp.quality(print_, nfiq2=True)
    with pytest.raises(MissingExtra, match="nfiq"):
        module.nfiq2(print_)
    path = synthetic_data / "optical" / "1_1.png"
    status, out, err = fpm("quality", path, "--ppi", "500", "--nfiq2")
    assert (status, out) == (2, "")
    assert "fpmatch[nfiq]" in err
    assert fpm("quality", path, "--ppi", "500")[0] == 0


@pytest.mark.parametrize("values", [{"image": b""}, {"extractor": "other"}, {"nfiq2": "yes"}])
def test_wrong_values(print_: fp.FingerImage, values: dict) -> None:
    given = {"image": print_} | values
    with pytest.raises(InputError):
        fp.quality(given.pop("image"), **given)


def test_the_command(fpm: Fpm, synthetic_data: Path, tmp_path: Path) -> None:
    path = synthetic_data / "optical" / "1_1.png"
    status, out, _ = fpm("quality", path, "--ppi", "500", "--no-nfiq2", "--json", "-", "--isolated")
    assert status == 0
    (row,) = json.loads(out)
    template = fp.extract(fp.read_image(path, ppi=500))
    assert row == {
        "file": str(path), "quality": template.image_quality, "nfiq2": 254,
        "minutiae": len(template), "retake": False, "extractor": template.extractor,
    }  # fmt: skip
    stored = tmp_path / "poor.fpt"
    from dataclasses import replace

    stored.write_bytes(replace(template, image_quality=12).to_bytes())
    status, out, _ = fpm("quality", path, stored, tmp_path / "nowhere", "--ppi", "500")
    assert status == 2
    assert "retake" in out
    assert "No such file" in out
    status, out, err = fpm("quality", tmp_path / "nowhere")
    assert (status, out) == (2, "")
    assert err.startswith("fpmatch: error: ")


def test_every_print_of_a_container_is_judged(
    fpm: Fpm, print_: fp.FingerImage, tmp_path: Path
) -> None:
    from dataclasses import replace

    record = cases.image_record("fir2011", views=3)
    height, width = print_.pixels.shape
    one = replace(record.views[0], data=print_.pixels.tobytes(), width=width, height=height)
    slap = replace(one, position=13)
    views = (one, slap, record.views[2])
    path = tmp_path / "record"
    path.write_bytes(formats.write(replace(record, views=views)))
    status, out, _ = fpm("quality", path, "--no-nfiq2", "--json", "-")
    rows = json.loads(out)
    assert status == 2
    assert [row["file"] for row in rows] == [f"{path}, {n} of 3" for n in (1, 2, 3)]
    assert rows[0]["quality"] == fp.quality(print_, nfiq2=False).value
    assert rows[0]["position"] == 2
    assert rows[1]["error"] == "position 13 is no single finger"
    assert (rows[2]["quality"], rows[2]["retake"]) == (255, True)
    assert rows[2]["reason"]
    status, out, _ = fpm("quality", path, "--no-nfiq2")
    assert "none" in out


def test_a_picture_that_cannot_be_coded_has_no_value(
    print_: fp.FingerImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nbis")
    monkeypatch.setattr(module.cv2, "imencode", lambda *_: (False, None))
    assert module.nfiq2(print_) == 255
