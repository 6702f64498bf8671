"""The one decorator of every numeric kernel."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F | None = None, *, inline: bool = False, fastmath: bool = False) -> Any:
    """Compile a kernel lazily: nogil, cached on disk, never parallel.

    Parameters
    ----------
    function : callable
        The kernel; None where the decorator is called with options.
    inline : bool
        Inline into the calling kernel (for one-line helpers).
    fastmath : bool
        Allow reassociation. Only for image filters, where the last bit decides nothing;
        descriptors and matchers stay exact so that `fpmatch.reference` can reproduce them.

    Notes
    -----
    With ``NUMBA_DISABLE_JIT=1`` kernels run as plain Python: tests run both ways. Where nothing
    can be cached, or the cache is damaged, kernels are compiled again: slower, never an error.
    """
    import numba

    from fpmatch.kernel_cache import attach

    def wrap(f: F) -> Any:
        options: dict[str, Any] = {"nogil": True, "fastmath": fastmath}
        if inline:
            options["inline"] = "always"
        made = numba.njit(**options)(f)
        if not inline and jit_enabled():
            attach(made)
        return made

    return wrap(function) if function is not None else wrap


def jit_enabled() -> bool:
    """Whether kernels are compiled in this process."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
