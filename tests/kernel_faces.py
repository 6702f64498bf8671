"""Kernels that only kernels call, as tests call them: from Python."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from fpmatch.jit import Lazy, kernel


class Faces:
    """A module of kernels, all of which can be called.

    What `fpmatch.jit.kernel` compiles as ``inner`` has no side that Python could call: here each
    gets a kernel around it that passes its arguments on.
    """

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        made = value.made() if isinstance(value, Lazy) else value
        if not getattr(made, "targetoptions", {}).get("no_cpython_wrapper"):
            return value

        def face(*args):
            return made(*args)

        face.__name__ = name
        setattr(self, name, kernel(face))
        return getattr(self, name)
