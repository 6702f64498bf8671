"""Records of every format, made up: what round trips, documents and mutations start from."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from fpmatch import formats
from fpmatch.formats.fmr_layouts import BY_NAME
from fpmatch.parameters import TEMPLATE
from fpmatch.template import Template
from fpmatch.types import FingerPosition, Impression

FMR = tuple(BY_NAME)
MINUTIAE = "001\x1f01000200045\x1f02\x1fA\x1e002\x1f01500250225\x1f63\x1fB"


def view(
    name: str,
    seed: int = 0,
    count: int = 20,
    *,
    position: int = 2,
    number: int = 0,
    blocks: tuple[formats.Block, ...] = (),
    quality: bool = True,
) -> formats.View:
    """One impression with every field set that the format has."""
    layout = BY_NAME[name]
    rng = np.random.default_rng(seed)
    qualities = (formats.QualityBlock(63),)
    device = formats.Device(0x123, 0x8)
    rest = {}
    if not layout.size_in_header:
        qualities = (formats.QualityBlock(63, 66, 12),)
    if layout.representations:
        qualities = (formats.QualityBlock(63, 66, 12), formats.QualityBlock(40, 1, 2))
        device = formats.Device(0x1234, 0, 0xABCD, 3)
        rest = {"time": bytes(range(9)), "certifications": ((7, 1), (8, 2)), "ending": 1}
    return formats.View(
        xy=rng.integers(0, (388, 374), (count, 2)),
        angle=rng.integers(0, layout.turn, count),
        kind=rng.integers(0, 3, count),
        quality=rng.integers(0, 101, count) if quality or not layout.representations else None,
        width=388,
        height=374,
        resolution=(197, 197),
        position=position,
        impression=1,
        number=number,
        qualities=qualities,
        blocks=blocks,
        device=device,
        **rest,
    )


def record(name: str, seed: int = 0, count: int = 20, views: int = 2) -> formats.TemplateRecord:
    """A record with ridge counts, cores and deltas and a vendor's block."""
    counts = formats.RidgeCounts(1, ((0, 1, 4), (2, 3, 0)))
    points = formats.CoresAndDeltas(
        (formats.Singularity(100, 120, (30,)),),
        (formats.Singularity(80, 200, (10, 70, 130)), formats.Singularity(90, 210, (0, 1, 2))),
    )
    blocks = (
        formats.ridge_counts_block(counts),
        formats.cores_and_deltas_block(points, name),
        formats.Block(0x0144, b"vendor's own"),
    )
    made = tuple(
        view(name, seed + i, count, number=i, blocks=blocks if i == 0 else ()) for i in range(views)
    )
    product = (66, 17) if BY_NAME[name].incits else (0, 0)
    return formats.TemplateRecord(name, made, product)


def template(
    seed: int = 0, count: int = 40, *, turn: int = TEMPLATE.turn, step: int = 1
) -> Template:
    """A template on the grid of a format: whole pixels if ``step`` is 8, ``turn`` angles a turn."""
    rng = np.random.default_rng(seed)
    size = np.array([388, 374])
    angle = np.rint(rng.integers(0, turn, count) * (TEMPLATE.turn / turn)).astype(np.int64)
    return Template(
        xy=(rng.integers(0, size * 8 // step, (count, 2)) * step).astype(np.uint16),
        angle=(-angle % TEMPLATE.turn).astype(np.uint16),
        kind=rng.integers(0, 3, count).astype(np.uint8),
        quality=rng.integers(0, 101, count).astype(np.uint8),
        width=388,
        height=374,
        position=FingerPosition.LEFT_RING,
        impression=Impression.ROLLED,
        image_quality=63,
        extractor="classical-1" if step == 1 else "",
    )


records = st.builds(
    record,
    st.sampled_from(FMR),
    st.integers(0, 2**32),
    st.integers(0, 255),
    st.integers(1, 3),
)


def transaction(version: str = "0400", **header: str) -> formats.Transaction:
    """A small transaction of our own: a Type-4, a Type-14, both with raw pictures, and a Type-9."""
    first = {2: version, 4: "CAR", 5: "20240102", 7: "DAI000000", 8: "XX0010200", 9: "CTRL-1"}
    first |= {11: "19.69", 12: "19.69"}
    raw = bytes(range(64)) * 64
    head = bytes([0, 0, 0, 0, 1, 1, 2, *[255] * 5, 0, 0, 64, 0, 64, 0])
    fourteen = {2: "02", 3: "1", 4: "XX0010200", 5: "20240102", 6: "64", 7: "64", 8: "1"}
    fourteen |= {9: "500", 10: "500", 11: "NONE", 12: "8", 13: "3", 999: raw}
    nine = {2: "03", 3: "1", 4: "S", 6: "04", 10: "2", 12: MINUTIAE}
    return formats.Transaction(
        (
            formats.tagged(1, first | header),
            formats.tagged(2, {2: "00", 73: "XX0010200\x1eXX0010300"}),
            formats.BinaryRecord(4, head + raw),
            formats.tagged(14, fourteen),
            formats.tagged(9, nine),
        )
    )


def image_record(name: str, seed: int = 0, views: int = 2) -> formats.FingerImageRecord:
    """A finger image record with raw pictures and every field set that the edition has."""
    rng = np.random.default_rng(seed)
    rest: dict = {"qualities": (formats.QualityBlock(63),), "device": formats.Device(0x1234)}
    if name == "fir2011":
        rest = {
            "qualities": (formats.QualityBlock(63, 66, 12), formats.QualityBlock(40, 1, 2)),
            "device": formats.Device(0x1234, 0, 0xABCD, 3),
            "time": bytes(range(9)),
            "certifications": ((7, 1), (8, 2)),
            "extended": b"\0\3\0\0\0\x0cnote",
        }
    made = tuple(
        formats.ImageView(
            data=rng.integers(0, 256, 64 * 60, dtype=np.uint8).tobytes(),
            width=60,
            height=64,
            unit=2,
            scan_resolution=(394, 394),
            resolution=(197, 197),
            position=2 + i,
            number=i,
            impression=1,
            **rest,
        )
        for i in range(views)
    )
    return formats.FingerImageRecord(name, made)


def booking(
    second: dict[int, str | bytes] | None = None,
    *,
    records: tuple = (),
    **header: str,
) -> formats.Transaction:
    """A submission of our own: fields of Type-1 by name, all of Type-2, further records."""
    names = {"kind": 4, "priority": 6, "destination": 7, "origin": 8, "control": 9, "answered": 10}
    names["characters"] = 15
    first = {2: "0400", 4: "CAR", 5: "20240102", 7: "DAI000000", 8: "CSSIR0000", 9: "CTRL-00001"}
    first |= {names[name]: value for name, value in header.items()}
    type_2 = {2: "00", 73: "CS0010200"} if second is None else {2: "00", **second}
    nine = formats.tagged(9, {2: "01", 3: "1", 4: "S", 6: "04", 12: MINUTIAE})
    return formats.Transaction(
        (
            formats.tagged(1, {k: first[k] for k in sorted(first) if first[k]}),
            formats.tagged(2, type_2),
            *(records or (nine,)),
        )
    )


def submitted(
    kind: str,
    second: dict[int, str | None] | None = None,
    *,
    records: tuple = (),
    **header: str,
) -> formats.Transaction:
    """A submission with the fields that EBTS 9.1 makes mandatory in its kind, and some optional.

    The samples have none of RPIS and LFIS, and none with 2.098. ``second`` changes fields of
    Type-2; None takes one out.
    """
    fields = {6: "DET J Q PUBLIC", 9: "CASE 17", 73: "CS0010200"}
    if kind == "LFIS":
        fields |= {10: "Incident #\x1f2026-17", 11: "0001", 67: "MAKE\x1fMODEL\x1f1", 76: "1"}
    elif kind == "RPIS":
        fields |= {98: "1"}
    else:
        fields |= {18: "SAMPLE,SAM", 39: "SELF", 40: "BAKER", 41: "1 MAIN ST"}
    if kind not in ("LFIS", "RPIS", "TPIS"):
        fields |= {5: "N"}
    fields |= second or {}
    kept = {number: fields[number] for number in sorted(fields) if fields[number] is not None}
    return booking(kept, records=records, kind=kind, **header)
