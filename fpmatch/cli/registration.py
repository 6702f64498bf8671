"""What every command gets when it is registered: ``--csv`` beside its ``--json``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, get_type_hints

from fpmatch.cli.output import CSV_TARGET, CsvFile, check_target
from fpmatch.errors import InputError


def with_csv(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option ``--csv``, which `fpmatch.cli.output.emit` obeys.

    Parameters
    ----------
    command : callable
        Takes ``json_file`` and prints with `emit`.

    Raises
    ------
    InputError
        When it is called, if JSON and CSV are both to go to standard output.
    """
    signature = inspect.signature(command)
    hints = get_type_hints(command, include_extras=True)

    @wraps(command)
    def run(*args: Any, csv_file: str | None = None, **values: Any) -> None:
        check_target(csv_file)
        if csv_file == "-" and values.get("json_file") == "-":
            raise InputError("only one of --csv and --json can go to standard output")
        token = CSV_TARGET.set(csv_file)
        try:
            command(*args, **values)
        finally:
            CSV_TARGET.reset(token)

    parameters = [p.replace(annotation=hints[n]) for n, p in signature.parameters.items()]
    added = inspect.Parameter("csv_file", inspect.Parameter.KEYWORD_ONLY, default=None)
    parameters.append(added.replace(annotation=CsvFile))
    # Typer reads the signature and the annotations, and by __wrapped__ those of the command.
    del run.__wrapped__
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {**hints, "csv_file": CsvFile}
    return run
