"""Folders of synthetic prints: PNG, JSON truth, manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import takes
from fpmatch.errors import InputError
from fpmatch.parameters import SYNTHETIC, TEMPLATE, digest
from fpmatch.synthetic.finger import master
from fpmatch.synthetic.sensors import Sensor, find_sensor
from fpmatch.synthetic.touch import Print, impression

MANIFEST = "manifest.json"


@takes(folder=(str, Path), fingers=int, impressions=int, seed=int)
def write_prints(
    folder: str | Path,
    fingers: int,
    impressions: int,
    seed: int,
    *,
    sensor: str | Sensor = "optical",
    rolled: bool = False,
    progress: Callable[[int, int], None] | None = None,
    **touch: Any,
) -> list[Path]:
    """Write ``<finger>_<impression>.png`` and its truth ``.json``, numbered from 1 as in FVC.

    Parameters
    ----------
    folder : str or Path
        Made if absent.
    fingers, impressions : int
        How many fingers, and impressions of each.
    seed : int
        Finger *n* is ``master(seed + n)``, its impression *k* ``impression(..., k)``.
    sensor, rolled, **touch
        As in `impression`.
    progress : callable, optional
        Called with (done, total) after each impression.

    Returns
    -------
    list of Path
        The images, in order.

    Raises
    ------
    InputError
        If a number is not positive.

    Notes
    -----
    To spread the work over processes, give each a range of fingers: a finger depends on its
    own seed alone.
    """
    if fingers < 1 or impressions < 1:
        raise InputError(f"{fingers} fingers x {impressions} impressions: at least one of each")
    find_sensor(sensor)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for finger in range(1, fingers + 1):
        skin = master(seed + finger)
        for k in range(1, impressions + 1):
            touched = impression(skin, k, sensor=sensor, rolled=rolled, **touch)
            path = folder / f"{finger}_{k}.png"
            write_png(path, touched.pixels)
            path.with_suffix(".json").write_text(truth_json(touched, skin.kind.name.lower()))
            paths.append(path)
            if progress is not None:
                progress(len(paths), fingers * impressions)
    return paths


def truth_json(touched: Print, pattern: str) -> str:
    """The truth of one impression as canonical JSON."""
    values = {"pattern": pattern, **touched.to_dict()}
    return json.dumps(values, sort_keys=True, separators=(",", ":")) + "\n"


def write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a gray PNG of 500 ppi with fixed settings.

    Parameters
    ----------
    path : path
        To be written.
    pixels : (H, W) uint8
        Gray.
    """
    from PIL import Image

    image = Image.fromarray(pixels)
    image.save(path, format="PNG", compress_level=9, dpi=(500, 500))


def write_manifest(folder: str | Path, command: str) -> Path:
    """Write ``manifest.json``: every file's SHA-256, each image's pixels', and how to remake them.

    A PNG's bytes depend on the compression library; its decoded pixels do not.
    """
    from PIL import Image

    folder = Path(folder)
    files: dict[str, dict[str, str]] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name == MANIFEST or path.suffix not in (".png", ".json"):
            continue
        entry = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        if path.suffix == ".png":
            with Image.open(path) as image:
                entry["pixels"] = hashlib.sha256(np.asarray(image).tobytes()).hexdigest()
        files[path.relative_to(folder).as_posix()] = entry
    content = {
        "command": command,
        "parameters": digest(SYNTHETIC, TEMPLATE),
        "files": files,
    }
    target = folder / MANIFEST
    target.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    return target
