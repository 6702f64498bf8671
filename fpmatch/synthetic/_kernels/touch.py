"""Mapping skin to sensor, and pressing it there."""

from __future__ import annotations

import math

from fpmatch.jit import kernel


@kernel
def to_master(x, y, p):
    """Where on the master the skin lies that touches the sensor at (x, y).

    p : (29,) float64, see `Placement.vector`. The plastic model of Cappelli, Maio and Maltoni
    (2001): the skin under most pressure stays, the skin outside slides with the finger, and a
    ring between them stretches; three soft bumps stand for uneven pressing.
    """
    dx = x - p[0]
    dy = y - p[1]
    u = p[2] * dx + p[3] * dy
    v = -p[3] * dx + p[2] * dy
    a = (u - p[6]) / p[8]
    b = (v - p[7]) / p[9]
    distance = math.sqrt(a * a + b * b) - 1.0
    brake = 0.0
    if distance >= p[10]:
        brake = 1.0
    elif distance > 0.0:
        brake = 0.5 * (1.0 - math.cos(math.pi * distance / p[10]))
    mx = u + brake * (p[11] - p[13] * (v - p[7]))
    my = v + brake * (p[12] + p[13] * (u - p[6]))
    for k in range(3):
        q = 14 + 5 * k
        du = u - p[q]
        dv = v - p[q + 1]
        w = math.exp(-(du * du + dv * dv) / (2.0 * p[q + 4] * p[q + 4]))
        mx += w * p[q + 2]
        my += w * p[q + 3]
    return mx + p[4], my + p[5]


@kernel
def to_master_many(xy, p, out):
    """`to_master` of every row. xy, out : (N, 2) float64."""
    for k in range(xy.shape[0]):
        out[k, 0], out[k, 1] = to_master(xy[k, 0], xy[k, 1], p)


@kernel
def jacobian(x, y, p):
    """Derivatives du/dx, du/dy, dv/dx, dv/dy of `to_master`."""
    h = 1e-3
    ax, ay = to_master(x + h, y, p)
    bx, by = to_master(x - h, y, p)
    cx, cy = to_master(x, y + h, p)
    dx, dy = to_master(x, y - h, p)
    s = 0.5 / h
    return (ax - bx) * s, (cx - dx) * s, (ay - by) * s, (cy - dy) * s


@kernel
def from_master_point(u, v, p):
    """Inverse of `to_master` by Newton's method, to 1e-9 pixels."""
    qx = u - p[4]
    qy = v - p[5]
    x = p[0] + p[2] * qx - p[3] * qy
    y = p[1] + p[3] * qx + p[2] * qy
    for _ in range(30):
        fx, fy = to_master(x, y, p)
        ex = u - fx
        ey = v - fy
        if abs(ex) + abs(ey) < 1e-9:
            break
        j = jacobian(x, y, p)
        det = j[0] * j[3] - j[1] * j[2]
        x += (j[3] * ex - j[1] * ey) / det
        y += (j[0] * ey - j[2] * ex) / det
    return x, y


@kernel
def from_master_many(xy, p, out):
    """`from_master_point` of every row. xy, out : (N, 2) float64."""
    for k in range(xy.shape[0]):
        out[k, 0], out[k, 1] = from_master_point(xy[k, 0], xy[k, 1], p)


@kernel
def turn_back(xy, angle, p, out):
    """Directions on the master -> directions on the sensor at sensor points xy.

    xy : (N, 2) float64; angle, out : (N,) float64, radians.
    """
    for k in range(xy.shape[0]):
        j = jacobian(xy[k, 0], xy[k, 1], p)
        c = math.cos(angle[k])
        s = math.sin(angle[k])
        out[k] = math.atan2(j[0] * s - j[2] * c, j[3] * c - j[1] * s)


@kernel
def press(layers, p, outline, force, grain, bridging, softness, weights, y0, y1, contact, inside):
    """How fully each sensor pixel of rows y0..y1 is touched by a ridge.

    layers : (3, H, W) float32 on the master: ridge profile (-1 valley to 1 ridge), pores, creases
    (0 to 1). p : see `to_master`. outline : (4,) float64: half width, half height and exponent of
    the contact region, half width of its soft edge. force, grain : (h, w) float64 on the sensor:
    pressure and moisture as an offset to the profile; fine unevenness, of which positive values
    count ``bridging`` times. softness : width of a
    ridge's flank in units of the profile. weights : (2,) float64, of pores and creases. contact :
    (h, w) float64, 0 to 1; inside : (h, w) float64, above nought within the contact region.
    """
    width = force.shape[1]
    rows, columns = layers.shape[1], layers.shape[2]
    for y in range(y0, y1):
        for x in range(width):
            contact[y, x] = 0.0
            dx = x - p[0]
            dy = y - p[1]
            u = abs(p[2] * dx + p[3] * dy) / outline[0]
            v = abs(-p[3] * dx + p[2] * dy) / outline[1]
            inside[y, x] = -1.0
            if u > 1.2 or v > 1.2:
                continue
            rim = 1.0 - (u ** outline[2] + v ** outline[2]) ** (1.0 / outline[2])
            mx, my = to_master(float(x), float(y), p)
            a = 2.0 * abs(mx - 0.5 * columns) / columns
            b = 2.0 * abs(my - 0.5 * rows) / rows
            skin = 1.0 - (a * a * math.sqrt(a) + b * b * math.sqrt(b)) ** 0.4
            rim = min(rim, skin - 0.03)
            inside[y, x] = rim
            if rim < -outline[3] or not (0 <= mx < columns - 1 and 0 <= my < rows - 1):
                continue
            j = int(mx)
            i = int(my)
            fx = mx - j
            fy = my - i
            w00 = (1 - fy) * (1 - fx)
            w01 = (1 - fy) * fx
            w10 = fy * (1 - fx)
            w11 = fy * fx
            rough = grain[y, x]
            if rough > 0.0:
                # Unevenness opens gaps in a ridge more than it bridges a valley.
                rough *= bridging
            level = force[y, x] + rough
            for k in range(3):
                s = (
                    w00 * layers[k, i, j]
                    + w01 * layers[k, i, j + 1]
                    + w10 * layers[k, i + 1, j]
                    + w11 * layers[k, i + 1, j + 1]
                )
                if k == 0:
                    level += s
                else:
                    level -= weights[k - 1] * s
            if rim < outline[3]:
                level -= 1.1 * (outline[3] - rim) / outline[3]
            contact[y, x] = 1.0 / (1.0 + math.exp(-level / softness))
