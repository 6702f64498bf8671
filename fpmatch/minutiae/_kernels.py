"""Numeric kernels of the extractor. Arrays are indexed [y, x]; angles are clockwise, y down."""

from __future__ import annotations

import math

import numpy as np

from fpmatch.jit import kernel


@kernel(fastmath=True)
def ridge_spectrum(
    padded, pad, theta, inside, step, half, along, window, cosines, sines, periods, period, peak
):
    """Strongest period of the signature across the ridges, on a grid.

    padded : (H + 2 pad, W + 2 pad) float32, zero-mean; theta : (h, w) float32, ridge orientation
    at the grid points (i * step, j * step); inside : (h, w) uint8. The signature has 2 half + 1
    samples across, each the sum of samples along the ridge, two pixels apart. Outputs: period
    (h, w) float32, 0 outside; peak (h, w) float32, share of the signature's energy at it.
    """
    rows, columns = theta.shape
    length = 2 * half + 1
    signature = np.zeros(length, np.float32)
    for i in range(rows):
        for j in range(columns):
            period[i, j] = 0
            peak[i, j] = 0
            if not inside[i, j]:
                continue
            c = np.float32(math.cos(theta[i, j]))
            s = np.float32(math.sin(theta[i, j]))
            y0 = np.float32(i * step + pad)
            x0 = np.float32(j * step + pad)
            mean = np.float32(0)
            for u in range(-half, half + 1):
                total = np.float32(0)
                for v in range(-along, along + 1, 2):
                    y = y0 + u * c + v * s
                    x = x0 - u * s + v * c
                    a = int(y)
                    b = int(x)
                    p = y - a
                    q = x - b
                    total += (1 - p) * ((1 - q) * padded[a, b] + q * padded[a, b + 1]) + p * (
                        (1 - q) * padded[a + 1, b] + q * padded[a + 1, b + 1]
                    )
                signature[u + half] = total
                mean += total
            mean /= length
            energy = np.float32(1e-6)
            for u in range(length):
                signature[u] = (signature[u] - mean) * window[u]
                energy += signature[u] * signature[u]
            best = np.float32(0)
            at = 0
            for k in range(periods.shape[0]):
                re = np.float32(0)
                im = np.float32(0)
                for u in range(length):
                    re += signature[u] * cosines[k, u]
                    im += signature[u] * sines[k, u]
                power = re * re + im * im
                if power > best:
                    best = power
                    at = k
            period[i, j] = periods[at]
            peak[i, j] = best / energy


@kernel(fastmath=True)
def directional_filter(
    padded, pad, mask, direction, choice, steep, slope, level, taps, radius, out
):
    """One-dimensional filter along a direction that varies from pixel to pixel.

    Samples lie on whole columns (or on whole rows, where `steep`), so that one linear
    interpolation a sample is enough; the taps allow for the wider spacing.

    padded, out : (H + 2 pad, W + 2 pad) float32; mask : (H, W) uint8; direction : (H, W) uint8,
    row of steep, slope, level; choice : (H, W) uint8, which filter; taps : (levels, choices, L)
    float32, centred; radius : (levels, choices) int32, taps each side. Outside the mask `out`
    is left alone.
    """
    H, W = mask.shape
    centre = taps.shape[2] // 2
    for y in range(H):
        for x in range(W):
            if not mask[y, x]:
                continue
            d = direction[y, x]
            k = choice[y, x]
            m = level[d]
            r = radius[m, k]
            g = slope[d]
            total = np.float32(0)
            if steep[d]:
                for t in range(-r, r + 1):
                    across = np.float32(x + pad) + t * g
                    j = int(across)
                    q = across - j
                    i = y + pad + t
                    a = padded[i, j]
                    total += taps[m, k, centre + t] * (a + q * (padded[i, j + 1] - a))
            else:
                for t in range(-r, r + 1):
                    across = np.float32(y + pad) + t * g
                    i = int(across)
                    q = across - i
                    j = x + pad + t
                    a = padded[i, j]
                    total += taps[m, k, centre + t] * (a + q * (padded[i + 1, j] - a))
            out[y + pad, x + pad] = total


@kernel(inline=True)
def _code(image, y, x):
    """Eight neighbours as bits 0 to 7: N, NE, E, SE, S, SW, W, NW."""
    return (
        image[y - 1, x]
        | image[y - 1, x + 1] << 1
        | image[y, x + 1] << 2
        | image[y + 1, x + 1] << 3
        | image[y + 1, x] << 4
        | image[y + 1, x - 1] << 5
        | image[y, x - 1] << 6
        | image[y - 1, x - 1] << 7
    )


@kernel
def thin(image, removable, redundant, ys, xs):
    """Thin a binary image in place to 8-connected lines one pixel wide.

    image : (H, W) uint8 of 0 and 1, with an empty border of one pixel; removable : (2, 256)
    uint8, by neighbour code, for the two half-steps; redundant : (256,) uint8, pixels that can
    go without changing the topology or shortening a line; ys, xs : (n,) int32, scratch for at
    least as many entries as there are ones.
    """
    H, W = image.shape
    n = 0
    for y in range(1, H - 1):
        for x in range(1, W - 1):
            if image[y, x]:
                ys[n] = y
                xs[n] = x
                n += 1
    changed = True
    while changed:
        changed = False
        for half in range(2):
            # Marked first, removed together: bit 1 keeps the mark out of the neighbour codes.
            marked = 0
            for k in range(n):
                y = ys[k]
                x = xs[k]
                code = (
                    (image[y - 1, x] & 1)
                    | (image[y - 1, x + 1] & 1) << 1
                    | (image[y, x + 1] & 1) << 2
                    | (image[y + 1, x + 1] & 1) << 3
                    | (image[y + 1, x] & 1) << 4
                    | (image[y + 1, x - 1] & 1) << 5
                    | (image[y, x - 1] & 1) << 6
                    | (image[y - 1, x - 1] & 1) << 7
                )
                if removable[half, code]:
                    image[y, x] = 3
                    marked += 1
            if marked:
                changed = True
                left = 0
                for k in range(n):
                    y = ys[k]
                    x = xs[k]
                    if image[y, x] == 3:
                        image[y, x] = 0
                    else:
                        ys[left] = y
                        xs[left] = x
                        left += 1
                n = left
    for k in range(n):
        if redundant[_code(image, ys[k], xs[k])]:
            image[ys[k], xs[k]] = 0


@kernel(inner=True)
def follow(skeleton, crossings, dy, dx, y, x, y1, x1, limit):
    """Walk a skeleton line from (y, x) over (y1, x1) for up to `limit` steps.

    Returns
    -------
    y, x, steps, reason : where it stopped; 0 at the limit, 1 at an end, 3 at a junction.
    """
    py = y
    px = x
    cy = y1
    cx = x1
    steps = 1
    while steps < limit:
        crossing = crossings[_code(skeleton, cy, cx)]
        if crossing == 1:
            return cy, cx, steps, 1
        if crossing >= 3:
            return cy, cx, steps, 3
        found = -1
        # Straight neighbours (even) before diagonal ones: of a corner, take the nearer pixel.
        for first in range(2):
            for k in range(first, 8, 2):
                ny = cy + dy[k]
                nx = cx + dx[k]
                if not skeleton[ny, nx]:
                    continue
                if abs(ny - py) <= 1 and abs(nx - px) <= 1:
                    continue
                found = k
                break
            if found >= 0:
                break
        if found < 0:
            return cy, cx, steps, 1
        py = cy
        px = cx
        cy += dy[found]
        cx += dx[found]
        steps += 1
    return cy, cx, steps, 0


@kernel
def detect(skeleton, crossings, dy, dx, distance, border, trace, spur, fork, out):
    """Endings and bifurcations of a skeleton, with the direction of their traced branches.

    skeleton : (H, W) uint8, empty border of two pixels; crossings : (256,) uint8; dy, dx : (8,)
    int64; distance : (H, W) float32 to the edge of the finger area. out : (n, 4) float32: x, y,
    direction, kind. Returns the number found; stops at n.
    """
    H, W = skeleton.shape
    found = 0
    angle = np.zeros(8)
    for y in range(2, H - 2):
        for x in range(2, W - 2):
            if not skeleton[y, x] or distance[y, x] < border:
                continue
            crossing = crossings[_code(skeleton, y, x)]
            if crossing != 1 and crossing != 3:
                continue
            branches = 0
            good = True
            for k in range(8):
                y1 = y + dy[k]
                x1 = x + dx[k]
                if not skeleton[y1, x1]:
                    continue
                if k & 1 and (skeleton[y1, x] or skeleton[y, x1]):
                    continue
                ty, tx, steps, reason = follow(skeleton, crossings, dy, dx, y, x, y1, x1, trace)
                angle[branches] = math.atan2(ty - y, tx - x)
                branches += 1
                if reason != 0 and steps < (spur if crossing == 1 else fork):
                    good = False
            if not good or branches != crossing:
                continue
            if crossing == 1:
                direction = angle[0]
            else:
                nearest = 9.0
                direction = 0.0
                for i in range(3):
                    j = (i + 1) % 3
                    apart = abs(angle[i] - angle[j])
                    if apart > math.pi:
                        apart = 2 * math.pi - apart
                    if apart < nearest:
                        nearest = apart
                        direction = math.atan2(
                            math.sin(angle[i]) + math.sin(angle[j]),
                            math.cos(angle[i]) + math.cos(angle[j]),
                        )
            if found == out.shape[0]:
                return found
            out[found, 0] = x
            out[found, 1] = y
            out[found, 2] = direction
            out[found, 3] = 1 if crossing == 1 else 2
            found += 1
    return found


@kernel
def reject(x, y, angle, kind, order, gap, facing, opposite, opposed, duplicate, keep):
    """Clear `keep` (n,) uint8 for broken ridges, artefacts of opposite direction, duplicates.

    order : (n,) int64, best first, decides which of two duplicates stays. Angles in radians.
    """
    n = x.shape[0]
    for i in range(n):
        keep[i] = 1
    for i in range(n):
        for j in range(i + 1, n):
            dx = x[i] - x[j]
            dy = y[i] - y[j]
            d = math.sqrt(dx * dx + dy * dy)
            if d >= gap and d >= opposite:
                continue
            turn = abs(angle[i] - angle[j]) % (2 * math.pi)
            if turn > math.pi:
                turn = 2 * math.pi - turn
            broken = d < gap and turn > facing and kind[i] == 1 and kind[j] == 1
            if broken or (d < opposite and turn > opposed):
                keep[i] = 0
                keep[j] = 0
    for a in range(n):
        i = order[a]
        if not keep[i]:
            continue
        for b in range(a):
            j = order[b]
            if keep[j]:
                dx = x[i] - x[j]
                dy = y[i] - y[j]
                if dx * dx + dy * dy <= duplicate * duplicate:
                    keep[i] = 0
                    break
