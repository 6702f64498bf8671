"""What kernels written for LLVM have in common: places in arrays, and numbers in all lanes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def address_of(context: Any, builder: Any, kind: Any, array: Any, at: Any, of: Any = None) -> Any:
    """Where the number of this place lies in an array without gaps.

    Parameters
    ----------
    context, builder
        Of the code that is written.
    kind, array
        numba's type of the array, and the array.
    at
        Place, a 64-bit number.
    of : optional
        LLVM's type of what is read or written there; one number of the array if not given.
    """
    from numba.np import arrayobj

    place = builder.gep(arrayobj.make_array(kind)(context, builder, array).data, [at])
    return place if of is None else builder.bitcast(place, of.as_pointer())


def spread(builder: Any, value: Any, kind: Any) -> Any:
    """A vector that repeats a number of its lanes' type.

    Parameters
    ----------
    builder
        Of the code that is written.
    value
        The number.
    kind
        LLVM's type of the vector.
    """
    from llvmlite import ir

    number = ir.IntType(32)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, number(0))
    lanes = ir.Constant(ir.VectorType(number, kind.count), [0] * kind.count)
    return builder.shuffle_vector(one, one, lanes)


def chosen(builder: Any, one: Any, other: Any, places: Iterable[int]) -> Any:
    """Numbers of two vectors in another order.

    Parameters
    ----------
    builder
        Of the code that is written.
    one, other
        Vectors of as many numbers each.
    places
        Of what is wanted, counted through both.
    """
    from llvmlite import ir

    number, wanted = ir.IntType(32), list(places)
    lanes = ir.Constant(ir.VectorType(number, len(wanted)), wanted)
    return builder.shuffle_vector(one, other, lanes)


def pair_sums(builder: Any, left: Any, right: Any) -> Any:
    """Sums of two products each, which machines make in one step.

    Parameters
    ----------
    builder
        Of the code that is written.
    left, right
        Vectors of 16-bit numbers; of each pair the products are added up, in 32 bits.
    """
    from llvmlite import ir

    wide = ir.VectorType(ir.IntType(32), left.type.count)
    product = builder.mul(builder.sext(left, wide), builder.sext(right, wide))
    even, odd = (chosen(builder, product, product, range(side, wide.count, 2)) for side in (0, 1))
    return builder.add(even, odd)
