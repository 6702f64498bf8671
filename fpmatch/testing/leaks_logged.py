"""Nothing is compared before it is logged, and nothing is answered that no log holds."""

from __future__ import annotations

from typing import Any

from fpmatch.testing.adapter import FailsToLog, Logs
from fpmatch.testing.bench import Bench, NotChecked, Opened
from fpmatch.testing.check import Check, expect
from fpmatch.testing.world import DEFERRED, OFF, OPEN, UNKNOWN, WITHHELD, request, world

__tracebackhide__ = True  # pytest shows what is wrong, and not where it was found

WHOLE = ["intent", "outcome"]
"""What the log holds of a submission that was answered."""


def _log(opened: Opened) -> Logs:
    if not isinstance(opened.engine, Logs):
        raise NotChecked("the engine has no method logged(tcn)")
    return opened.engine


def every_answer(bench: Bench) -> None:
    """Each answer is in the log, intent and outcome, also where nothing was searched."""
    opened = bench.open(world())
    log = _log(opened)
    for n, ori in enumerate((OPEN, OFF, WITHHELD, DEFERRED, UNKNOWN)):
        opened.search(request(ori, tcn=f"L-{n}"))
        found = list(log.logged(f"L-{n}"))
        expect(found == WHOLE, f"of a submission that was answered the log holds {found}")
    expect(not list(log.logged("L-none")), "the log holds a submission that was never made")


def intent_first(bench: Bench) -> None:
    """When the first prints are compared the intent is in the log, and no outcome is."""
    opened = bench.open(world())
    log = _log(opened)
    held: list[list[str]] = []
    opened.watch.meanwhile = lambda: held.append(list(log.logged("L-1")))
    opened.search(request(OPEN, tcn="L-1"))
    if not held:
        raise NotChecked("it takes an engine that compares with setup.compare")
    expect(held == [["intent"]], f"at the first comparison the log holds {held[0]}")


def no_log_no_answer(bench: Bench) -> None:
    """Where the log cannot be written nothing is compared, and nothing is answered."""
    for kind in WHOLE:
        opened = bench.open(world())
        if not isinstance(opened.engine, FailsToLog):
            raise NotChecked("the engine has no method fail_log(kind)")
        opened.engine.fail_log(kind)
        answer: Any = None
        try:
            answer = opened.search(request(OPEN))
        except AssertionError:
            raise
        except Exception:
            answer = None
        expect(answer is None, f"a submission is answered whose {kind} could not be logged")
        if kind == "intent":
            expect(not opened.watched, "prints are compared though the intent could not be logged")


CHECKS = (
    Check("L18", "every-answer-is-logged",
          "the log holds intent and outcome of each answer, also where nothing was searched",
          every_answer),
    Check("L18", "intent-before-comparison",
          "when the first prints are compared the intent is logged, and no outcome", intent_first),
    Check("L18", "no-log-no-answer",
          "what cannot be logged is neither compared nor answered", no_log_no_answer),
)  # fmt: skip
"""What holds of an engine whose answers can be accounted for."""
