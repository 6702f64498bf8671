"""The tree of commands."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from fpmatch.checks import quoted
from fpmatch.cli import (
    audit,
    convert,
    demo,
    evaluate,
    fingers,
    gallery,
    looking,
    policy,
    scenario,
    search,
    synth,
    transaction,
    warm,
)
from fpmatch.cli.bench import fnir as bench_fnir
from fpmatch.cli.bench import gallery as bench_gallery
from fpmatch.cli.bench import measure as bench
from fpmatch.cli.bench import tenprint as bench_tenprint
from fpmatch.cli.output import fail
from fpmatch.errors import FpmatchError, InputError

app = typer.Typer(
    name="fpmatch",
    help="Fingerprint identification with access control inside the search.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


SEVERAL = frozenset({"--probes"})
"""Options that take any number of values."""


def _version(asked: bool) -> None:
    if asked:
        import fpmatch

        print(f"fpmatch {fpmatch.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


app.command("demo")(demo.demo_command)
app.command("extract")(fingers.extract_command)
app.command("compare")(fingers.compare_command)
app.command("convert")(convert.convert_command)
app.command("init")(gallery.init_command)
app.command("enrol")(gallery.enrol_command)
app.command("search")(search.search_command)
app.command("verify")(looking.verify_command)
app.command("records")(looking.records_command)
app.command("record")(looking.record_command)
app.command("count")(looking.count_command)
app.command("transaction")(transaction.transaction_command)
app.command("explain")(search.explain_command)
app.command("expunge")(gallery.expunge_command)
app.command("info")(gallery.info_command)
app.add_typer(policy.app, name="policy")
app.add_typer(audit.app, name="audit")
app.command("scenario")(scenario.scenario_command)
app.command("warm")(warm.warm_command)
app.command("evaluate")(evaluate.evaluate_command)
bench_gallery.register(bench.app)
bench_fnir.register(bench.app)
bench_tenprint.register(bench.app)
app.add_typer(bench.app, name="bench")
app.add_typer(synth.app, name="synth")


def spread(words: list[str]) -> list[str]:
    """Repeat an option that takes several values: ``--probes A B`` is ``--probes A --probes B``."""
    out: list[str] = []
    option, fresh = "", False
    for word in words:
        if word.startswith("-"):
            option = word if word in SEVERAL else ""
            fresh = True
        elif option and not fresh:
            out.append(option)
        out.append(word)
        fresh = word.startswith("-")
    return out


def run() -> None:
    """Run the command line; errors of `fpmatch.errors` become one line and status 2."""
    sys.argv[1:] = spread(sys.argv[1:])
    try:
        app()
    except FpmatchError as error:
        fail(error)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        # What no command foresaw of the system's refusals is no fault of the program either.
        fail(InputError(f"{quoted(str(error.filename or ''))}: {error.strerror or error}"))
