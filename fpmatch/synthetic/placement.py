"""How a finger lies on the sensor: rigid motion and plastic distortion of the skin."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import takes
from fpmatch.errors import InputError
from fpmatch.parameters import SYNTHETIC
from fpmatch.synthetic import _kernels


@dataclass(frozen=True, slots=True)
class Placement:
    """Exact, invertible mapping between sensor pixels and master pixels.

    Parameters
    ----------
    sensor : tuple of float
        Point of the image (x, y) that the contact centre comes to lie on.
    turn : float
        Rotation of the finger on the sensor, radians, clockwise on the screen.
    centre : tuple of float
        The contact centre on the master (x, y).
    stuck : tuple of float
        Ellipse of skin that does not slide: offset x, y from the contact centre, half width and
        half height, in finger-aligned pixels.
    ring : float
        Width of the stretching ring round it, in radii of that ellipse.
    slide : tuple of float
        Displacement x, y (pixels) and torque (radians) of the skin outside (Cappelli et al. 2001).
    bumps : tuple of tuple of float
        Three soft local displacements: x, y, dx, dy, reach (pixels).
    """

    sensor: tuple[float, float]
    turn: float
    centre: tuple[float, float]
    stuck: tuple[float, float, float, float]
    ring: float
    slide: tuple[float, float, float]
    bumps: tuple[tuple[float, ...], ...]

    def vector(self) -> NDArray[np.float64]:
        """The 29 numbers that the kernels take."""
        flat = [v for bump in self.bumps for v in bump]
        numbers = [*self.sensor, math.cos(self.turn), math.sin(self.turn), *self.centre]
        return np.array([*numbers, *self.stuck, self.ring, *self.slide, *flat], np.float64)

    def to_master(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sensor points (N, 2) -> the same skin on the master.

        Parameters
        ----------
        xy : (N, 2) float64
            x to the right, y down, pixels.
        """
        points = _points(xy)
        out = np.empty_like(points)
        _kernels.to_master_many(points, self.vector(), out)
        return out

    def from_master(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Master points (N, 2) -> where they touch the sensor, to 1e-9 pixels.

        Parameters
        ----------
        xy : (N, 2) float64
            x to the right, y down, pixels.
        """
        points = _points(xy)
        out = np.empty_like(points)
        _kernels.from_master_many(points, self.vector(), out)
        return out

    def direction(self, xy: NDArray[np.float64], angle: NDArray[np.float64]) -> NDArray[np.float64]:
        """Directions (N,) on the master -> on the sensor, at sensor points (N, 2); [0, 2 pi).

        Parameters
        ----------
        xy : (N, 2) float64
            x to the right, y down, pixels.
        angle : (N,) float64
            Radians, 0 along +x, clockwise.
        """
        points = _points(xy)
        out = np.empty(len(points))
        _kernels.turn_back(points, np.asarray(angle, np.float64), self.vector(), out)
        return np.mod(out, 2 * np.pi)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, enough for `from_dict`."""
        return asdict(self)

    @classmethod
    @takes(values=Mapping)
    def from_dict(cls, values: Mapping[str, Any]) -> Placement:
        """Inverse of `to_dict`; raises `InputError` on anything else."""
        try:
            return cls(
                sensor=_tuple(values["sensor"], 2),
                turn=float(values["turn"]),
                centre=_tuple(values["centre"], 2),
                stuck=_tuple(values["stuck"], 4),
                ring=float(values["ring"]),
                slide=_tuple(values["slide"], 3),
                bumps=tuple(_tuple(b, 5) for b in values["bumps"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"not the placement of a synthetic print: {error}") from error


def _tuple(values: Sequence[float], size: int) -> Any:
    if len(values) != size:
        raise ValueError(f"expected {size} numbers, got {len(values)}")
    return tuple(float(v) for v in values)


def _points(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    points = np.ascontiguousarray(xy, np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise InputError(f"points must have shape (N, 2), not {points.shape}")
    return points


def _slide_limits() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    limit = np.array(SYNTHETIC.slide_limit)
    return -limit, limit


def draw_placement(
    rng: np.random.Generator,
    *,
    shape: tuple[int, int],
    master_shape: tuple[int, int],
    contact: tuple[float, float],
    scale: float,
    distortion: float,
    rotation: float | None,
) -> Placement:
    """Draw one way to put the finger down.

    ``scale`` multiplies translation and rotation, ``distortion`` the movement of the skin;
    ``rotation`` (radians) replaces the drawn one.

    Parameters
    ----------
    rng : numpy Generator
        Drawn from in a fixed order.
    shape : (int, int)
        Of the sensor, pixels.
    master_shape : (int, int)
        Of the master, pixels.
    contact : (float, float)
        Half axes of the region of contact, across and down, pixels.
    scale : float
        Factor of translation and rotation.
    distortion : float
        Factor of the movement of the skin.
    rotation : float or None
        Radians.
    """
    drawn = scale * rng.normal(0, math.radians(SYNTHETIC.turn_deg))
    shift = rng.normal(0, 1, 2) * SYNTHETIC.shift * scale
    contact_at = rng.normal(0, 1, 2) * SYNTHETIC.pad_shift * scale
    slide = np.clip(rng.normal(0, 1, 3) * SYNTHETIC.slide * distortion, *_slide_limits())
    slide[2] = math.radians(slide[2])
    bumps = []
    sd, limit = SYNTHETIC.bump
    for _ in range(3):
        at = rng.uniform(-0.8, 0.8, 2) * contact
        move = np.clip(rng.normal(0, sd, 2), -limit, limit) * distortion
        bumps.append((*at, *move, rng.uniform(45, 80)))
    offset = rng.normal(0, 1, 2) * (14.0, 18.0)
    stuck = np.array([*offset, *(rng.uniform(0.35, 0.6, 2) * contact)])
    return Placement(
        sensor=(float((shape[1] - 1) / 2 + shift[0]), float((shape[0] - 1) / 2 + shift[1])),
        turn=float(drawn if rotation is None else rotation),
        centre=(
            float(0.5 * master_shape[1] + contact_at[0]),
            float(0.49 * master_shape[0] + contact_at[1]),
        ),
        stuck=_tuple(stuck.tolist(), 4),
        ring=float(rng.uniform(0.9, 1.6)),
        slide=_tuple(slide.tolist(), 3),
        bumps=tuple(_tuple([float(v) for v in b], 5) for b in bumps),
    )
