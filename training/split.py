"""Which real prints the shipped networks learnt from, and which no weight of theirs has seen.

FVC2000 DB3 B is left out whole: a sensor of its own, and the hardest. Of `HALVED` sets, of which
there is no second one of the kind, every second finger is.
"""

from __future__ import annotations

from collections.abc import Iterable

LEFT_OUT = ("fvc2000/DB3_B",)
"""Sets of which no weight has seen a print."""
HALVED = ("sd4",)
"""Sets of which every second finger is left out, in the order of their names: the second, the
fourth and so on. `sd4` has as many fingers of each class in either half."""


def left_out(folder: str, stems: Iterable[str]) -> set[str]:
    """The impressions of a set that the networks have not seen.

    Parameters
    ----------
    folder : str
        As ``ppi.json`` names it.
    stems : iterable of str
        ``<finger>_<impression>`` of all impressions of the set.
    """
    names = set(stems)
    if folder in LEFT_OUT:
        return names
    if folder not in HALVED:
        return set()
    fingers = sorted({name.rsplit("_", 1)[0] for name in names})
    kept = set(fingers[1::2])
    return {name for name in names if name.rsplit("_", 1)[0] in kept}
