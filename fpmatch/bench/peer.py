"""The peer beside 1:N searches: Bozorth3 on MINDTCT's minutiae, as nbis-py wraps them."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.bench.measure import quantiles
from fpmatch.errors import MissingExtra
from fpmatch.evaluate.extraction import Progress
from fpmatch.evaluate.folders import Database, find_databases, read_ppi_map
from fpmatch.evaluate.nbis_matcher import Nbis

Source = str | os.PathLike[str]
PROBES = 40


def measure_nbis(
    probes: Sequence[Source],
    ppi_map: Source | Mapping[str, float] | None = None,
    *,
    count: int = PROBES,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Time of a 1:N comparison by nbis-py, of the same prints and in the same process.

    Parameters
    ----------
    probes, ppi_map
        Folders of ``<finger>_<impression>.<ext>``: impression 1 of every finger is the gallery.
    count : int
        Probes among the other impressions, evenly spaced.
    progress : callable, optional
        Called as ``progress(what, done, total)``.

    Returns
    -------
    dict
        ``name`` and, where there was nothing to measure, ``skipped`` with the reason; else
        ``comparisons``, ``compare_us_median`` (wall clock; median over the probes of the mean
        over the gallery) and ``templates_per_second_per_core``. Bozorth3 visits every print, so
        that this rate holds at any size.
    """
    try:
        nbis = Nbis()
    except MissingExtra:
        return {"name": "nbis-py", "skipped": "not installed: pip install nbis-py"}
    name = nbis.name
    if not probes:
        return {"name": name, "skipped": "needs folders of prints: it takes images, not templates"}
    keys = ppi_map if ppi_map is None or isinstance(ppi_map, Mapping) else read_ppi_map(ppi_map)
    found = find_databases(probes, ppi_map=keys)
    gallery = [(d, k) for d in found for k, f in enumerate(d.impressions) if f.impression == 1]
    rest = [(d, k) for d in found for k, f in enumerate(d.impressions) if f.impression != 1]
    rest = rest[:: max(1, len(rest) // count)][:count]
    if not gallery or not rest:
        return {"name": name, "skipped": "needs a first and another impression of some finger"}
    sets = []
    for done, (database, k) in enumerate([*gallery, *rest]):
        sets.append(nbis.minutiae(_pixels(database, k)))
        if progress is not None:
            progress("extracting for nbis-py", done + 1, len(gallery) + len(rest))
    enrolled = sets[: len(gallery)]
    times = []
    for probe in sets[len(gallery) :]:
        start = time.perf_counter()
        for other in enrolled:
            probe.compare(other)
        times.append((time.perf_counter() - start) / len(enrolled))
    median = quantiles(times).median
    return {
        "name": name,
        "comparisons": len(times) * len(enrolled),
        "compare_us_median": 1e6 * median,
        "templates_per_second_per_core": 1 / median,
    }


def _pixels(database: Database, number: int) -> NDArray[np.uint8]:
    from fpmatch.image import read_image

    return read_image(database.impressions[number].path, ppi=database.ppi).pixels
