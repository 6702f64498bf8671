"""Modules of commands that are imported when one of their commands is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Named:
    """A command by its module and name.

    Parameters
    ----------
    module, name : str
    """

    module: str
    name: str

    def load(self) -> Callable[..., None]:
        """The command itself."""
        command: Callable[..., None] = getattr(importlib.import_module(self.module), self.name)
        return command


class Unloaded:
    """Stands for a module of commands, and loads nothing: its attributes are `Named`.

    Parameters
    ----------
    module : str
        Below `fpmatch.cli`.
    """

    def __init__(self, module: str) -> None:
        self._module = f"fpmatch.cli.{module}"

    def __getattr__(self, name: str) -> Any:
        return Named(self._module, name)
