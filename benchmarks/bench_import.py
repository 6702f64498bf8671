"""How long ``import fpmatch`` and ``fpmatch --help`` take in a fresh process.

python benchmarks/bench_import.py            prints the medians
pytest benchmarks/bench_import.py --benchmark-enable
"""

from __future__ import annotations

import statistics
import subprocess
import sys

RUNS = 7
LIMIT_SECONDS = 0.5
_TIMER = "import time; t = time.process_time(); {}; print(time.process_time() - t)"


def seconds(statement: str) -> float:
    """CPU seconds of a statement in a fresh interpreter."""
    command = [sys.executable, "-c", _TIMER.format(statement)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def median(statement: str) -> float:
    """Median over fresh processes; the first one, which fills the disk cache, is thrown away."""
    return statistics.median([seconds(statement) for _ in range(RUNS + 1)][1:])


def test_import_is_fast():
    assert median("import fpmatch") < LIMIT_SECONDS


def test_types_policy_and_audit_are_light():
    heavy = "('numba', 'cv2', 'faiss', 'scipy', 'matplotlib')"
    statement = (
        "import fpmatch, fpmatch.types, fpmatch.audit, sys; "
        f"assert not [m for m in {heavy} if m in sys.modules]"
    )
    assert median(statement) < LIMIT_SECONDS


def test_the_command_line_starts_fast():
    assert median("import fpmatch.cli.app") < 2 * LIMIT_SECONDS


if __name__ == "__main__":
    for statement in ("import fpmatch", "import fpmatch.cli.app", "import fpmatch.search"):
        print(f"{statement:26s} {1e3 * median(statement):6.0f} ms of CPU")
