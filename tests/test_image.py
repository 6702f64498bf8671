"""Reading images: every format, every resolution case, and everything that can be wrong."""

from __future__ import annotations

import io
import json
import random
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fpmatch.errors import FpmatchError, ImageError, InputError, ResolutionError
from fpmatch.image import FingerImage, read_image

FORMATS = {
    "PNG": {},
    "TIFF": {},
    "BMP": {},
    "JPEG": {"quality": 95},
    "JPEG2000": {"irreversible": False},
}


def ridges(height: int = 120, width: int = 100) -> np.ndarray:
    """A plane wave with a period of nine pixels."""
    y, x = np.mgrid[:height, :width]
    wave = 127.5 + 100 * np.sin(2 * np.pi * (x * 0.8 + y * 0.6) / 9)
    return wave.astype(np.uint8)


def encoded(name: str, pixels: np.ndarray | None = None, **extra: object) -> bytes:
    out = io.BytesIO()
    image = Image.fromarray(ridges() if pixels is None else pixels)
    image.save(out, format=name, **{**FORMATS.get(name, {}), **extra})
    return out.getvalue()


def wsq_bytes(comment: str | None, pixels: np.ndarray | None = None) -> bytes:
    """A WSQ file whose NIST comment is ours: inserted right after the start of image."""
    import wsq  # noqa: F401

    data = encoded("WSQ", pixels)
    at, body = 2, b""
    while data[at : at + 2] == b"\xff\xa8":  # drop the encoder's own comments
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    if comment is not None:
        text = comment.encode()
        body = b"\xff\xa8" + struct.pack(">H", len(text) + 2) + text
    return data[:2] + body + data[at:]


@pytest.mark.parametrize("name", FORMATS)
def test_lossless_formats_return_the_pixels_and_jpeg_comes_close(name: str) -> None:
    image = read_image(encoded(name), ppi=500)
    assert image.source_format == name
    assert image.pixels.shape == (120, 100)
    tolerance = 12 if name == "JPEG" else 0
    assert np.abs(image.pixels.astype(int) - ridges()).max() <= tolerance
    assert not image.resampled
    assert image.original_ppi == 500


def test_path_bytes_file_object_and_array_agree(tmp_path: Path) -> None:
    data = encoded("PNG")
    path = tmp_path / "arrest.png"
    path.write_bytes(data)
    images = [
        read_image(path, ppi=500),
        read_image(str(path), ppi=500),
        read_image(bytearray(data), ppi=500),
        read_image(io.BytesIO(data), ppi=500),
        read_image(ridges(), ppi=500),
    ]
    for image in images:
        assert (image.pixels == ridges()).all()


def test_resolution_is_read_from_the_file_where_it_is_credible() -> None:
    assert read_image(encoded("PNG", dpi=(500, 500))).original_ppi == pytest.approx(500, abs=0.1)
    wide = np.kron(ridges()[:60, :50], np.ones((2, 2), np.uint8))
    image = read_image(encoded("TIFF", wide, dpi=(1000, 1000)))
    assert image.resampled
    assert image.original_shape == (120, 100)
    assert image.pixels.shape == (60, 50)
    assert read_image(wsq_bytes("NIST_COM 3\nPPI 1000\nX 1\n", wide)).original_ppi == 1000


@pytest.mark.parametrize(
    "data",
    [
        encoded("PNG"),
        encoded("BMP", dpi=(96, 96)),
        encoded("JPEG", dpi=(72, 72)),
        encoded("TIFF", dpi=(1, 1)),
        encoded("PNG", dpi=(500, 600)),
        encoded("PNG", dpi=(9000, 9000)),
    ],
    ids=["none", "96", "72", "1x1", "oblong", "9000"],
)
def test_missing_or_incredible_resolution_is_refused_and_a_given_one_helps(data: bytes) -> None:
    with pytest.raises(ResolutionError, match="ppi="):
        read_image(data)
    assert read_image(data, ppi=500).original_ppi == 500


@pytest.mark.parametrize("comment", [None, "NIST_COM 1\nPPI -1\n", "free text"])
def test_wsq_without_resolution_is_refused(comment: str | None) -> None:
    data = wsq_bytes(comment)
    with pytest.raises(ResolutionError):
        read_image(data)
    assert read_image(data, ppi=500).source_format == "WSQ"


def test_tiff_resolution_without_unit_is_no_resolution() -> None:
    out = io.BytesIO()
    Image.fromarray(ridges()).save(out, format="TIFF", tiffinfo={282: 500.0, 283: 500.0, 296: 1})
    with pytest.raises(ResolutionError):
        read_image(out.getvalue())


def test_array_needs_ppi() -> None:
    with pytest.raises(ResolutionError, match="ARRAY"):
        read_image(ridges())


@pytest.mark.parametrize("ppi", [0, -500, 10, 1e6, float("nan"), float("inf"), "x"])
def test_absurd_given_resolution_is_refused(ppi: object) -> None:
    with pytest.raises(ResolutionError):
        read_image(ridges(), ppi=ppi)  # type: ignore[arg-type]


@pytest.mark.parametrize(("ppi", "shape"), [(569, (105, 88)), (1000, (60, 50)), (250, (240, 200))])
def test_resampling_keeps_the_ridge_period(ppi: float, shape: tuple[int, int]) -> None:
    image = read_image(ridges(), ppi=ppi)
    assert image.pixels.shape == shape
    spectrum = np.abs(np.fft.rfft2(image.pixels - image.pixels.mean()))
    fy, fx = np.unravel_index(spectrum.argmax(), spectrum.shape)
    fy = min(fy, shape[0] - fy)
    frequency = np.hypot(fy / shape[0], fx / shape[1])
    assert 1 / frequency == pytest.approx(9 * 500 / ppi, rel=0.08)


def test_colour_transparency_and_sixteen_bits() -> None:
    gray = ridges()
    rgb = np.repeat(gray[..., None], 3, axis=2)
    assert np.abs(read_image(encoded("PNG", rgb), ppi=500).pixels.astype(int) - gray).max() <= 1
    clear = np.dstack([rgb, np.where(np.arange(100) < 50, 0, 255) * np.ones_like(gray)])
    laid = read_image(encoded("PNG", clear.astype(np.uint8)), ppi=500).pixels
    assert (laid[:, :50] == 255).all()
    assert np.abs(laid[:, 50:].astype(int) - gray[:, 50:]).max() <= 1
    wide = gray.astype(np.uint16) * 257
    assert (read_image(encoded("PNG", wide), ppi=500).pixels == gray).all()


def test_several_pages_are_refused() -> None:
    out = io.BytesIO()
    page = Image.fromarray(ridges())
    page.save(out, format="TIFF", save_all=True, append_images=[page])
    with pytest.raises(ImageError, match="2 images"):
        read_image(out.getvalue(), ppi=500)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 0), np.uint8),
        np.zeros((100, 100, 3), np.uint8),
        np.zeros((100, 100), np.float32),
        np.zeros(100, np.uint8),
        np.zeros((20, 200), np.uint8),
    ],
    ids=["empty", "colour", "float", "line", "small"],
)
def test_unusable_arrays(array: np.ndarray) -> None:
    with pytest.raises(ImageError):
        read_image(array, ppi=500)


@pytest.mark.parametrize("source", [None, 5, object(), io.StringIO("text")])
def test_unusable_sources(source: object) -> None:
    with pytest.raises(InputError):
        read_image(source, ppi=500)  # type: ignore[arg-type]


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.png", tmp_path, "\0"):
        with pytest.raises(ImageError, match="cannot read"):
            read_image(path, ppi=500)


def test_header_that_asks_for_too_much_is_refused_before_decoding() -> None:
    data = bytearray(encoded("BMP"))
    data[18:26] = struct.pack("<ii", 9_000, 9_000)
    with pytest.raises(ImageError, match="9000x9000"):
        read_image(bytes(data), ppi=500)


def test_finger_image_checks_what_it_is_given() -> None:
    with pytest.raises(ImageError):
        FingerImage(np.zeros((100, 100), np.float32))  # type: ignore[arg-type]
    assert "resampled from 1000" in repr(read_image(ridges(200, 200), ppi=1000))


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Truncate, flip or splice: what broken disks and wrong readers leave behind."""
    out = bytearray(data)
    kind = rng.randrange(4)
    if kind == 0:
        return bytes(out[: rng.randrange(len(out))])
    if kind == 1:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(200)))
    for _ in range(rng.choice((1, 2, 8))):
        out[rng.randrange(min(len(out), 200 if kind == 2 else len(out)))] = rng.randrange(256)
    return bytes(out)


@pytest.mark.parametrize("name", [*FORMATS, "WSQ", "PPM"])
def test_fuzzed_bytes_give_an_image_or_our_own_error(name: str) -> None:
    good = wsq_bytes("PPI 500\n") if name == "WSQ" else encoded(name)
    rng = random.Random(f"fuzz {name}")
    errors = 0
    for _ in range(150):
        try:
            read_image(damaged(good, rng), ppi=500)
        except FpmatchError:
            errors += 1
    assert errors > 30, "the fuzzer damages too little to show anything"


@pytest.mark.data
def test_wsq_certification_vectors_are_within_one_gray_level(data: Path) -> None:
    folder = data / "formats" / "wsq"
    sizes = json.loads((folder / "raw-image-dimensions.json").read_text())
    compared = 0
    for golden in sorted(folder.glob("golden*/*.raw")):
        source = folder / golden.parent.name.replace("golden", "wsq") / f"{golden.stem}.wsq"
        image = read_image(source, ppi=500)
        expected = np.fromfile(golden, np.uint8).reshape(image.pixels.shape)
        assert np.abs(expected.astype(int) - image.pixels).max() <= 1, golden
        compared += 1
    assert compared >= 8
    assert sizes


@pytest.mark.data
def test_real_files_of_every_format_are_read(data: Path) -> None:
    jp2 = data / "formats/fir/imagedecoder/info_finger_left_index_auth.jp2"
    with pytest.raises(ResolutionError, match=r"1000 ppi is stated.*5\.5 pixels"):
        read_image(jp2)
    assert read_image(jp2, trust_ppi=True).original_ppi == pytest.approx(1000)
    for path in sorted((data / "formats/wsq/nonstandard").glob("*.wsq")):
        assert read_image(path, ppi=500).source_format == "WSQ"
    with pytest.raises(ResolutionError):  # its tag says 1x1 without a unit
        read_image(data / "fvc2002/DB1_B/101_1.tif")
    assert read_image(data / "fvc2002/DB2_B/101_1.tif", ppi=569).pixels.shape == (492, 260)
