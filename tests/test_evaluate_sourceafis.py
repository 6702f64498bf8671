"""SourceAFIS in its own process: the protocol, with classes that stand in for SourceAFIS's own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from fpmatch.errors import ExtractionError, InputError, MissingExtra, WorkerError
from fpmatch.evaluate import evaluate
from fpmatch.evaluate.desk import Desk, Impression
from fpmatch.evaluate.matcher import load_matcher
from fpmatch.evaluate.sourceafis_matcher import FOLDER, SourceAfis

STAND_IN = {
    "FingerprintImageOptions": """
        double dpi;
        public FingerprintImageOptions dpi(double value) { dpi = value; return this; }
    """,
    "FingerprintImage": """
        byte[] held;
        public FingerprintImage(int width, int height, byte[] pixels, FingerprintImageOptions o) {
            if (pixels.length != width * height || width != 120 || height != 100)
                throw new IndexOutOfBoundsException();
            if (pixels[0] == (byte) 255) throw new IllegalArgumentException("no ridges");
            held = new byte[] { pixels[0], pixels[1], (byte) (o.dpi / 100) };
        }
    """,
    "FingerprintTemplate": """
        byte[] held;
        public FingerprintTemplate(FingerprintImage image) {
            System.out.println("a library that talks");
            held = image.held;
        }
        public FingerprintTemplate(byte[] content) {
            if (content.length != 3) throw new IllegalArgumentException("no template");
            held = content.clone();
        }
        public byte[] toByteArray() { return held; }
    """,
    "FingerprintMatcher": """
        FingerprintTemplate probe;
        public FingerprintMatcher(FingerprintTemplate template) { probe = template; }
        public double match(FingerprintTemplate other) {
            if (other.held[1] == 99) System.exit(7);
            var clock = java.lang.management.ManagementFactory.getThreadMXBean();
            long until = clock.getCurrentThreadCpuTime() + 2000000;
            while (clock.getCurrentThreadCpuTime() < until) { }
            return (probe.held[0] == other.held[0] ? 40.5 : 0) + other.held[1];
        }
    """,
    "FingerprintCompatibility": 'public static String version() { return "0.0 (stands in)"; }',
}
"""Classes of the names and methods that the bridge calls; a score is whether fingers are equal."""


@pytest.fixture(scope="module")
def jars(tmp_path_factory) -> Path:
    for tool in ("java", "javac", "jar"):
        if shutil.which(tool) is None:
            pytest.skip(f"SourceAFIS needs a JDK: there is no {tool}")
    place = tmp_path_factory.mktemp("jars")
    source = place / "com" / "machinezoo" / "sourceafis"
    source.mkdir(parents=True)
    for name, body in STAND_IN.items():
        text = f"package com.machinezoo.sourceafis; public class {name} {{ {body} }}"
        (source / f"{name}.java").write_text(text)
    subprocess.run(["javac", *map(str, source.glob("*.java"))], check=True)
    packed = ["jar", "cf", "sourceafis-0.jar", "-C", str(place), "com"]
    subprocess.run(packed, cwd=place, check=True)
    shutil.rmtree(place / "com")
    return place


@pytest.fixture(scope="module")
def peer(jars) -> SourceAfis:
    return SourceAfis(jars)


def picture(finger: int, impression: int) -> np.ndarray:
    image = np.full((100, 120), 128, np.uint8)
    image[0, :2] = finger, impression
    return image


def test_templates_and_scores_go_through_the_pipe_whole(peer):
    assert peer.name == "SourceAFIS Java 0.0 (stands in)"
    a, b, c = (peer.prepare(picture(*who), 569.0) for who in ((1, 2), (1, 3), (200, 4)))
    assert (a, c) == (bytes([1, 2, 5]), bytes([200, 4, 5]))
    assert [peer.compare(a, x) for x in (a, b, c)] == [42.5, 43.5, 4.0]
    assert peer.compare(c, a) == 2.0, "the probe is not the one of before"
    turned = np.asfortranarray(picture(9, 8))
    assert peer.prepare(turned, 500.0)[:2] == bytes([9, 8])


def test_what_java_throws_is_told_and_the_next_is_answered(peer):
    with pytest.raises(ExtractionError, match="no ridges"):
        peer.prepare(picture(255, 1), 500.0)
    with pytest.raises(ExtractionError):
        peer.prepare(np.zeros((3, 4), np.uint8), 500.0)
    with pytest.raises(InputError, match="no template"):
        peer.compare(b"longer", b"longer")
    assert peer.prepare(picture(1, 2), 500.0) == bytes([1, 2, 5])


def test_the_time_of_java_counts(peer):
    before = peer.cpu_seconds()
    one = peer.prepare(picture(1, 2), 500.0)
    for _ in range(50):
        peer.compare(one, one)
    assert peer.cpu_seconds() - before > 0.05
    desk = Desk(load_matcher(peer), [Impression("", 500.0, "")], None)
    assert desk._spent() > peer.cpu_seconds() - 1


def test_java_that_ends_stops_the_run_and_is_no_failure_to_enrol(jars):
    peer = SourceAfis(jars)
    bad = peer.prepare(picture(1, 99), 500.0)
    with pytest.raises(WorkerError, match="status 7"):
        peer.compare(bad, bad)
    with pytest.raises(WorkerError):
        peer.prepare(picture(1, 1), 500.0)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_of_the_whole_protocol(jars, tmp_path, monkeypatch, processes):
    from PIL import Image

    monkeypatch.setenv(FOLDER, str(jars))
    for finger in (1, 2):
        for impression in (1, 2):
            image = Image.fromarray(picture(finger, impression))
            image.save(tmp_path / f"{finger}_{impression}.png")
    Image.fromarray(picture(255, 1)).save(tmp_path / "3_1.png")
    result = evaluate([tmp_path], ppi=500, matcher="sourceafis", replicates=0, processes=processes)
    assert result.matcher == "SourceAFIS Java 0.0 (stands in)"
    assert result.pooled.eer == 0
    assert result.template_bytes_median == 3
    (failed,) = result.failures
    assert "no ridges" in failed.error
    assert result.compare_us_median > 1000, "two milliseconds in Java"


def test_without_jars_or_java_it_says_what_it_takes(tmp_path, monkeypatch):
    monkeypatch.delenv(FOLDER, raising=False)
    for folder in (None, tmp_path, tmp_path / "nowhere"):
        with pytest.raises(MissingExtra, match=FOLDER):
            SourceAfis(folder)
    (tmp_path / "sourceafis-3.jar").write_bytes(b"no jar")
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(MissingExtra, match="JDK"):
        SourceAfis(tmp_path)


def test_jars_that_are_none_end_with_what_java_said(jars, tmp_path):
    (tmp_path / "sourceafis-3.jar").write_bytes(b"no jar")
    with pytest.raises(WorkerError, match="Java ended"):
        SourceAfis(tmp_path)


@pytest.mark.slow
def test_the_real_one_on_a_development_set():
    """The figure that the README has; only where the jars are."""
    data = Path(os.environ.get("FPMATCH_DATA", "")) / "fvc2002" / "DB2_B"
    if not os.environ.get(FOLDER) or not data.is_dir():
        pytest.skip(f"it takes the jars ({FOLDER}) and the development sets (FPMATCH_DATA)")
    result = evaluate([data], ppi=569, matcher="sourceafis", replicates=0, processes=2)
    assert result.pooled.eer == pytest.approx(1.5, abs=0.1)
    assert result.pooled.fmr1000 == pytest.approx(3.6, abs=0.2)
