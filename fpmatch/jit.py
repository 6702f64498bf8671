"""The one decorator of every numeric kernel."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def kernel(
    function: F | None = None,
    *,
    inline: bool = False,
    inner: bool = False,
    fastmath: bool = False,
) -> Any:
    """Compile a kernel lazily: nogil, cached on disk, never parallel.

    Parameters
    ----------
    function : callable
        The kernel; None where the decorator is called with options.
    inline : bool
        Inline into the calling kernel before types are known: for one-line helpers, and for what
        only passes its arguments on.
    inner : bool
        Called by kernels only, never from Python: compiled without the code that unpacks Python
        objects, which takes longer to compile than the function where its arguments are tuples of
        many arrays. Its callers' files in the cache hold it, so that it needs none of its own.
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
        # Nothing calls a kernel from C.
        options: dict[str, Any] = {"nogil": True, "fastmath": fastmath, "no_cfunc_wrapper": True}
        if inline:
            options["inline"] = "always"
        if inner:
            options["no_cpython_wrapper"] = True
        made = numba.njit(**options)(f)
        if not (inline or inner) and jit_enabled():
            attach(made)
        return made

    return wrap(function) if function is not None else wrap


def jit_enabled() -> bool:
    """Whether kernels are compiled in this process."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
