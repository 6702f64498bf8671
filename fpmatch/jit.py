"""The one decorator of every numeric kernel."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from fpmatch.compiling import kernels, name_of

F = TypeVar("F", bound=Callable[..., Any])

_making = threading.RLock()


def kernel(
    function: F | None = None,
    *,
    inline: bool = False,
    inner: bool = False,
    borrows: bool = False,
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
    borrows : bool
        It makes no arrays, works in those it is given, and keeps none: compiled without counting
        references to them, which of a comparison with its many arrays took a fifth of the time.
        All kernels that it calls have to borrow too.
    fastmath : bool
        Allow reassociation. Only for image filters, where the last bit decides nothing;
        descriptors and matchers stay exact so that `fpmatch.reference` can reproduce them.

    Notes
    -----
    With ``NUMBA_DISABLE_JIT=1`` kernels run as plain Python: tests run both ways. Where nothing
    can be cached, or the cache is damaged, kernels are compiled again: slower, never an error.
    numba is imported at the first call of a kernel, so that what needs none starts quickly.
    """

    def wrap(f: F) -> Any:
        if not jit_enabled():
            return f
        alone = not (inline or inner)
        if alone:
            kernels.append(name_of(f))

        def make() -> Any:
            import numba

            from fpmatch.kernel_cache import attach

            # Nothing calls a kernel from C.
            options: dict[str, Any] = {
                "nogil": True,
                "fastmath": fastmath,
                "no_cfunc_wrapper": True,
            }
            if inline:
                options["inline"] = "always"
            if borrows:
                options["_nrt"] = False
            if inner:
                options["no_cpython_wrapper"] = True
            made = numba.njit(**options)(f)
            if alone:
                attach(made)
            return made

        return Lazy(make, f)

    return wrap(function) if function is not None else wrap


class Lazy:
    """Something of numba's that is made when it is first used.

    Parameters
    ----------
    make : callable
        Makes it; called once.
    function : function
        Its source. What it calls is made with it, and put in its place in the module of the
        function, where numba looks for it.
    """

    def __init__(self, make: Callable[[], Any], function: Callable[..., Any]) -> None:
        self._make = make
        self._half: Any = None
        self._made: Any = None
        self.py_func = function
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__

    def made(self) -> Any:
        """The thing itself."""
        if self._made is None:
            with _making:
                # Not seen by other threads before what it calls is there.
                self._made = self._whole()
        return self._made

    def _whole(self) -> Any:
        """Make it, and what it names; under the lock, where a circle ends at what is begun."""
        if self._half is None:
            self._half = self._make()
            names = self.py_func.__globals__
            for name in self.py_func.__code__.co_names:
                if isinstance(names.get(name), Lazy):
                    names[name] = names[name]._whole()
        return self._half

    def __call__(self, *args: Any) -> Any:
        """Call it."""
        return (self._made or self.made())(*args)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.made(), name)


def jit_enabled() -> bool:
    """Whether kernels are compiled in this process."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
