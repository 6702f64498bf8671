"""Templates of another vendor's extractor, matched among themselves and against our own."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import fpmatch as fp
from fpmatch import formats
from fpmatch.descriptor import encode
from fpmatch.evaluate.metrics import verification_metrics

WIDTH, HEIGHT = 388, 374
"""Of the images before they were squeezed to 300x400 for the vendor's extractor."""


def undone(template: fp.Template) -> fp.Template:
    """The template as it would be on the image before the squeeze."""
    scale = np.array([WIDTH / template.width, HEIGHT / template.height])
    angle = template.angle.astype(np.float64) * (2 * np.pi / 65536)
    turned = np.arctan2(np.sin(angle) * scale[1], np.cos(angle) * scale[0])
    limit = (WIDTH * 8 - 1, HEIGHT * 8 - 1)
    return fp.Template(
        xy=np.minimum(np.rint(template.xy * scale), limit).astype(np.uint16),
        angle=(np.rint(turned * (65536 / (2 * np.pi))).astype(np.int64) % 65536).astype(np.uint16),
        kind=template.kind,
        quality=template.quality,
        width=WIDTH,
        height=HEIGHT,
    )


def error_rate(probes: dict[str, fp.Template], candidates: dict[str, fp.Template]) -> float:
    """EER over all pairs of prints, percent."""
    sides = [{name: encode(t) for name, t in each.items()} for each in (probes, candidates)]
    mated, nonmated = [], []
    for one, other in itertools.combinations(sorted(probes), 2):
        score = fp.compare(sides[0][one], sides[1][other]).value
        (mated if one[:3] == other[:3] else nonmated).append(score)
    assert (len(mated), len(nonmated)) == (280, 2880)
    return verification_metrics(mated, nonmated).eer


@pytest.fixture(scope="module")
def vendor(data: Path) -> dict[str, fp.Template]:
    paths = sorted((data / "formats" / "templates" / "fvc2002_DB1_B_iso").glob("*.iso"))
    return {path.stem: formats.read_templates(path)[0] for path in paths}


def test_among_themselves(vendor: dict[str, fp.Template]) -> None:
    assert error_rate(vendor, vendor) <= 2.0
    straight = {name: undone(template) for name, template in vendor.items()}
    assert error_rate(straight, straight) <= 1.5


def test_against_our_own_extraction_of_the_same_prints(
    data: Path, vendor: dict[str, fp.Template]
) -> None:
    own = {
        name: fp.extract(fp.read_image(data / "fvc2002" / "DB1_B" / f"{name}.tif", ppi=500))
        for name in vendor
    }
    assert error_rate({name: undone(t) for name, t in vendor.items()}, own) <= 1.5
