"""Draw ``docs/images/architecture.png``: one search through all rooms.

Run from the top folder, with the ``plot`` extra: ``python tools/draw_architecture.py``. A test
looks whether the files named here are there.
"""

from __future__ import annotations

from pathlib import Path

TARGET = Path("docs/images/architecture.png")
STEPS = (
    ("a print and a request", "cli/search.py", "cli"),
    ("bytes to pixels at 500 ppi", "image/read.py", "image"),
    ("pixels to minutiae", "minutiae/extract.py", "image"),
    ("minutiae to a template", "template/build.py", "image"),
    ("the one door", "search/engine.py", "search"),
    ("checked, copied, coded", "search/probe.py", "search"),
    ("what may be searched", "search/decision.py", "search"),
    ("the policy's decision", "policy/decide.py", "policy"),
    ("intent on disk", "audit/log.py", "audit"),
    ("only what was granted", "search/compare.py", "search"),
    ("barred records masked", "gallery/columns.py", "gallery"),
    ("from lists to rows", "index/ladder.py", "index"),
    ("row against probe", "matcher/compare.py", "index"),
    ("ranked by score", "search/candidates.py", "search"),
    ("asked again, deny wins", "search/release.py", "search"),
    ("owners' messages", "search/outbox.py", "ledger"),
    ("outcome on disk", "audit/log.py", "audit"),
    ("a section per partition", "types/search.py", "cli"),
)
COLOURS = {
    "cli": "#e8e8e8",
    "image": "#dbe9f6",
    "search": "#fdf0d5",
    "policy": "#f6d9d9",
    "audit": "#e3d9f2",
    "gallery": "#d9f0dc",
    "index": "#d5eef0",
    "ledger": "#f2e3d9",
}
COLUMNS, WIDTH, HEIGHT, GAP = 6, 2.9, 0.86, 0.4


def place(step: int) -> tuple[float, float]:
    """Lower left corner of a step's box: rows are read like a text."""
    row, column = divmod(step, COLUMNS)
    return column * (WIDTH + GAP), -row * (HEIGHT + 1.1)


def draw() -> None:
    """Write the picture."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.patches import FancyBboxPatch

    rows = -(-len(STEPS) // COLUMNS)
    figure, axes = pyplot.subplots(figsize=(16, 1.75 * rows))
    arrow = {"arrowstyle": "-|>", "color": "#555555", "lw": 1.3}
    for n, (title, file, room) in enumerate(STEPS):
        x, y = place(n)
        box = f"round,pad=0.02,rounding_size={HEIGHT / 6}"
        axes.add_patch(
            FancyBboxPatch((x, y), WIDTH, HEIGHT, boxstyle=box, fc=COLOURS[room], ec="#555555")
        )
        middle = x + WIDTH / 2
        axes.text(middle, y + HEIGHT * 0.66, f"{n + 1}. {title}", ha="center", va="center", size=9)
        axes.text(
            middle, y + HEIGHT * 0.28, file, ha="center", va="center", size=8, family="monospace"
        )
        if n + 1 == len(STEPS):
            continue
        to_x, to_y = place(n + 1)
        if to_y == y:
            ends = ((to_x - 0.03, y + HEIGHT / 2), (x + WIDTH + 0.03, y + HEIGHT / 2))
            axes.annotate("", xy=ends[0], xytext=ends[1], arrowprops=arrow)
        else:
            half = (y + to_y + HEIGHT) / 2
            corner = [(middle, y - 0.03), (middle, half), (to_x + WIDTH / 2, half)]
            axes.plot(*zip(*corner, strict=True), color="#555555", lw=1.3)
            end = (to_x + WIDTH / 2, to_y + HEIGHT + 0.03)
            axes.annotate("", xy=end, xytext=corner[-1], arrowprops=arrow)
    axes.set_xlim(-0.1, COLUMNS * (WIDTH + GAP) - GAP + 0.1)
    axes.set_ylim(place(len(STEPS) - 1)[1] - 0.15, HEIGHT + 0.15)
    axes.set_aspect("equal")
    axes.axis("off")
    figure.savefig(TARGET, dpi=110, bbox_inches="tight", pad_inches=0.08)


if __name__ == "__main__":
    draw()
