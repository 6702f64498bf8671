"""Every file of the real samples stands in a table of expectations; here those of pictures alone.

Minutiae records: `test_formats_templates.py`; transactions: `test_formats_itl.py`; finger image
records: `test_formats_fir.py`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import test_formats_itl
import test_formats_templates

import fpmatch as fp
from fpmatch import formats
from fpmatch.errors import FormatError, FpmatchError, ResolutionError
from fpmatch.formats.coded import coded_size, coding

FIR = {
    # file: coding, rows and columns, resolution that it states and is read with, or the refusal
    "Left_Index.wsq": ("WSQ", (448, 280), 500),
    "Left_Little.wsq": ("WSQ", (441, 259), 500),
    "Left_Middle.wsq": ("WSQ", (434, 287), 500),
    "Left_Ring.wsq": ("WSQ", (462, 252), 500),
    "Left_Thumb.wsq": ("WSQ", (427, 350), 500),
    "Right_Index.wsq": ("WSQ", (413, 308), 500),
    "Right_Little.wsq": ("WSQ", (399, 273), 500),
    "Right_Ring.wsq": ("WSQ", (504, 273), 500),
    "Right_Thumb.wsq": ("WSQ", (504, 357), 500),
    "info_finger_left_index_auth.jp2": ("JPEG2000", (448, 280), "1000 ppi is stated"),
    "info_finger_left_index_registration.jp2": ("JPEG2000", (448, 280), "1000 ppi is stated"),
    "info_finger_left_thumb_auth.wsq": ("WSQ", (622, 545), 500),
}
VECTORS = ("07", "09", "10", "12", "13", "14", "15", "17")
WSQ = {
    # folder: numbers of its files, how they end, and how far from the scan they may be: root mean
    # square in gray levels, some of what was measured added (at 0.75 bits a pixel 3.6 to 8.1, with
    # other filter taps to 8.6, at 2.25 bits 1.5 to 3.1)
    "golden075": (VECTORS, "raw", 10.0),
    "raw": (VECTORS, "raw", 0.0),
    "wsq075": (VECTORS, "wsq", 10.0),
    "wsq225": (VECTORS, "wsq", 4.0),
    "nonstandard": (("09", "10", "13", "14", "15", "16"), "wsq", 10.0),
}
NFIQ2 = [f"SFinGe_Test0{n}" for n in range(1, 6)]
POLICY = Path(__file__).parents[1] / "fpmatch" / "cli" / "demo_policy.toml"
RECORDS = 45
"""Finger image records: `test_formats_fir.py` says of each what it holds."""


@pytest.fixture
def samples(data: Path) -> Path:
    return data / "formats"


def tabled() -> set[str]:
    """Every file that a table of the tests names, but the records that are told by their names."""
    names = {f"nist_itl/{name}" for name in test_formats_itl.SAMPLES}
    names |= {f"templates/{name}" for name in test_formats_templates.SAMPLES}
    names |= {f"templates/{name}" for name in test_formats_templates.CUT}
    names |= {
        f"templates/fvc2002_DB1_B_iso/{finger}_{impression}.iso"
        for finger in range(101, 111)
        for impression in range(1, 9)
    }
    names |= {
        f"templates/{Path(name).with_suffix('.json')}"
        for name in test_formats_templates.SAMPLES
        if name.startswith("fingerprintio/")
    }
    names |= {f"fir/imagedecoder/{name}" for name in FIR}
    for folder, (numbers, suffix, _) in WSQ.items():
        names |= {f"wsq/{folder}/cmp000{number}.{suffix}" for number in numbers}
    names.add("wsq/raw-image-dimensions.json")
    names |= {f"nfiq2/Examples/Images/{name}.pgm" for name in NFIQ2}
    names |= {f"nfiq2/Examples/Expected/{name}_output.txt" for name in NFIQ2}
    return names


def test_every_file_stands_in_a_table(samples: Path) -> None:
    files = {path.relative_to(samples).as_posix() for path in samples.rglob("*") if path.is_file()}
    records = {name for name in files if name.startswith(("fir/bio-utils/", "fir/mockmds/"))}
    assert len(records) == RECORDS
    assert {name.rsplit(".", 1)[1] for name in records} == {"iso"}
    assert files - records == tabled()


@pytest.mark.parametrize("name", FIR)
def test_pictures_of_national_systems(samples: Path, name: str) -> None:
    coded, shape, ppi = FIR[name]
    path = samples / "fir" / "imagedecoder" / name
    data = path.read_bytes()
    assert coding(data) == coded
    assert coded_size(data) == shape[::-1]
    if isinstance(ppi, str):
        with pytest.raises(ResolutionError, match=ppi):
            fp.read_image(path)
        image = fp.read_image(path, ppi=500)
    else:
        image = fp.read_image(path)
    assert (image.source_format, image.original_shape) == (coded, shape)
    assert image.original_ppi == 500
    assert np.array_equal(image.pixels, fp.read_image(path, ppi=500, isolated=True).pixels)


@pytest.mark.parametrize("folder", WSQ)
def test_certification_vectors(samples: Path, folder: str) -> None:
    """Against the scans that they were made of; within one level of the goldens: test_image.py."""
    numbers, suffix, most = WSQ[folder]
    stated = json.loads((samples / "wsq" / "raw-image-dimensions.json").read_text())
    sizes = {one["fileName"]: (one["width"], one["height"]) for one in stated}
    for number in numbers:
        name = f"cmp000{number}"
        data = (samples / "wsq" / folder / f"{name}.{suffix}").read_bytes()
        width, height = sizes[f"{name}.raw"]
        if suffix == "wsq":
            with pytest.raises(ResolutionError, match="states no resolution"):
                fp.read_image(data)
            image = fp.read_image(data, ppi=500)
            assert coded_size(data) == (width, height)
        else:
            shown = formats.Picture(data, "RAW", width, height, (500, 500), (0,), 0)
            image = shown.read()
            with pytest.raises(FormatError, match="pixels need"):
                formats.Picture(data, "RAW", width + 1, height, (500, 500), (0,), 0).read()
        assert image.pixels.shape == (height, width)
        scan = samples / "wsq" / "raw" / f"{name}.raw"
        if scan.exists():
            apart = np.fromfile(scan, np.uint8).reshape(height, width).astype(int) - image.pixels
            rms = float(np.sqrt((apart * apart).mean()))
            assert rms <= most
            assert (rms > 0) is (folder != "raw")


@pytest.mark.parametrize("name", NFIQ2)
def test_examples_of_nfiq2(samples: Path, name: str) -> None:
    """Their values: test_quality.py. Here the pictures, with and without a resolution."""
    path = samples / "nfiq2" / "Examples" / "Images" / f"{name}.pgm"
    with pytest.raises(ResolutionError, match="states no resolution"):
        fp.read_image(path)
    image = fp.read_image(path, ppi=500)
    assert (image.source_format, image.pixels.shape) == ("PPM", (560, 416))
    assert len(fp.extract(image)) > 40


def test_what_is_no_picture_is_none(samples: Path) -> None:
    """Texts, raw bytes, minutiae and containers are refused where a picture is wanted."""
    for path in sorted(samples.rglob("*")):
        if path.is_file() and path.suffix in (".json", ".txt", ".raw", ".iso", ".dat", ".an2"):
            with pytest.raises(FpmatchError):
                fp.read_image(path, ppi=500)


def test_a_ten_print_card_is_enrolled_and_searched(samples: Path, tmp_path: Path) -> None:
    """Its plain thumbs find their rolled prints among all ten and among other people's fingers.

    The plain fingers of the card's slaps, which have to be cut: test_slaps.py.
    """
    card = formats.pictures_of(formats.read(samples / "nist_itl" / "type-4-tpcard.an2"))
    prints = {p.positions[0]: fp.extract(p.read(), position=p.finger) for p in card if p.finger}
    others = sorted((samples / "templates" / "fvc2002_DB1_B_iso").glob("*_1.iso"))
    with fp.Engine.create(tmp_path / "county.fpm") as engine:
        engine.add_partition("criminal", ndr=1, owner="DOJ-FBI")
        engine.add_partition("immigration", ndr=9, owner="DHS")
        records = [fp.Record(f"finger-{code}", [prints[code]]) for code in range(1, 11)]
        records += [fp.Record(p.stem, formats.read_templates(p)) for p in others]
        assert engine.enrol("criminal", records).errors == ()
        engine.publish(fp.Policy.load(POLICY))
        for code, thumb in ((11, 1), (12, 6)):
            request = fp.SearchRequest(
                fingers=[prints[code]], booking_ori="CS0010200", transaction="CAR",
                chain=["CSSIR0000"],
                tcn=f"card-{code}", positions="any", max_candidates=20,
            )  # fmt: skip
            found = engine.search(request)["criminal"].candidates
            assert found[0].record == f"finger-{thumb}"
            assert found[0].score > 40
            assert all(one.score < 40 for one in found[1:])
