"""Sensor models: how a touch becomes gray levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import InputError
from fpmatch.synthetic.filters import smoothed
from fpmatch.synthetic.noise import smooth_noise


@dataclass(frozen=True, slots=True)
class Sensor:
    """One kind of sensor. Values are set by eye against the FVC sets of its kind.

    Parameters
    ----------
    name : str
    shape : tuple of int
        Rows and columns of its images, pixels at 500 ppi.
    contact : tuple of float
        Mean half width and half height of the contact region, pixels.
    paper, ink : float
        Gray level of no contact and of full contact.
    moisture : tuple of float
        Mean and standard deviation over impressions of the offset to the ridge profile
        (-1 to 1): positive is wet or pressed hard, ridges broad; negative is dry.
    blotch : float
        Standard deviation of that offset within one impression.
    grain : tuple of float
        Standard deviation of unevenness over about 1, 2.5 and 6 pixels, units of the profile.
    softness : float
        Width of a ridge's flank, units of the profile.
    pores, creases : float
        How far an open pore and a crease sink the profile.
    blur : float
        Optical blur, pixels (standard deviation).
    haze : float
        Share of the ink that spreads over four pixels.
    noise : float
        Gray levels of read-out noise (standard deviation).
    stripes : float
        Gray levels of column noise (standard deviation).
    shade : float
        Gray levels of slow background change (standard deviation).
    specks : float
        Mean number of dust specks.
    levels : int
        Distinct gray levels the sensor tells apart.
    placement : float
        Scale of translation and rotation between impressions, 1 as in the FVC sets.
    """

    name: str
    shape: tuple[int, int]
    contact: tuple[float, float]
    paper: float
    ink: float
    moisture: tuple[float, float]
    blotch: float
    grain: tuple[float, float, float]
    softness: float
    pores: float
    creases: float
    blur: float
    haze: float
    noise: float
    stripes: float
    shade: float
    specks: float
    levels: int
    placement: float = 1.0


SENSORS: dict[str, Sensor] = {
    s.name: s
    for s in (
        Sensor("optical", (374, 388), (116, 158), 258, 42, (0.04, 0.26), 0.28, (0.42, 0.38, 0.24),
               0.16, 0.75, 1.9, 0.62, 0.10, 1.0, 0.0, 1.5, 5.0, 128),
        Sensor("capacitive", (300, 300), (118, 138), 118, 30, (0.14, 0.27), 0.32,
               (0.62, 0.46, 0.28), 0.14, 0.65, 1.8, 0.50, 0.04, 1.6, 2.6, 5.0, 2.0, 86),
        Sensor("ink", (480, 420), (125, 165), 226, 48, (0.22, 0.28), 0.30, (0.46, 0.50, 0.34),
               0.22, 0.6, 1.7, 0.70, 0.16, 4.0, 0.0, 4.0, 9.0, 256, 0.6),
        Sensor("clean", (420, 400), (130, 170), 255, 0, (0.0, 0.0), 0.0, (0.0, 0.0, 0.0),
               0.12, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 256),
    )
}  # fmt: skip
"""Sensor kinds by name. ``clean`` draws the ridge pattern alone, for tests of ground truth."""


def find_sensor(sensor: str | Sensor) -> Sensor:
    """A sensor by name.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if isinstance(sensor, Sensor):
        return sensor
    try:
        return SENSORS[sensor]
    except (KeyError, TypeError):
        raise InputError(f"sensor {sensor!r} is unknown; one of {', '.join(SENSORS)}") from None


def expose(
    contact: NDArray[np.float64],
    inside: NDArray[np.float64],
    sensor: Sensor,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Gray image of one touch.

    Parameters
    ----------
    contact : (h, w) float64
        0 to 1, see `_kernels.press`.
    inside : (h, w) float64
        Above nought within the contact region.
    sensor : Sensor
        Its response and noise.
    rng : numpy Generator
        Drawn from in a fixed order.
    """
    shape = contact.shape
    dark = contact
    if sensor.blur > 0:
        dark = smoothed(dark, sensor.blur)
    if sensor.haze > 0:
        spread = smoothed(contact, 4.0, reach=2.5)
        dark = (1 - sensor.haze) * dark + sensor.haze * spread
    paper = np.full(shape, float(sensor.paper))
    if sensor.shade > 0:
        paper += sensor.shade * smooth_noise(rng, shape, 90.0)
    if sensor.stripes > 0:
        column = rng.standard_normal(shape[1]) + 1.2 * smooth_noise(rng, (1, shape[1]), 9.0)[0]
        paper += sensor.stripes * column[None, :]
    level = float(np.clip(rng.normal(0, 0.06), -0.12, 0.2)) if sensor.noise > 0 else 0.0
    tone = (sensor.ink + level * (sensor.paper - sensor.ink)) * np.ones(shape)
    if sensor.noise > 0:
        tone += 9.0 * smooth_noise(rng, shape, 30.0) + 6.0 * smooth_noise(rng, shape, 3.0)
    image = paper + dark * (tone - paper)
    if sensor.specks > 0:
        image -= _specks(shape, sensor, rng)
    if sensor.noise > 0:
        image += sensor.noise * rng.standard_normal(shape)
    step = 256.0 / sensor.levels
    return np.clip(np.rint(np.rint(image / step) * step), 0, 255).astype(np.uint8)


def _specks(
    shape: tuple[int, ...], sensor: Sensor, rng: np.random.Generator
) -> NDArray[np.float32]:
    from fpmatch.synthetic import _kernels

    count = int(rng.poisson(sensor.specks))
    dots = np.empty((count, 4))
    dots[:, 0] = rng.uniform(0, shape[1], count)
    dots[:, 1] = rng.uniform(0, shape[0], count)
    dots[:, 2] = rng.gamma(2.0, 0.5, count) + 0.4
    dots[:, 3] = rng.uniform(0.05, 0.5, count) * (sensor.paper - sensor.ink)
    out = np.zeros(shape, np.float32)
    _kernels.stamp(dots, out)
    return out
