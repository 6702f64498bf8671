"""Impressions: one touch of a master print on a sensor, with its exact ground truth."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import takes
from fpmatch.errors import InputError
from fpmatch.image.finger_image import FingerImage
from fpmatch.minutiae.minutiae import Minutiae
from fpmatch.parameters import SYNTHETIC, TEMPLATE
from fpmatch.synthetic import _kernels
from fpmatch.synthetic.finger import Master, crease_points
from fpmatch.synthetic.noise import smooth_noise, stream
from fpmatch.synthetic.placement import Placement, draw_placement
from fpmatch.synthetic.sensors import Sensor, expose, find_sensor

_TOUCH = 16
EXTRACTOR = "synthetic-truth-1"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Print:
    """One impression and all that is true of it.

    Parameters
    ----------
    pixels : (h, w) uint8
        Gray image at 500 ppi, ridges dark.
    truth : Minutiae
        Every minutia of the master that lies in the contact region, carried exactly through the
        distortion; `quality` is 1 well inside and falls to 0 at the rim. A minutia keeps its
        master's type even where pressure makes an ending look like a bifurcation.
    ids : (M,) int64
        Which minutia of the master each is: equal numbers of two impressions are the same skin.
    orientation : (h, w) float32
        Ridge orientation, radians in [0, pi), y down; NaN outside `mask`.
    mask : (h, w) bool
        The contact region.
    placement : Placement
        Mapping to and from the master.
    master_seed, seed : int
    sensor : str
    rolled : bool
    """

    pixels: NDArray[np.uint8]
    truth: Minutiae
    ids: NDArray[np.int64]
    orientation: NDArray[np.float32]
    mask: NDArray[np.bool_]
    placement: Placement
    master_seed: int
    seed: int
    sensor: str
    rolled: bool

    def __repr__(self) -> str:
        return f"<Print {self.master_seed}/{self.seed}, {self.sensor}, {len(self.truth)} minutiae>"

    @property
    def image(self) -> FingerImage:
        """The pixels as the extractors take them."""
        return FingerImage(self.pixels, original_shape=self.pixels.shape)

    def to(self, other: Print, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (N, 2) of this impression -> the same skin in another one of the same finger.

        Parameters
        ----------
        other : Print
            Of the same finger.
        xy : (N, 2) float64
            x to the right, y down, pixels.

        Raises
        ------
        InputError
            If the other impression is of another finger.
        """
        if other.master_seed != self.master_seed:
            raise InputError("the two impressions are of different fingers")
        return other.placement.from_master(self.placement.to_master(xy))

    def to_dict(self) -> dict[str, Any]:
        """The ground truth in plain types, for JSON; masks and fields follow from the seeds."""
        return {
            "master": self.master_seed,
            "impression": self.seed,
            "sensor": self.sensor,
            "rolled": self.rolled,
            "height": int(self.pixels.shape[0]),
            "width": int(self.pixels.shape[1]),
            "ppi": 500,
            "minutiae": [
                {
                    "id": int(i),
                    "x": round(float(x), 3),
                    "y": round(float(y), 3),
                    "angle": round(float(a), 5),
                    "type": ("other", "ending", "bifurcation")[int(k)],
                    "quality": round(float(q), 3),
                }
                for i, (x, y), a, k, q in zip(
                    self.ids,
                    self.truth.xy,
                    self.truth.angle,
                    self.truth.kind,
                    self.truth.quality,
                    strict=True,
                )
            ],
            "orientation": _cells_to_list(self.truth.orientation),
            "placement": self.placement.to_dict(),
        }


@takes(master=Master, seed=int)
def impression(
    master: Master,
    seed: int,
    *,
    sensor: str | Sensor = "optical",
    rolled: bool = False,
    rotation: float | None = None,
    distortion: float = 1.0,
    moisture: float | None = None,
    area: float = 1.0,
) -> Print:
    """Press a finger on a sensor.

    Parameters
    ----------
    master : Master
    seed : int
        Number of the impression: same finger, sensor and number, same pixels.
    sensor : str or Sensor
        ``optical``, ``capacitive``, ``ink`` or ``clean``, or a model of your own.
    rolled : bool
        Nail to nail, instead of the plain touch.
    rotation : float, optional
        Radians, clockwise; drawn (standard deviation 9 degrees) if absent.
    distortion : float
        Scale of the skin's movement; 0 is rigid, at most 1.5, beyond which skin would fold.
    moisture : float, optional
        -1 (bone dry, light) to 1 (dripping, pressed hard); drawn if absent.
    area : float
        Scale of the contact region's sides, 0.3 to 1.5.

    Raises
    ------
    InputError
        If an argument is out of its range.

    Notes
    -----
    About 0.06 s on one core. Thread-safe.
    """
    model = find_sensor(sensor)
    _check(distortion, moisture, area, rotation)
    rng = stream(master.seed, _TOUCH, seed, zlib.crc32(model.name.encode()))
    shape = (master.layers.shape[1] + 40, master.layers.shape[2] + 60) if rolled else model.shape
    contact = (190.0, 228.0) if rolled else model.contact
    spread = np.exp(rng.normal(0, SYNTHETIC.contact_spread, 2))
    if not rolled and rng.random() < SYNTHETIC.glancing_share:
        spread *= SYNTHETIC.glancing_scale
    half = (float(contact[0] * area * spread[0]), float(contact[1] * area * spread[1]))
    placement = draw_placement(
        rng,
        shape=shape,
        master_shape=master.mask.shape,
        contact=half,
        scale=0.3 * model.placement if rolled else model.placement,
        distortion=distortion,
        rotation=rotation,
    )
    wet = float(np.clip(rng.normal(*model.moisture), -0.62, 0.62))
    wet = wet if moisture is None else float(moisture)
    touch, rim = _touch(master, placement, half, shape, model, wet, rng)
    pixels = expose(touch, rim, model, rng)
    mask = rim > 0
    field = _orientation(master, placement, mask)
    truth, ids = _truth(master, placement, rim, field)
    return Print(
        pixels=pixels,
        truth=truth,
        ids=ids,
        orientation=field,
        mask=mask,
        placement=placement,
        master_seed=master.seed,
        seed=int(seed),
        sensor=model.name,
        rolled=bool(rolled),
    )


def _check(distortion: float, moisture: float | None, area: float, rotation: float | None) -> None:
    if not 0.0 <= distortion <= 1.5:
        raise InputError(f"distortion {distortion} is out of range 0 to 1.5")
    if moisture is not None and not -1.0 <= moisture <= 1.0:
        raise InputError(f"moisture {moisture} is out of range -1 to 1")
    if not 0.3 <= area <= 1.5:
        raise InputError(f"area {area} is out of range 0.3 to 1.5")
    if rotation is not None and not math.isfinite(rotation):
        raise InputError(f"rotation {rotation} is no angle")


def _touch(
    master: Master,
    placement: Placement,
    half: tuple[float, float],
    shape: tuple[int, int],
    sensor: Sensor,
    wet: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Contact of every sensor pixel, and its distance inside the rim (relative)."""
    force = wet * np.ones(shape)
    grain = np.zeros(shape)
    layers = master.layers
    if sensor.blotch > 0:
        force += sensor.blotch * (
            0.8 * smooth_noise(rng, shape, 55.0) + 0.6 * smooth_noise(rng, shape, 18.0)
        )
    dry = float(np.clip(1.0 - 1.6 * wet, 0.55, 1.8))
    dry *= math.exp(rng.normal(0, SYNTHETIC.roughness_spread))
    for sd, scale in zip(sensor.grain, (1.0, 2.5, 6.0), strict=True):
        if sd > 0:
            noise = rng.standard_normal(shape) if scale == 1.0 else smooth_noise(rng, shape, scale)
            grain += sd * dry * noise
    weights = np.array([sensor.pores * rng.uniform(0.4, 1.3), sensor.creases])
    if sensor.creases > 0:
        layers = layers.copy()
        for _ in range(int(rng.poisson(SYNTHETIC.hairlines))):
            points = crease_points(rng, master.mask.shape, (12, 70), (0.5, 0.9), 1.2)
            _kernels.stamp(points, layers[2])
    outline = np.array([half[0], half[1], rng.uniform(2.1, 2.7), SYNTHETIC.soft_edge])
    contact = np.empty(shape)
    inside = np.empty(shape)
    _kernels.press(
        layers, placement.vector(), outline, force, grain, SYNTHETIC.bridging, sensor.softness,
        weights, 0, shape[0], contact, inside,
    )  # fmt: skip
    return contact, inside


def _orientation(
    master: Master, placement: Placement, mask: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """The master's orientation carried through the distortion, at every pixel of the mask."""
    out = np.full(mask.shape, np.nan, np.float32)
    at = np.argwhere(mask)[:, ::-1].astype(np.float64)
    skin = np.rint(placement.to_master(at)).astype(np.int64)
    x = np.clip(skin[:, 0], 0, master.mask.shape[1] - 1)
    y = np.clip(skin[:, 1], 0, master.mask.shape[0] - 1)
    angle = placement.direction(at, master.orientation[y, x].astype(np.float64))
    out[mask] = np.mod(angle, np.pi)
    return out


def _truth(
    master: Master,
    placement: Placement,
    rim: NDArray[np.float64],
    field: NDArray[np.float32],
) -> tuple[Minutiae, NDArray[np.int64]]:
    height, width = rim.shape
    xy = placement.from_master(master.xy)
    at = np.rint(xy).astype(np.int64)
    inside = (at[:, 0] >= 1) & (at[:, 0] < width - 1) & (at[:, 1] >= 1) & (at[:, 1] < height - 1)
    at = np.clip(at, 0, [width - 1, height - 1])
    depth = rim[at[:, 1], at[:, 0]]
    ids = np.flatnonzero(inside & (depth > 0))
    cell = TEMPLATE.orientation_cell
    rows, columns = -(-height // cell), -(-width // cell)
    cy = np.minimum(np.arange(rows) * cell + cell // 2, height - 1)
    cx = np.minimum(np.arange(columns) * cell + cell // 2, width - 1)
    truth = Minutiae(
        xy=xy[ids].astype(np.float32),
        angle=placement.direction(xy[ids], master.angle[ids]).astype(np.float32),
        kind=master.type[ids],
        quality=np.clip(depth[ids] / 0.15, 0, 1).astype(np.float32),
        shape=(height, width),
        orientation=field[np.ix_(cy, cx)],
        image_quality=80,
        extractor=EXTRACTOR,
    )
    return truth, ids


def _cells_to_list(field: NDArray[np.float32]) -> list[list[float | None]]:
    return [[None if math.isnan(v) else round(v, 3) for v in row] for row in field.tolist()]
