"""Decoding in a process of its own: the same pictures, and every way in which a decoder ends."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import format_cases as cases
import fuzz_pictures
import numpy as np
import pytest
from PIL import Image

import fpmatch as fp
from fpmatch import formats
from fpmatch.errors import ImageError, InputError
from fpmatch.formats import ebts
from fpmatch.image import decode as decoding
from fpmatch.image import isolated
from fpmatch.image import read as reading
from fpmatch.image.decode import decode
from fpmatch.image.isolated import SHARED, IsolatedDecoder
from fpmatch.parameters import ISOLATION

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX systems only")
POLICY = Path(__file__).parents[1] / "fpmatch" / "cli" / "demo_policy.toml"
QUICK = replace(ISOLATION, cpu_seconds=1, wall_seconds=30.0)


def png(height: int = 60, width: int = 64) -> bytes:
    pixels = np.random.default_rng(height).integers(0, 256, (height, width), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", dpi=(500, 500))
    return out.getvalue()


def misbehaving(body: str) -> list[str]:
    """A process that answers as ours does, with a decoder of the test's making."""
    lines = [
        "import ctypes, os, signal, sys, time",
        "import numpy as np",
        "from fpmatch.errors import ImageError",
        "from fpmatch.image.worker import serve",
        "def large():",
        "    libc = ctypes.CDLL(None)",
        "    libc.calloc.restype = ctypes.c_void_p",
        "    return libc.calloc(ctypes.c_size_t(1 << 33), ctypes.c_size_t(1))",
        "def decode(data, most):",
        f"    {body}",
        "    return np.full((50, 60), data[0], np.uint8), None, 'PNG'",
        "serve(decode)",
    ]
    return [sys.executable, "-P", "-c", "\n".join(lines)]


@pytest.fixture
def decoder() -> Iterator[IsolatedDecoder]:
    made = IsolatedDecoder()
    yield made
    made.close()


@pytest.mark.parametrize("kind", [kind for kind in fuzz_pictures.KINDS if kind != "RAW"])
def test_pictures_are_the_same(kind: str) -> None:
    for data in fuzz_pictures.seeds(kind):
        pixels, *rest = decode(data)
        apart, *others = SHARED.decode(data)
        assert np.array_equal(pixels, apart)
        assert rest == others
        assert apart.flags.writeable == pixels.flags.writeable
    own = fp.read_image(data, ppi=500)
    other = fp.read_image(data, ppi=500, isolated=True)
    assert np.array_equal(own.pixels, other.pixels)


@pytest.mark.parametrize("data", [b"", b"no picture", png()[:90], b"\xff\xa0\xff\xa8"])
def test_what_cannot_be_read_is_said_in_the_same_words(data: bytes) -> None:
    with pytest.raises(ImageError) as here:
        decode(data)
    before = SHARED.pid
    with pytest.raises(ImageError) as there:
        SHARED.decode(data)
    assert str(there.value) == str(here.value)
    assert before in (None, SHARED.pid)  # nothing died of it


def test_the_largest_picture_is_the_callers_to_say() -> None:
    with pytest.raises(ImageError, match="64x60 pixels; between 1 and 1000"):
        fp.read_image(png(), max_pixels=1000, isolated=True)
    with pytest.raises(InputError):
        fp.read_image(png(), isolated="yes")  # type: ignore[arg-type]


def test_one_process_is_used_again(decoder: IsolatedDecoder) -> None:
    assert decoder.pid is None
    decoder.decode(png())
    first = decoder.pid
    for size in (50, 70, 90):
        assert decoder.decode(png(size))[0].shape == (size, 64)
    assert decoder.pid == first
    os.kill(first, signal.SIGKILL)  # idle, by the system's hand: no picture is to blame
    while decoder._process.poll() is None:
        time.sleep(0.01)
    assert decoder.decode(png())[0].shape == (60, 64)
    assert decoder.pid not in (None, first)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("ctypes.string_at(8)", r"crashed \(SIGSEGV\)"),
        ("os.abort()", r"crashed \(SIGABRT\)"),
        ("os._exit(3)", "ended with status 3"),
        ("any(iter(int, 1))", "over 1 s of CPU time"),
        ("bytearray(1 << 33)", "takes more memory"),
        ("large() or os.abort()", r"crashed \(SIGABRT\)"),
        ("os.write(1, b'x' * 100)", None),
        ("raise ImageError('is ours')", "is ours"),
        ("return np.full((50, 60), 1, np.uint8), None, 'EXE'", "none"),
        ("return np.full((50, 60, 3), 1, np.uint8), None, 'PNG'", "none"),
        ("return np.zeros((5000, 6000), np.uint8), None, 'PNG'", "none"),
        ("return np.full((50, 60), 1, np.uint8), (1, 2, 3), 'PNG'", "none"),
    ],
)
def test_whatever_a_decoder_does_is_an_error_of_ours(body: str, what: str | None) -> None:
    made = IsolatedDecoder(QUICK, misbehaving(f"if data[0] == 7: {body}"))
    try:
        if what is None:
            assert made.decode(b"\x07", 10_000)[0][0, 0] == 7
        else:
            with pytest.raises(ImageError, match=what):
                made.decode(b"\x07", 10_000)
        assert made.decode(b"\x05", 10_000)[0][0, 0] == 5  # the next one has a decoder again
    finally:
        made.close()


def test_a_decoder_that_hangs_is_killed() -> None:
    limits = replace(ISOLATION, wall_seconds=0.5)
    made = IsolatedDecoder(limits, misbehaving("time.sleep(600)"))
    try:
        made._running()
        process = made._process
        with pytest.raises(ImageError, match=r"no answer for 0\.5 s"):
            made.decode(b"\x07")
        assert process.poll() is not None
    finally:
        made.close()


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "-c", "pass"],
        [sys.executable, "-c", "print('hello there')"],
        ["/nowhere/python"],
        [None],
    ],
)
def test_a_process_that_does_not_start(command: list) -> None:
    with pytest.raises(ImageError, match="start"):
        IsolatedDecoder(QUICK, command).decode(png())


def test_an_answer_that_no_one_waited_for_is_not_the_next_ones(
    decoder: IsolatedDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder.decode(png())

    def interrupted(self: object, size: int) -> bytearray:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(isolated._Channel, "receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            decoder.decode(png(80))
    assert decoder.decode(png(90))[0].shape == (90, 64)


def test_threads_take_turns(decoder: IsolatedDecoder) -> None:
    pictures = [png(50 + n) for n in range(24)]
    found: dict[int, tuple[int, ...]] = {}

    def work(mine: range) -> None:
        for n in mine:
            found[n] = decoder.decode(pictures[n])[0].shape

    threads = [threading.Thread(target=work, args=(range(k, 24, 4),)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: (50 + n, 64) for n in range(24)}


def test_nothing_of_this_process_is_handed_down(
    decoder: IsolatedDecoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("no /proc")
    monkeypatch.setenv("SECRET_TOKEN", "hush")
    with (tmp_path / "open").open("wb") as file:
        os.set_inheritable(file.fileno(), True)
        decoder.decode(png())
        process = Path(f"/proc/{decoder.pid}")
        open_files = [os.readlink(path) for path in (process / "fd").iterdir()]
    assert str(tmp_path / "open") not in open_files
    assert {name for name in open_files if not name.startswith("pipe:")} == {"/dev/null"}
    assert len([name for name in open_files if name.startswith("pipe:")]) == 2
    assert b"hush" not in (process / "environ").read_bytes()


def test_a_forked_child_has_a_process_of_its_own() -> None:
    SHARED.decode(png())
    before = SHARED.pid
    read, write = os.pipe()
    taken = SHARED._turn
    taken.acquire()  # as where another thread decodes at this moment
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(100)
            shape = SHARED.decode(png(77))[0].shape
            os.write(write, b"%d %d" % (shape[0], SHARED.pid))
            SHARED.close()
        finally:
            os._exit(0)
    taken.release()
    os.close(write)
    said = b""
    while part := os.read(read, 100):
        said += part
    os.close(read)
    os.waitpid(child, 0)
    height, other = map(int, said.split())
    assert height == 77
    assert other != before
    assert SHARED.decode(png(66))[0].shape == (66, 64)
    assert SHARED.pid == before


@pytest.mark.parametrize("how", ["end", "kill", "hang"])
def test_the_process_ends_with_its_parent(how: str) -> None:
    end = "" if how == "end" else "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    code = (
        "import sys\nfrom fpmatch.image.isolated import SHARED\n"
        "try: SHARED.decode(b'x')\nexcept ValueError: pass\n"
        f"print(SHARED.pid, flush=True)\n{end}"
    )
    if how == "hang":  # in a thread that the end of the program does not wait for
        code = (
            "import threading, time\nfrom fpmatch.image.isolated import SHARED\n"
            f"SHARED._command = {misbehaving('time.sleep(600)')!r}\n"
            "threading.Thread(target=SHARED.decode, args=(b'x',), daemon=True).start()\n"
            "while SHARED.pid is None: time.sleep(0.01)\n"
            "time.sleep(3)\nprint(SHARED.pid, flush=True)"
        )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    pid = int(done.stdout)
    until = time.monotonic() + 20
    while _runs(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _runs(pid)
    assert done.stderr == ""


def test_a_picture_that_is_decoded_when_the_program_ends_raises_nothing() -> None:
    """Its thread notices that the process is gone before it ends with the program itself."""
    leaving = IsolatedDecoder(command=misbehaving("time.sleep(600)"))
    raised: list[BaseException] = []

    def decode() -> None:
        try:
            leaving.decode(b"x")
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=decode, daemon=True)
    thread.start()
    while leaving.pid is None:
        time.sleep(0.01)
    time.sleep(0.5)
    pid = leaving.pid
    # As `leave` does, but that the thread has time to be told.
    leaving._leaving = True
    os.kill(pid, signal.SIGKILL)
    thread.join(2)
    assert thread.is_alive()
    assert not raised
    leaving.leave()
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] == "Z")


def test_closing_leaves_no_process_and_no_pipe(recwarn: pytest.WarningsRecorder) -> None:
    gc.collect()  # what other tests have left is no matter here
    recwarn.clear()
    made = IsolatedDecoder()
    made.decode(png())
    process = made._process
    made.close()
    made.close()
    assert process.returncode == 0
    assert process.stdin.closed
    assert process.stdout.closed
    del made, process
    gc.collect()
    assert not [w for w in recwarn if issubclass(w.category, ResourceWarning)]


def damaged(data: bytes) -> bytes:
    return data[:20] + bytes(b ^ 0x55 for b in data[20:60]) + data[60:]


def test_what_decoders_say_is_kept_from_the_user(
    decoder: IsolatedDecoder, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A bit in the coefficients of WSQ is no damage to its codes; a wrong one in TIFF is named.
    fax, zipped = (
        fuzz_pictures._saved(image, "TIFF", compression=how)
        for image, how in (
            (Image.fromarray(fuzz_pictures._ridges(60, 64)).convert("1"), "group4"),
            (Image.fromarray(fuzz_pictures._ridges(60, 64)), "tiff_adobe_deflate"),
        )
    )
    for data in (damaged(fax), damaged(zipped), fuzz_pictures.seeds("WSQ")[0][:-20]):
        for way in (decode, decoder.decode):
            with contextlib.suppress(ImageError):
                way(data)
    assert capfd.readouterr() == ("", "")
    with monkeypatch.context() as loud, contextlib.suppress(ImageError):
        loud.setattr(decoding, "quiet", contextlib.nullcontext)
        decode(damaged(fax))
    assert "Fax" in capfd.readouterr().err  # else nothing was kept from anyone


class Recorder:
    """In the place of the process: what came to it."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def decode(self, data: bytes, most: int) -> object:
        self.sizes.append(len(data))
        return decode(data, most)


def test_every_way_that_takes_isolated_decodes_apart(
    synthetic_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fpm: Callable
) -> None:
    process = Recorder()
    monkeypatch.setattr(reading, "SHARED", process)
    path = synthetic_data / "optical" / "1_1.png"
    coded = path.read_bytes()
    fields = {2: "01", 3: "1", 4: "CS0010200", 5: "20240102", 6: "388", 7: "374", 8: "1"}
    fields |= {9: "500", 10: "500", 11: "PNG", 12: "8", 13: "2", 999: coded}
    made = cases.submitted("CAR", records=(formats.tagged(14, fields),))
    (shown,) = formats.pictures_of(made)
    data = tmp_path / "booking.an2"
    data.write_bytes(formats.write(made))
    with fp.Engine.create(tmp_path / "g.fpm") as engine:
        engine.add_partition("criminal", ndr=1, owner="DOJ-FBI")
        engine.add_partition("immigration", ndr=9, owner="DHS")
        engine.publish(fp.Policy.load(POLICY))
        ways = {
            "read_image": lambda **how: fp.read_image(path, ppi=500, **how),
            "Picture.read": lambda **how: shown.read(**how),
            "submission": lambda **how: ebts.submission(made, **how),
            "transact": lambda **how: engine.transact(data.read_bytes(), **how),
        }
        for name, way in ways.items():
            for how, times in (({}, 0), ({"isolated": False}, 0), ({"isolated": True}, 1)):
                process.sizes.clear()
                way(**how)
                assert process.sizes == [len(coded)] * times, name
    words = {
        "extract": [path],
        "compare": [path, path],
        "quality": [path, "--no-nfiq2"],
        "enrol": [tmp_path / "g.fpm", "criminal", path],
        "search": [tmp_path / "g.fpm", path, "--ori", "CS0010200", "--chain", "CSSIR0000"],
        "verify": [tmp_path / "g.fpm", "1_1", path, "--ori", "CS0010200", "--chain", "CSSIR0000",
                   "--partition", "criminal"],
    }  # fmt: skip
    for command, rest in words.items():
        process.sizes.clear()
        status, _, said = fpm(command, *rest, "--ppi", "500", "--isolated", "--json", "-")
        assert status == 0, said
        assert set(process.sizes) == {len(coded)}, command
    process.sizes.clear()
    status, _, said = fpm("transaction", data, "--gallery", tmp_path / "g.fpm", "--isolated")
    assert process.sizes == [len(coded)], said
