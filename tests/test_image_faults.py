"""Pictures as they come: false resolutions, turned, deep, transparent, through a pipe, noisy."""

from __future__ import annotations

import io
import os
import pickle
import struct
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from fpmatch import extract, formats, read_image
from fpmatch.cli.inputs import load_template
from fpmatch.errors import FpmatchError, ImageError, InputError, ResolutionError
from fpmatch.image import find_ridges

NAME = "optical/1_1.png"


@pytest.fixture(scope="module")
def finger(synthetic_data: Path) -> np.ndarray:
    """A synthetic print at 500 ppi."""
    return np.asarray(Image.open(synthetic_data / NAME).convert("L"))


def encoded(pixels: np.ndarray, format: str = "PNG", **options: object) -> bytes:
    """An image file."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format=format, **options)  # type: ignore[arg-type]
    return out.getvalue()


def wsq_stating(pixels: np.ndarray, ppi: int) -> bytes:
    """A WSQ file with a NIST comment before its frame."""
    import wsq  # noqa: F401

    text = f"NIST_COM 1\nPPI {ppi}\n".encode()
    data = encoded(pixels, "WSQ")
    at = 2
    while data[at : at + 2] == b"\xff\xa8":
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return data[:2] + b"\xff\xa8" + struct.pack(">H", len(text) + 2) + text + data[at:]


# Resolution.


@pytest.mark.parametrize("ppi", [-1, 0, 1, 72, 96, 255])
def test_what_encoders_write_for_unknown_is_unknown(finger: np.ndarray, ppi: int) -> None:
    data = wsq_stating(finger, ppi)
    with pytest.raises(ResolutionError, match="ppi="):
        read_image(data)
    assert read_image(data, ppi=500).notes == ()


def test_255_is_unknown_in_every_format_and_in_records(finger: np.ndarray) -> None:
    for format in ("PNG", "TIFF", "JPEG"):
        with pytest.raises(ResolutionError, match="255, which stands for unknown"):
            read_image(encoded(finger, format, dpi=(255, 255)))
    with pytest.raises(ResolutionError, match="record states 255"):
        read_image(encoded(finger, dpi=(500, 500)), stated=(255.0, 255.0))


@pytest.mark.parametrize(("stated", "apart"), [(300, "14"), (256, "15"), (1000, "4")])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF"])
def test_a_resolution_that_the_ridges_contradict_is_refused_with_both_figures(
    finger: np.ndarray, format: str, stated: int, apart: str
) -> None:
    data = encoded(finger, format, dpi=(stated, stated))
    with pytest.raises(ResolutionError, match=rf"{stated} ppi is stated.* {apart}\.\d pixels"):
        read_image(data)
    assert read_image(data, ppi=500).notes == ()
    trusted = read_image(data, trust_ppi=True)
    assert trusted.original_ppi == pytest.approx(stated, abs=1)
    assert len(trusted.notes) == 1


def test_half_and_twice_the_stated_500_are_refused(finger: np.ndarray) -> None:
    height, width = finger.shape
    for factor in (0.5, 2.0):
        size = (round(width * factor), round(height * factor))
        other = cv2.resize(finger, size, interpolation=cv2.INTER_AREA)
        with pytest.raises(ResolutionError, match="500 ppi is stated"):
            read_image(encoded(other, dpi=(500, 500)))
        with pytest.raises(ResolutionError, match="500 ppi is stated"):
            read_image(encoded(other), stated=(500.0, 500.0))
        assert read_image(encoded(other, dpi=(500 * factor, 500 * factor))).notes == ()


def test_a_false_resolution_that_the_caller_gave_is_believed_with_a_note(
    finger: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    image = read_image(finger, ppi=250)
    assert "250 ppi is stated" in image.notes[0]
    assert "250 ppi is stated" in caplog.text
    caplog.clear()
    assert read_image(finger, ppi=250, trust_ppi=True).notes
    assert not caplog.text


def test_a_resolution_is_estimated_where_none_is_stated(finger: np.ndarray) -> None:
    for factor in (0.7, 1.0, 2.0, 3.0):
        shape = tuple(round(n * factor) for n in finger.shape[::-1])
        photograph = cv2.resize(finger, shape, interpolation=cv2.INTER_AREA)
        image = read_image(encoded(photograph, "JPEG", dpi=(72, 72)), estimate=True)
        assert image.ppi_source == "estimated"
        assert image.original_ppi == pytest.approx(500 * factor, rel=0.35)
        assert "estimate" in image.notes[0]
    assert read_image(encoded(finger, dpi=(500, 500)), estimate=True).ppi_source == "recorded"
    with pytest.raises(ResolutionError, match="no ridges"):
        read_image(np.full((300, 300), 200, np.uint8), estimate=True)


def test_true_resolutions_are_believed(synthetic_data: Path) -> None:
    for path in sorted(synthetic_data.glob("*/*_1.png")):
        pixels = np.asarray(Image.open(path).convert("L"))
        assert read_image(encoded(pixels, dpi=(500, 500))).notes == (), path


@pytest.mark.data
def test_no_real_print_is_refused_for_its_resolution(data: Path) -> None:
    for folder in ("fvc2000/DB3_B", "fvc2000/DB4_B", "fvc2002/DB1_B", "fvc2002/DB4_B"):
        for path in sorted((data / folder).glob("*_[15].tif")):
            pixels = np.asarray(Image.open(path).convert("L"))
            assert read_image(pixels, stated=(500.0, 500.0)).notes == (), path
            with pytest.raises(ResolutionError):
                read_image(pixels, stated=(255.0, 255.0))
    twice = 0
    for path in sorted((data / "fvc2002/DB1_B").glob("*_1.tif")):
        pixels = np.asarray(Image.open(path).convert("L"))
        with pytest.raises(ResolutionError):
            read_image(encoded(pixels, dpi=(300, 300)))
        try:
            read_image(encoded(pixels, dpi=(1000, 1000)))
        except ResolutionError:
            twice += 1
    assert twice >= 8, "a few prints with wide ridges pass"


def test_the_template_keeps_the_period_and_who_stated_the_resolution(finger: np.ndarray) -> None:
    template = extract(read_image(encoded(finger, dpi=(500, 500))))
    assert template.ppi_source == "recorded"
    assert template.ridge_period == pytest.approx(find_ridges(finger).period, abs=0.01)
    given = extract(read_image(finger, ppi=300))
    assert given.ppi_source == "given"
    assert given.ridge_period == pytest.approx(template.ridge_period * 5 / 3, rel=0.1)  # type: ignore[operator]
    assert extract(read_image(finger, estimate=True)).ppi_source == "estimated"


# Orientation and several pictures.


TURNS = {
    2: np.fliplr,
    3: lambda a: a[::-1, ::-1],
    4: np.flipud,
    5: lambda a: a.T,
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].T,
    8: lambda a: np.rot90(a, -1),
}
"""EXIF orientation -> how upright pixels lie in the file."""


@pytest.mark.parametrize("orientation", sorted(TURNS))
@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF"])
def test_exif_orientation_is_followed(finger: np.ndarray, format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = np.ascontiguousarray(TURNS[orientation](finger))
    image = read_image(encoded(lying, format, exif=exif), ppi=500)
    assert image.pixels.shape == finger.shape
    away = np.abs(image.pixels.astype(int) - finger)
    assert away.mean() < (3 if format == "JPEG" else 0.01)


def test_unequal_resolutions_change_places_with_the_sides(finger: np.ndarray) -> None:
    for orientation, said in ((1, "500 ppi across and 600"), (6, "600 ppi across and 500")):
        exif = Image.Exif()
        exif[0x0112] = orientation
        with pytest.raises(ResolutionError, match=said):
            read_image(encoded(finger, "JPEG", exif=exif, dpi=(500, 600)))


def test_a_damaged_orientation_is_no_orientation(finger: np.ndarray) -> None:
    for value in (0, 9, 65535):
        exif = Image.Exif()
        exif[0x0112] = value
        image = read_image(encoded(finger, exif=exif), ppi=500)
        assert (image.pixels == finger).all()


def test_of_a_phones_two_pictures_the_first_is_read(finger: np.ndarray) -> None:
    out = io.BytesIO()
    small = Image.fromarray(finger[::2, ::2])
    Image.fromarray(finger).save(out, format="MPO", save_all=True, append_images=[small])
    image = read_image(out.getvalue(), ppi=500)
    assert image.source_format == "JPEG"
    assert image.pixels.shape == finger.shape


# Depth, transparency, where the bytes come from.


@pytest.mark.parametrize("depth", [8, 10, 12, 16])
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_hold_what_the_sensor_gave(
    finger: np.ndarray, format: str, depth: int
) -> None:
    deep = finger.astype(np.uint16) << (depth - 8)
    deep[0, 0] = (1 << depth) - 1
    image = read_image(encoded(deep, format), ppi=500)
    assert (image.pixels.ravel()[1:] == finger.ravel()[1:]).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("alpha", [0, 3, 255])
def test_transparency_that_is_the_same_everywhere_hides_nothing(
    finger: np.ndarray, mode: str, alpha: int
) -> None:
    picture = Image.fromarray(finger).convert(mode)
    picture.putalpha(alpha)
    out = io.BytesIO()
    picture.save(out, format="PNG")
    pixels = read_image(out.getvalue(), ppi=500).pixels
    assert np.abs(pixels.astype(int) - finger).max() <= 1


def test_a_picture_comes_through_a_pipe(finger: np.ndarray, tmp_path: Path) -> None:
    data = encoded(finger)
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_bytes(data))
    writer.start()
    assert (read_image(fifo, ppi=500).pixels == finger).all()
    writer.join()
    read_end, write_end = os.pipe()
    writer = threading.Thread(target=lambda: (os.write(write_end, data), os.close(write_end)))
    writer.start()
    with open(read_end, "rb", buffering=0) as file:
        assert (read_image(file, ppi=500).pixels == finger).all()
    writer.join()

    class Socket:
        def read(self) -> bytearray:
            return bytearray(data)

    assert (read_image(Socket(), ppi=500).pixels == finger).all()  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["image", "template"])
def test_commands_read_a_pipe_once(finger: np.ndarray, tmp_path: Path, kind: str) -> None:
    data = encoded(finger)
    if kind == "template":
        data = extract(read_image(data, ppi=500)).to_bytes()
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_bytes(data))
    writer.start()
    found = load_template(fifo, ppi=500)
    writer.join()
    assert found == extract(read_image(finger, ppi=500))


def test_files_of_any_format_are_named_shortly(tmp_path: Path) -> None:
    class Broken:
        def read(self, size: int) -> bytes:
            raise RuntimeError("A" * 1000)

    for source in ("A" * 138_735, "\0", tmp_path, Broken(), io.StringIO("text"), 7):
        with pytest.raises(InputError) as caught:
            formats.read(source)  # type: ignore[arg-type]
        assert len(str(caught.value)) < 200


def test_the_decoder_says_nothing_on_standard_error(
    finger: np.ndarray, capfd: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(wsq_stating(finger, 500))
    for at in range(200, len(data), 97):
        data[at] ^= 0x5A
        try:
            read_image(bytes(data), ppi=500)
        except FpmatchError:
            continue
    assert capfd.readouterr().err == ""


@pytest.mark.data
def test_certification_vectors_are_decoded_in_silence(
    data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for path in sorted((data / "formats" / "wsq").rglob("*.wsq")):
        read_image(path, ppi=500)
    assert capfd.readouterr().err == ""


# Messages and errors.


def test_messages_are_short_and_the_same_in_every_run(finger: np.ndarray, tmp_path: Path) -> None:
    long = "A" * 138_735
    hidden = tmp_path / "hidden.png"
    hidden.write_bytes(b"x")
    sources = [
        long, "/absent" * 300, "\n" * 50 + "/x", b"no image" * 100, encoded(finger)[:200], tmp_path,
        Path(long),
        tmp_path / "absent", hidden, memoryview(b"gif"), "\ud800",
    ]  # fmt: skip
    for source in sources:
        said = []
        for _ in range(2):
            with pytest.raises(ImageError) as caught:
                read_image(source, ppi=500)  # type: ignore[arg-type]
            said.append(str(caught.value))
        assert said[0] == said[1]
        assert len(said[0]) < 300
        assert said[0].isprintable()
        assert "0x" not in said[0]


def test_what_a_decoder_says_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("<x at 0x7f01> " + "A" * 1000)

    monkeypatch.setattr(Image, "open", broken)
    with pytest.raises(ImageError) as caught:
        read_image(b"any", ppi=500)
    assert "0x" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_a_side_has_a_limit() -> None:
    with pytest.raises(ImageError, match="8191"):
        read_image(np.full((60, 9000), 200, np.uint8), ppi=500)


def test_ridges_too_fine_to_be_seen_are_measured_in_the_picture_as_it_came(
    synthetic_data: Path,
) -> None:
    pixels = np.asarray(Image.open(synthetic_data / "capacitive" / "10_1.png").convert("L"))
    half = cv2.resize(pixels, (150, 150), interpolation=cv2.INTER_AREA)
    assert find_ridges(half).period is None
    with pytest.raises(ResolutionError, match="1000 ppi is stated"):
        read_image(encoded(pixels, dpi=(1000, 1000)))


def test_file_objects_that_fail_do_so_with_our_error() -> None:
    class Broken:
        def __init__(self, what: object) -> None:
            self.what = what

        def read(self) -> object:
            if isinstance(self.what, Exception):
                raise self.what
            return self.what

    for what in (PermissionError(13, "no"), RuntimeError("x"), None, 5, "text", KeyError("y")):
        with pytest.raises(InputError):
            read_image(Broken(what), ppi=500)  # type: ignore[arg-type]


@pytest.mark.parametrize("ppi", ["500", True, float("nan"), float("inf"), [500], 95, 10**400])
def test_a_resolution_is_a_number(finger: np.ndarray, ppi: object) -> None:
    with pytest.raises(ResolutionError):
        read_image(finger, ppi=ppi)  # type: ignore[arg-type]


def test_the_limit_of_pixels_is_a_parameter(finger: np.ndarray) -> None:
    assert read_image(finger, ppi=500, max_pixels=finger.size)
    for source in (finger, encoded(finger)):
        with pytest.raises(ImageError, match="pixels"):
            read_image(source, ppi=500, max_pixels=finger.size - 1)
    with pytest.raises(ImageError, match="at 500 ppi"):
        read_image(finger, ppi=250, max_pixels=finger.size, trust_ppi=True)
    for most in (0, -1, 1.5, True, "9"):
        with pytest.raises(InputError):
            read_image(finger, ppi=500, max_pixels=most)  # type: ignore[arg-type]


def test_images_can_be_pickled(finger: np.ndarray) -> None:
    image = read_image(finger, ppi=500)
    again = pickle.loads(pickle.dumps(image))
    assert again.ridges == image.ridges == find_ridges(finger)
    assert (again.pixels == image.pixels).all()
