"""Every tuned number of fpmatch, with its unit and source.

One frozen dataclass a room. `digest` hashes any of them: templates, indexes and results carry
the hash of the parameters that shaped them, so that what was made differently is never mixed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ImageParameters:
    """Reading and scaling of images."""

    ppi: float = 500.0
    """Working resolution, pixels per inch (ISO/IEC 19794-4, level 31)."""
    min_ppi: float = 96.0
    """Lowest resolution accepted; below it a ridge period is under two pixels."""
    min_recorded_ppi: float = 250.0
    """Lowest resolution believed from a file: 72 and 96 are what software writes by default."""
    unknown_ppi: tuple[float, ...] = (255.0,)
    """What encoders write who do not know: -1 kept in one byte (WSQ comments of some cards)."""
    max_ppi: float = 4800.0
    """Highest resolution accepted."""
    max_pixels: int = 64_000_000
    """Largest image decoded unless the caller says otherwise, pixels: a guard against
    decompression bombs."""
    most_pixels: int = 1_000_000_000
    """What the caller can say at most."""
    max_side: int = 8191
    """Longest side after resampling, pixels at 500 ppi: a template has 13 bits for it."""
    estimate_scales: tuple[float, ...] = (0.125, 0.25, 0.5, 1.0, 2.0)
    """Sizes at which ridges are looked for where no resolution is known."""
    min_side: int = 48
    """Smallest side after resampling, pixels at 500 ppi: about five ridges."""
    exact_tolerance: float = 0.005
    """Relative difference to 500 ppi that is taken as 500 (0.5 %, 1 px in 200)."""


@dataclass(frozen=True, slots=True)
class IsolationParameters:
    """What a picture's decoder may use in a process of its own. Shapes no picture that is read."""

    memory_per_pixel: int = 24
    """Bytes of address space a pixel of the largest picture that the caller takes; what decoders
    need is at most 16 (docs/robustness.md)."""
    memory_floor: int = 256 << 20
    """Bytes besides: the file itself, twice, and what allocators keep."""
    cpu_seconds: int = 30
    """Of one picture; 64 million pixels take some seconds."""
    wall_seconds: float = 120.0
    """Of one picture, until it counts as hanging."""
    start_seconds: float = 60.0
    """Until the process must have said that it is ready: imports, on a busy machine."""
    end_seconds: float = 2.0
    """That it is waited for at the end, before it is killed."""


@dataclass(frozen=True, slots=True)
class RidgeParameters:
    """Where ridges run in a picture of any size, and how far apart they are.

    Lengths are pixels at 500 ppi. Chosen on FVC2000 + FVC2002 DB1-4 B, SD 4 and the slaps of the
    NIST reference transactions; docs/robustness.md has the figures.
    """

    window: int = 48
    """Side of the windows that are looked at, about five ridges."""
    step: int = 16
    """Distance of the windows."""
    share_least: float = 0.25
    """Share of a window's variation that is one wave from which on it shows ridges: finger 0.3 to
    0.7, text 0.2, noise 0.1."""
    contrast_least: float = 4.0
    """Standard deviation below which nothing is seen, gray levels: a sensor's own noise."""
    contrast_share: float = 0.1
    """The same as a share of the 90th percentile of the contrast of all ridges."""
    longest: float = 28.0
    """Longest period looked for."""
    shortest: float = 3.2
    """Shortest period looked for."""
    neck: float = 0.3
    """Two areas joined by less than this share of the widest radius are two."""
    core: float = 0.5
    """A finger is at least this wide, as a share of the widest in the picture."""
    core_least: float = 64.0
    """Half the width of the smallest finger that is counted beside another."""
    card: tuple[int, int] = (500, 1000)
    """Short and long side of what can be one finger, without its rim: a rolled one has 800 x 750
    pixels on a card, a plain one with its second phalanx 400 x 1000."""
    gap_contrast: float = 0.25
    """In a smaller picture two fingers are told apart only by a gap with less than this share of
    the ridges' contrast: a smudge across one finger leaves dark ink."""
    scatter: int = 64
    """Pieces of ridges as near as this to a finger belong to it."""
    palm: float = 400.0
    """Half the width from which on an area is no single finger."""
    longest_finger: tuple[int, int] = (1200, 2500)
    """Short and long side of the room that one finger takes, all its phalanges: 6 x 13 cm."""
    large: int = 1_000_000
    """Pictures of more pixels are cut to the finger before anything else is done."""
    margin: int = 32
    """Room left round the finger when a picture is cut."""
    overflow: float = 3.0
    """An outline this many times larger than the ridges in it is looked for again round them."""
    samples: int = 32
    """Windows in which the period is measured."""
    sample_side: int = 64
    """Their side."""
    agreement: float = 0.7
    """Share of these that must lie within a quarter of the median: else there is no one period."""
    typical_period: float = 9.0
    """Median ridge period of fingers: the mean over the sets above."""
    known_periods: tuple[float, float] = (5.0, 15.0)
    """Periods beyond these contradict 500 ppi; true ones had 6.3 to 13.1."""
    likely_periods: tuple[float, float] = (6.0, 11.5)
    """Periods beyond these contradict other resolutions that a file states: software writes 96 or
    300 without knowing."""


@dataclass(frozen=True, slots=True)
class SlapParameters:
    """Where the fingers of a slap lie. Lengths are pixels at 500 ppi unless said otherwise.

    Chosen on the eight slaps of the NIST reference transactions and on synthetic ones;
    docs/slaps.md has the figures.
    """

    cell: int = 8
    """Side of the cells that are looked at."""
    most_pixels: int = 25_000_000
    """A larger picture is no slap: 25 x 25 cm."""
    blur: float = 4.0
    """Radius over which the strength of the ridges is averaged: a gap of 10 shows."""
    share: tuple[float, float] = (0.18, 0.30)
    """Share of a window that is one wave (see `RidgeParameters.share_least`) below which a cell
    shows no ridges, and from which on it does for certain."""
    full: float = 0.8
    """Share of the upper quartile of strength from which on a cell is ridges altogether."""
    stroke: int = 9
    """What is narrower than so many cells is writing or a line of a form."""
    tilts: tuple[int, int] = (-50, 50)
    """Range in which the hand's tilt is looked for, degrees: beyond 45 the edge of the range could
    not be told from a maximum."""
    tilt_step: int = 4
    """Degrees."""
    upright: float = 0.001
    """What a degree of tilt costs in the mean depth of the gaps between fingers (0 to 1)."""
    most_tilt: float = 47.0
    """A hand that seems tilted further than this, degrees, is refused."""
    length_least: float = 110.0
    """A finger is at least so long."""
    apart: float = 0.12
    """Two fingers are two where the best way between them crosses this share less of ridges than
    the way along the lesser of them."""
    side: float = 0.6
    """Two summits nearer to each other than this share of a finger's width, across the hand, are
    phalanges of one finger."""
    radius_least: float = 44.0
    """Half the width of the smallest fingertip."""
    tip: float = 0.75
    """The tip is the topmost part of a finger that is at least this wide, as a share of its widest:
    writing is not."""
    flat: float = 0.55
    """What is lower than this share of its width is no fingertip: a line of letters is not."""
    unequal: tuple[float, float] = (0.55, 1.45)
    """Widths beyond these shares of the median are no fingers, or two in one."""
    sliver: float = 0.62
    """What the picture's side cuts to less than this share of the median width is another
    picture's finger, where there is one too many."""
    phalanx: tuple[float, float] = (0.95, 1.75)
    """Length of the first phalanx, shares of its width, between which its crease is looked for."""
    crease: float = 0.8
    """Ridges across a crease are fewer than this share of those above and below it."""
    ended: float = 0.2
    """The finger is at its end where there are fewer ridges than this share of the usual."""
    phalanx_else: float = 1.75
    """Length that is cut where no crease is seen, as a share of the width."""
    most_lean: float = 0.35
    """How far a finger can lean from the hand's direction, radians."""
    longish: float = 0.25
    """By how much, as a share, a fingertip must be higher than wide for its lean to be believed."""
    turn_least: float = 0.02
    """Less than this, radians, is not turned back, so that no pixel is interpolated."""
    rim: int = 3
    """Cells round a finger that are kept with it; what lies beyond is blanked, and a neighbour's
    part."""
    wrong_hand: float = 0.2
    """The hand is the other one where the little finger's tip stands higher than the index
    finger's by this share of a finger's width. On six real hands it stands 0.36 to 1.8 lower."""
    slack: float = 4.0
    """How far a box that a file states may reach beyond the picture."""
    stated_least: int = 96
    """Smallest side of a box that a file states."""


@dataclass(frozen=True, slots=True)
class NeuralParameters:
    """The learned extractor. Thresholds tuned on FVC2000 + FVC2002 DB1-4 B."""

    model: str = "fpnet-4.fpnet"
    """File in `fpmatch/minutiae/models`."""
    threshold: float = 0.3
    """Lowest confidence of a minutia: the probability that it is there."""
    doubtful: float = 0.05
    """Lowest confidence of a claim that counts in the image quality."""
    min_distance: float = 6.0
    """Two minutiae closer than this, pixels at 500 ppi, are one: the more confident stays."""
    second_look: float = 0.8
    """Mean confidence of the minutiae below which a print is looked at twice."""
    finger_smooth: float = 1.0
    """Blur of the finger map, cells of 4 pixels."""
    finger_least: float = 0.5
    """Share of finger from which on a cell is inside."""
    finger_clean: int = 2
    """Radius of opening and closing of the finger area, cells."""
    orientation_smooth: float = 1.0
    """Blur of the doubled-angle field, cells."""


@dataclass(frozen=True, slots=True)
class TemplateParameters:
    """The stored form."""

    subpixel: int = 8
    """Units a pixel in `Template.xy`."""
    turn: int = 65536
    """Units a turn in `Template.angle`."""
    orientation_cell: int = 16
    """Side of an orientation cell, pixels at 500 ppi."""
    max_minutiae: int = 255
    """Most minutiae kept, best quality first (the limit of ISO/IEC 19794-2)."""


@dataclass(frozen=True, slots=True)
class QualityParameters:
    """What is made of an impression's quality. Shapes no template and no score."""

    retake: tuple[tuple[str, int], ...] = (("fpnet-", 30), ("classical-", 45))
    """Quality under which a print should be captured again, by the beginning of the extractor's
    name; others' values mean other things. What it rejects and saves: docs/extraction.md."""


@dataclass(frozen=True, slots=True)
class MinutiaeParameters:
    """The classical extractor. Lengths are pixels at 500 ppi (0.0508 mm).

    Values without another source were chosen on FVC2000 and FVC2002 DB1-4 B; see
    docs/extraction.md for what each is worth.
    """

    segment_sigma: float = 13 / 3
    """Blur of the gradient magnitude (GMFS; Cappelli 2023)."""
    segment_percentile: float = 95.0
    """Gradient magnitude that counts as full ridge contrast, percentile of the image."""
    segment_threshold: float = 0.2
    """Share of that contrast below which a pixel is background."""
    segment_close: int = 6
    """Radius of the closing that joins ridges into one area."""
    segment_open: int = 12
    """Radius of the opening that cuts off protrusions."""
    normalise_sigma: float = 8.0
    """Window of local mean and contrast, about one ridge period."""
    normalise_floor: float = 4.0
    """Gray levels added to the local contrast so that flat areas stay flat."""
    denoise_sigma: float = 0.6
    """Blur before gradients."""
    band_clip: float = 1.0
    """Values beyond this many local contrasts are clipped before the orientation is taken."""
    band_centre: float = 0.85
    """Wavelength at the centre of the band, in typical periods."""
    band_width: float = 0.4
    """Width of the ridge band: standard deviation of the logarithm of frequency."""
    orientation_sigmas: tuple[float, float] = (7.0, 16.0)
    """Fine and coarse window of the structure tensor."""
    orientation_coarse_weight: float = 0.6
    """Weight of the coarse window."""
    orientation_smooth: float = 2.5
    """Blur of the combined doubled-angle field."""
    coherence_least: float = 0.25
    """Orientation coherence below which an area counts as background."""
    coherence_share: float = 0.5
    """The same as a share of the print's own median coherence; the lower of the two counts."""
    coherence_smooth: float = 4.0
    """Blur of the coherence before that."""
    coherence_clean: int = 8
    """Radius of closing and opening after it."""
    frequency_step: int = 8
    """Grid of the ridge period."""
    frequency_half: int = 24
    """Half the signature across the ridges, about 2.5 periods each way."""
    frequency_along: int = 10
    """Half the averaging along the ridges."""
    period_min: float = 5.0
    """Shortest ridge period believed."""
    period_max: float = 16.0
    """Longest ridge period believed."""
    period_spread: float = 0.5
    """How far a period may lie from the median and still count, in its logarithm."""
    period_smooth: float = 3.0
    """Blur of the period, grid steps."""
    gabor_across: float = 0.45
    """Gaussian across the ridges, in ridge periods."""
    gabor_along: float = 5.0
    """Gaussian along the ridges."""
    island_area: int = 30
    """Ridge pieces of fewer pixels are dropped."""
    hole_area: int = 14
    """Valley pieces of fewer pixels (pores) are filled."""
    border: float = 12.0
    """Minutiae nearer to the edge of the finger area are dropped."""
    trace: int = 16
    """Length of ridge followed from a minutia, pixels."""
    spur: int = 10
    """Shortest ridge that makes an ending."""
    fork: int = 8
    """Shortest branch that makes a bifurcation."""
    gap: float = 14.0
    """Two endings facing each other over less than this are a broken ridge."""
    opposite: float = 8.0
    """Two minutiae of opposite direction nearer than this are an artefact."""
    duplicate: float = 6.0
    """Of minutiae nearer than this only the best is kept."""
    quality_area: float = 38750.0
    """Finger area from which size no longer counts in the image quality: 1 cm2, in pixels."""
    min_area: int = 4000
    """Least area of ridge pattern, pixels (0.1 cm2); below it extraction fails."""
    min_coherence: float = 0.3
    """Orientation coherence that counts as ridge pattern; white noise has under 0.2."""
    min_share: float = 0.2
    """Least share of ridge pattern in the area of contrast; below it extraction fails."""
    min_minutiae: int = 4
    """Fewest minutiae of a template; below it extraction fails."""


@dataclass(frozen=True, slots=True)
class SyntheticParameters:
    """The print generator's fingers; sensors are in `fpmatch.synthetic.sensors`."""

    class_share: tuple[float, ...] = (0.037, 0.029, 0.338, 0.317, 0.200, 0.079)
    """Arch, tented arch, left loop, right loop, whorl, double loop: Wilson et al. (NIST, 1993);
    the split of whorls into plain whorls and double loops is set by eye."""
    master_shape: tuple[int, int] = (480, 400)
    """Rows and columns of a master, pixels at 500 ppi: a rolled finger."""
    core_height: float = 0.45
    """Height of the core below the tip, share of the master's height."""
    wander_scale: float = 55.0
    """Wavelength of the random wandering of the flow, pixels."""
    wander_deg: float = 4.5
    """Standard deviation of that wandering, degrees."""
    period_mean: float = 9.0
    """Mean ridge period of a finger, pixels at 500 ppi (Stoney 1988; FVC sets: see docs)."""
    period_sd: float = 0.7
    """Standard deviation of the mean period over fingers, pixels."""
    period_base: float = 0.03
    """How much wider ridges are below the deltas, relative (and narrower above)."""
    period_core: float = 0.03
    """How much narrower ridges are round the core, relative."""
    period_uneven: float = 0.015
    """Standard deviation of the local unevenness of the period, relative."""
    period_scale: float = 60.0
    """Wavelength of that unevenness, pixels."""
    yield_share: float = 0.7
    """How far the period gives way to the spreading of the ridges."""
    yield_rough: float = 0.15
    """Penalty on the roughness of that, relative to the spreading it does not follow."""
    yield_small: float = 0.01
    """Penalty on its size."""
    bank_angles: int = 128
    """Orientations of the growth filters over half a turn: steps of 1.4 degrees."""
    bank_periods: tuple[float, float] = (6.0, 13.5)
    """Shortest and longest period of the growth filters, pixels."""
    bank_pitch: float = 0.25
    """Step of the period between growth filters, pixels."""
    bank_half: int = 11
    """Half width of a growth filter, pixels."""
    bank_across: float = 0.41
    """Standard deviation of a growth filter across the ridges, periods (three peaks)."""
    bank_along: float = 0.44
    """Standard deviation of a growth filter along the ridges, periods: longer gives fewer
    minutiae."""
    growth_passes: int = 18
    """Filter passes from noise to a full pattern; more heal more minutiae."""
    growth_start: int = 100
    """Amplitude of the noise that growth starts from, of 1024."""
    growth_top: float = 800.0
    """Height of a well-formed ridge after the last pass, of 1024."""
    smallest_spot: int = 24
    """Islands and lakes below this are removed from a master, pixels."""
    longest_spur: int = 4
    """Spurs of the thinned pattern up to this are no ridges, pixels."""
    branch_reach: int = 12
    """How far a branch is followed for its direction, pixels."""
    pore_spacing: float = 9.0
    """Least distance of pores on the ridges, pixels (9 to 18 a centimetre of ridge)."""
    scar_share: float = 0.12
    """Share of fingers with a broad scar."""
    contact_spread: float = 0.07
    """Standard deviation of the contact region's sides over impressions, log units."""
    soft_edge: float = 0.09
    """Width of the rim where contact fades, share of the contact region's half sides."""
    hairlines: float = 3.0
    """Mean number of passing scratches and fibres on an impression."""
    bridging: float = 0.45
    """How much less unevenness bridges valleys than it breaks ridges."""
    roughness_spread: float = 0.25
    """Standard deviation of the graininess over impressions, log units."""
    glancing_share: float = 0.06
    """Share of impressions that touch a part of the pad only."""
    glancing_scale: float = 0.72
    """Scale of the contact region's sides in those."""
    turn_deg: float = 9.0
    """Standard deviation of the rotation on the sensor, degrees (about that of the FVC sets)."""
    shift: tuple[float, float] = (15.0, 20.0)
    """Standard deviation of the finger's place on the sensor, pixels across and along."""
    pad_shift: tuple[float, float] = (14.0, 21.0)
    """Standard deviation of the part of the pad that touches, pixels across and along."""
    slide: tuple[float, float, float] = (7.5, 8.5, 3.6)
    """Standard deviation of the sliding skin's movement, pixels, and torque, degrees."""
    slide_limit: tuple[float, float, float] = (17.0, 17.0, 8.0)
    """Largest of these: beyond, skin would fold."""
    bump: tuple[float, float] = (2.4, 5.5)
    """Standard deviation and limit of a local displacement, pixels."""


@dataclass(frozen=True, slots=True)
class DatabaseParameters:
    """SQLite files of gallery, ledger and log."""

    busy_seconds: float = 30.0
    """How long a change waits for another process before it fails, seconds."""


@dataclass(frozen=True, slots=True)
class AuditParameters:
    """The audit log."""

    max_text: int = 1024
    """Longest text field, characters: room for digests and reasons, none for a template."""
    max_fields: int = 4096
    """Most fields a record: 64 partitions of some 30 fields, doubled."""
    retention_days: int = 365
    """Shortest time that records are kept, days (CJIS Security Policy: one year)."""
    k_anonymity: int = 5
    """Smallest count that an aggregate report shows, searches."""


@dataclass(frozen=True, slots=True)
class DescriptorParameters:
    """The search form: fixed-weight minutia cylinder codes and orientation texture.

    Cylinders after Cappelli, Ferrara, Maltoni (2010): their radius, deviations and cell counts.
    """

    radius: float = 70.0
    """Radius of a cylinder, pixels at 500 ppi."""
    side: int = 8
    """Cells across a cylinder; 52 of the 8 x 8 lie inside the disc."""
    sections: int = 6
    """Direction sections of a cell."""
    spatial_deviation: float = 28 / 3
    """Gaussian of a neighbour's position, pixels at 500 ppi."""
    spatial_reach: float = 28.0
    """A neighbour counts in cells up to this far off in x and in y, pixels at 500 ppi."""
    direction_deviation: float = 0.6981317007977318
    """Gaussian of a neighbour's direction, radians (2 pi / 9)."""
    weight: int = 32
    """Bits set of the 312: the largest cells. A fixed weight needs no mask and no norm."""
    max_minutiae: int = 64
    """Minutiae in the search form, best quality first."""
    texture_share: float = 0.5
    """Least share of the bilinear weight inside the finger for a texture cell to be valid."""


@dataclass(frozen=True, slots=True)
class MatcherParameters:
    """Comparison of two search forms.

    What has no other source was tuned on FVC2000 and FVC2002 DB1-4 B; the plateaus and what each
    step is worth are in docs/matching.md. The weights of the evidence come from
    ``python -m benchmarks.fit_calibration --weights``.
    """

    window: int = 64
    """Largest difference of direction of a pair, units of 1/256 turn (90 degrees)."""
    cylinder_weight: float = 0.6
    """Weight of the cylinders in the similarity of a pair."""
    texture_weight: float = 0.4
    """Weight of the orientation texture in the similarity of a pair."""
    texture_cells: int = 16
    """Fewest texture cells valid in both; with fewer the texture is taken as average."""
    texture_average: float = 0.82
    """Share of texture bits that agree in an unknown pair."""
    least_similarity: float = 0.575
    """Pairs of less similarity are not considered."""
    distance_middle: float = 5.0
    """Difference of distances at which compatibility is one half, pixels (MCC, 2010)."""
    distance_slope: float = -1.6
    """Slope of that sigmoid, 1/pixel (MCC, 2010)."""
    turn_middle: float = 0.2617993877991494
    """Difference of angles at which compatibility is one half, radians (MCC, 2010)."""
    turn_slope: float = -30.0
    """Slope of that sigmoid, 1/radian (MCC, 2010)."""
    sweeps: int = 5
    """Relaxation sweeps (MCC, 2010)."""
    stay: float = 0.5
    """Share of a pair's own value kept in a sweep (MCC, 2010)."""
    pairs_least: int = 4
    """Pairs in the score of the smallest templates (MCC, 2010)."""
    pairs_most: int = 12
    """Pairs in the score of the largest templates (MCC, 2010)."""
    pairs_middle: float = 20.0
    """Minutiae of the smaller template at which the number of pairs is half way (MCC, 2010)."""
    pairs_slope: float = 0.4
    """Slope of that sigmoid, 1/minutia (MCC, 2010)."""
    fewest: int = 4
    """Fewest minutiae of either side, and fewest pairs; with fewer the score is the lowest."""
    gate: int = 330
    """Relaxation score (1/16384) from which on re-alignment is tried; below it the pair is
    non-mated beyond doubt and this is its raw score."""
    anchor_agreement: float = 0.25
    """Agreement with the chosen pairs that makes a pair an anchor of the re-alignment."""
    near_distance: float = 10.0
    """Farthest a re-aligned minutia may lie from its match, pixels at 500 ppi."""
    near_turn: float = 0.49
    """Largest difference of direction of a re-aligned minutia and its match, radians."""
    bend_from: float = 5.3
    """Evidence from which on a pair is re-aligned once more, by a motion that bends, and its
    evidence weighed anew: one non-mated pair in twenty-five. Below,
    the first evidence is the score."""
    bend_reach: float = 30.0
    """In that, anchors at a distance d weigh 1/(reach**2 + d**2)**2, pixels at 500 ppi."""
    relaxed_weight: float = 2.0
    """Weight of log(relaxation score + 50), natural logarithm of the odds."""
    agreement_weight: float = 4.6
    """Weight of the square root of the summed agreement, 1/sqrt(pair)."""
    matched_weight: float = 3.0
    """Weight of the square root of the matched minutiae, 1/sqrt(minutia)."""
    unmatched_weight: float = 1.9
    """Weight against the square root of the unmatched minutiae in the common area."""
    base: float = 5.0
    """Evidence taken off, so that the weakest is near 0."""
    size_minutiae: tuple[int, ...] = (5, 8, 12, 16, 20, 25, 30, 40, 50, 60)
    """Usable minutiae of the smaller side, at which the next is given."""
    size_evidence: tuple[float, ...] = (
        0.64,
        0.88,
        0.94,
        0.37,
        -0.69,
        -1.13,
        -0.74,
        -0.27,
        0.32,
        -0.07,
    )
    """Evidence taken off at these sizes, by straight lines between: how much further up non-mated
    prints of that size reach than others, natural logarithm of the odds (on touches of part of the
    finger and whole prints of one sensor: ``python -m benchmarks.fit_sizes``)."""
    bent_relaxed_weight: float = 2.0
    """The same weights once more, after bending. This one is held; the others are fitted, but for a
    third of the next three, which is those above: ``python -m benchmarks.fit_sizes``."""
    bent_agreement_weight: float = 2.63
    """As `agreement_weight`."""
    bent_matched_weight: float = 5.09
    """As `matched_weight`."""
    bent_unmatched_weight: float = 2.06
    """As `unmatched_weight`."""
    bent_missed_weight: float = 6.31
    """Weight against the mean distance of matched minutiae from their matches, as a share of
    `near_distance`, times the square root of their number, 1/sqrt(minutia)."""
    bent_base: float = 7.48
    """As `base`."""
    bent_size_evidence: tuple[float, ...] = (
        3.36,
        2.6,
        2.0,
        1.21,
        -0.02,
        -1.39,
        -1.47,
        -0.86,
        -0.89,
        -2.01,
    )
    """As `size_evidence`."""


@dataclass(frozen=True, slots=True)
class ScaleParameters:
    """Comparison at any scale."""

    factors: tuple[float, ...] = (0.82, 0.905, 1.0, 1.105, 1.22)
    """Sizes of the probe that are tried, equal steps of a tenth: photographs whose scale is guessed
    from the finger's width are up to a fifth off, and the matcher bears a twentieth by itself."""


@dataclass(frozen=True, slots=True)
class CalibrationParameters:
    """Raw score -> -10 log10 of the false match rate, by straight lines between knots.

    Fitted by ``python -m benchmarks.fit_sizes`` with the learned extractor on non-mated pairs of
    one sensor, every set by the root of its fingers: whole prints and touches of part of the finger
    of FVC2000 and FVC2002 DB1-4 B and sd4. Empirical rates down to 1 in 2000, an exponential tail
    beyond. What was claimed and what was seen, by size: docs/matching.md.
    """

    raw: tuple[int, ...] = (
        0,
        222,
        315,
        1581,
        3045,
        3777,
        4743,
        5619,
        7204,
        8324,
        9274,
        10334,
        11091,
        11773,
        200000,
    )
    """Knots, raw score."""
    value: tuple[float, ...] = (
        0.0,
        0.4576,
        1.2494,
        3.0103,
        5.2288,
        6.9897,
        10.0,
        13.0103,
        16.9897,
        20.0,
        23.0103,
        26.9897,
        30.0,
        33.0103,
        1018.8645,
    )
    """Value at the knots, -10 log10(FMR)."""
    raw_any: tuple[int, ...] = (
        0,
        315,
        1302,
        3109,
        4076,
        4652,
        5560,
        6806,
        8455,
        9341,
        10127,
        11111,
        11782,
        12333,
        200000,
    )
    """Knots of the best of the four comparisons at any rotation, raw score."""
    value_any: tuple[float, ...] = (
        0.0,
        0.4576,
        1.2494,
        3.0103,
        5.2288,
        6.9897,
        10.0,
        13.0103,
        16.9897,
        20.0,
        23.0103,
        26.9897,
        30.0,
        33.0103,
        1015.9315,
    )
    """Value at those knots: of the same pairs, each compared at any rotation; the tail falls as the
    other does, so that the best of four never claims more."""
    comparisons: int = 6_790_558
    """Non-mated comparisons that the curve was held against: those fitted, and whole prints of
    different sensors."""
    least_fmr: float = 1e-5
    """Lowest false match rate that is claimed: of the whole prints and three touches of each ten
    would reach it. More touches of the same 260 fingers do not lower it. Scores beyond it are an
    extrapolation, and rank only."""


@dataclass(frozen=True, slots=True)
class EvaluateParameters:
    """Intervals of the evaluation. They shape no template and no score."""

    replicates: int = 1000
    """Bootstrap replicates (Bolle, Ratha, Pankanti 2004 use 1 000)."""
    level: float = 95.0
    """Coverage of the intervals, percent."""
    seed: int = 20040615
    """Seed of the bootstrap."""


@dataclass(frozen=True, slots=True)
class IndexParameters:
    """Shortlists over many rows, and the files of an index.

    Measured on synthetic galleries; docs/indexing.md has the tables.
    """

    window: int = 48
    """Largest difference of direction of two cylinders, units of 1/256 turn (67.5 degrees)."""
    window_any: int = 127
    """The same where prints may be turned at any angle: every direction but the opposite one."""
    distance_most: int = 48
    """Hamming distances of sketches are cut here: half of their bits, what chance gives."""
    deviation_least: float = 0.1
    """Added to a probe cylinder's deviation over the cohort, bits."""
    z_least: float = 1.0
    """A distance votes if it lies this many deviations below the cohort's mean."""
    vote_unit: int = 64
    """Integer units of a vote of one."""
    cylinders: int = 36
    """Cylinders that vote in a usual probe: the median of FVC2000 and FVC2002 B."""
    deepest: int = 4
    """Most times the usual share of the lists and of the rows counted again, for a probe of few
    cylinders."""
    cell_weights: tuple[int, ...] = (
        *(14, 14, 14, 14, 13, 13, 13, 13, 13, 13, 12, 12, 12, 12, 12, 12),
        *(11, 11, 11, 11, 10, 10, 10, 9, 9, 9, 8, 8, 7, 7, 7, 6),
        *(6, 6, 5, 5, 5, 4, 4, 4, 3, 3, 3, 3, 3, 3, 2, 2),
        *(2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1),
    )
    """Sixteenths of the mated minutiae whose code has the cell that is of this rank about the
    other minutia; by the real prints that sketches are learned from (``benchmarks/list_choice.py``
    repeats it)."""
    cell_cost: int = 6
    """What each cell of a centroid costs, sixteenths: a list whose centroid has many cells would
    else be likely for all."""
    beam: int = 8
    """Heads whose centroids are looked at when a cylinder is given its list."""
    large_from: int = 200_000
    """Allowed rows from which effort balanced looks at fewer lists, and counts more rows again."""
    exhaustive_below: int = 4096
    """Up to this many allowed rows every effort compares all of them with the full matcher."""
    scan_below: int = 24576
    """Up to this many allowed rows the first stage visits each of them instead of the lists."""
    subject_exhaustive_below: int = 256
    """The same for several fingers of more than `sure_evidence`."""
    subject_scan_below: int = 4096
    """As `scan_below`, for the same."""
    judge_minutiae: int = 120
    """Probe minutiae that a record must have been held against before it is left out."""
    listed_rows: int = 500
    """Least rows of the records that several fingers are counted on after the lists."""
    listed_share: float = 1 / 100
    """The same as a share of the visible rows."""
    groups_kept: int = 100
    """Least records that the next finger is counted on."""
    sure_evidence: int = 200
    """Number of fingers times their minutiae above which the shortlist gets shorter in
    proportion."""
    groups_unsure: int = 50
    """Least records on the shortlist of several fingers, however many, if they are poor."""
    groups_least: int = 20
    """Least records on the shortlist of a search with several fingers."""
    block_bytes: int = 65536
    """Bytes under one checksum in a segment file."""
    tail_rows: int = 16384
    """Rows kept in memory before they are written as a segment."""
    waiting_most: int = 65536
    """Rows in memory from which an addition waits until they are written."""
    segments_most: int = 8
    """Segments after which the smaller ones are merged."""


@dataclass(frozen=True, slots=True)
class SegmentParameters:
    """The files of an index; no answer depends on them."""

    rows_most: int = 65536
    """Rows that a merge puts into one segment. A removal rewrites the one that holds the row."""
    coded_least: int = 32769
    """Rows from which a segment's are coded (`index._kernels.coding`): 0.7 of the bytes, and 4 us
    more to read one of 38 minutiae."""
    joined_most: int = 4096
    """Rows up to which parts in memory are joined."""
    tail_least: int = 16
    """Rows from which a batch is handed to readers as a file. It takes 69 KB at least, 1 ms to
    write and 1 ms to read; a reader makes the search form of one finger in 0.4 ms, so that single
    enrolments, which would leave a file each, cost all less without."""


@dataclass(frozen=True, slots=True)
class EffortParameters:
    """How far a shortlist looks; no part of what an index stores."""

    lists_share: float
    """Share of the lists that each cylinder of a probe of `IndexParameters.cylinders` looks into;
    those of a smaller probe look into more, of a larger into fewer."""
    lists_least: int
    """Least lists that every probe cylinder looks into."""
    rescored_least: int
    """Least rows whose votes are counted again over all their cylinders."""
    rescored_share: float
    """The same as a share of the allowed rows, for a probe of `IndexParameters.cylinders`; more for
    a smaller one, fewer for a larger."""
    verified_least: int
    """Least rows on the shortlist."""
    verified_share: float
    """The same as a share of the allowed rows."""
    z_least: float = 2.5
    """As `IndexParameters.z_least`, for votes from the lists: chance hits cost time."""


@dataclass(frozen=True, slots=True)
class SyntheticGalleryParameters:
    """Templates without images; calibrated against real prints' scores, see docs/synthetic.md."""

    image_shape: tuple[int, int] = (374, 388)
    """Rows and columns of the imagined image, pixels at 500 ppi."""
    density: float = 5.4e-4
    """Background density of minutiae that the flow does not ask for, per square pixel."""
    density_spread: float = 0.25
    """Its standard deviation over fingers, log units."""
    density_top: float = 2.5e-3
    """Highest density, per square pixel."""
    forced: float = 1.15
    """Weight of the spreading of ridges in where minutiae lie; raised above 1 until the non-mated
    tail was that of real prints."""
    apart: float = 8.0
    """Least distance of two minutiae, pixels."""
    off_flow: float = 0.10
    """Standard deviation of directions about the flow, radians."""
    contact: tuple[float, float] = (112.0, 150.0)
    """Mean half width and half height of the contact region, pixels."""
    contact_spread: float = 0.12
    """Their standard deviation over impressions, log units."""
    glancing_share: float = 0.04
    """Share of impressions that touch a small part only."""
    glancing_scale: float = 0.6
    """Scale of the contact region's sides in those."""
    placement: float = 1.0
    """Scale of translation and rotation, as `Sensor.placement`."""
    distortion: float = 1.0
    """Scale of the skin's movement."""
    cell_noise: float = 0.04
    """Standard deviation of the orientation cells, radians."""
    touch: tuple[float, ...] = (0.08, 1.2, 0.08, 0.65, 0.05, 0.01, 0.15, 0.65, 0.7, 0.6)
    """What an extractor does to the minutiae: see `touch_points` in the kernels for each."""


@dataclass(frozen=True, slots=True)
class SearchParameters:
    """The engine."""

    hit_score: float = 50.0
    """Score from which a candidate is a hit that the partition's owner is told of: one false hit
    in 100 000 non-mated comparisons. Does not depend on what the submitter asks for."""
    threshold: float = 20.0
    """Lowest score of a candidate list that asks for no other: of the comparisons of different
    fingers one in a hundred scores as high, so that 1000 records of one finger list ten by chance.
    What it costs: none of 560 searches of FVC2000 and FVC2002 DB1-4 B loses its mate by it (at
    most 0.7 % with 95 % confidence; 25 would lose 0.2 %, 30 0.4 %), four with the classical
    extractor; 5 of the 180 rolled pairs of sd4 score less, 4 of them less than 10, some of which
    are no pairs. ``benchmarks/list_floor.py`` repeats it."""
    same_finger: float = 50.0
    """Score from which two prints of a submission are of one finger: a note where their labels
    differ, and one finger where labels are disregarded. As rare by chance as `hit_score`."""
    other_finger: float = 10.0
    """Score under which two prints of one label do not resemble each other: 0.25 % of the
    2 420 mated pairs of FVC2000, FVC2002 B and sd4 do not either."""
    envelope_candidates: int = 20
    """Most candidates in an owner's envelope."""
    copy_days: int = 30
    """Days that a copy of an answer waits for its recipient."""
    enrol_batch: int = 256
    """Records committed together by `Engine.enrol`."""
    most_expunged: int = 10_000
    """Records of one `Engine.expunge_many`, all of them or none: some seconds of one transaction,
    for which changes of the gallery wait, and no search."""
    same_person_score: float = 20.0
    """Score below which fingers that are added to a record are reported as not resembling what it
    held. Of 400 mated pairs of FVC2000 DB2_B and DB3_B and FVC2002 DB1_B and DB3_B none lies below,
    of 4 500 non-mated pairs 0.9 % lie above (neural extractor, five impressions of each finger)."""
    paired_candidates: int = 100
    """Most candidates of a partition that bring their paired minutiae, where they are asked for."""
    most_searches: int = 10_000
    """Submissions of one `Engine.search_many`: a night's work, and 200 MB of answers at most."""
    close_seconds: float = 10.0
    """How long a closing engine waits for calls that it has cancelled: a search asks every some
    milliseconds, an enrolment after its batch of 256 records."""
    key_days: int = 30
    """How long the answer of an act under a caller's key is kept, days: who has not repeated a call
    by then will look what became of it."""
    page_records: int = 1000
    """Records that `Engine.records` shows at a time."""
    page_templates: int = 256
    """Records that `Engine.templates` gives at a time: 150 KB of one finger each."""
    search_batch: int = 64
    """Submissions of `Engine.search_many` whose results are held at a time."""
    awake_ms: float = 4.0
    """The end of the wait of an answer that is held, milliseconds, in which the processor is kept
    awake: more than a sleep is late on an idle machine."""
    withheld_ms_most: float = 3_600_000.0
    """Longest time that an answer can be held for, milliseconds: an hour."""


@dataclass(frozen=True, slots=True)
class BulkParameters:
    """Bulk enrolment; each is a guard or a size of a buffer, none is tuned."""

    ahead: int = 128
    """Items that are taken from the source before the first of them is stored: what two processes
    read in two seconds, longer than a batch takes to be stored."""
    handed: int = 2
    """Items that a process is handed at a time, so that it never waits for the next."""
    few: int = 16
    """Items up to which no processes are started where nobody says how many: starting one takes
    as long as reading some ten pictures."""
    item_seconds: float = 300.0
    """Longest time that one item may take: a ten-print card at 1000 ppi takes five."""
    kept_errors: int = 10_000
    """Errors that a report holds; all are counted, and all are written to the rejects."""
    most_workers: int = 256
    """Most processes."""


@dataclass(frozen=True, slots=True)
class FormatParameters:
    """Limits of what is read from interchange formats; each is a guard, none is tuned."""

    max_bytes: int = 1 << 28
    """Largest file read, bytes: a ten-print card at 1000 ppi, uncompressed, takes 100 million."""
    max_minutiae: int = 4096
    """Most minutiae read from one impression; a template keeps 255, a palm has about 1000."""
    max_fields: int = 4096
    """Most fields of one record of a transaction."""
    max_records: int = 1000
    """Most records of one transaction, or views of one record: ten times what two digits can
    number, and more than the 672 representations that ISO/IEC 19794 allows."""
    max_items: int = 65_536
    """Most items of one field of a transaction."""
    xyt_digits: int = 6
    """Longest number in an `.xyt` file, digits."""
    xyt_line: int = 64
    """Longest line in an `.xyt` file on average, bytes."""
    xml_depth: int = 32
    """Deepest nesting of elements in a CBEFF file; MOSIP's have five levels."""
    xml_elements: int = 65_536
    """Most elements of a CBEFF file: those of 1000 records, of which each has about 30."""
    message_bytes: int = 1 << 20
    """Largest ABIS message, bytes: with a gallery of 10 000 references it has 700 000."""
    message_references: int = 10_000
    """Most references in the gallery of an ABIS message."""
    red_score: float = 80.0
    """Score from which a rapid search is answered red: one false candidate in 100 million
    non-mated comparisons, so one in 40 searches of the 2.5 million records that RISC had."""
    yellow_score: float = 50.0
    """Score from which it is answered yellow: that of `SearchParameters.hit_score`."""


@dataclass(frozen=True, slots=True)
class AskingParameters:
    """How long a cluster's host may be silent, seconds. None of them shapes an answer.

    A host is silent from when it is asked, or from when it last answered a ping.
    """

    ping_after: float = 0.15
    """Until it is pinged: over twice a search's median through a cluster on two cores."""
    hedge_after: float = 0.3
    """Until another replica is asked as well: rarer than one search in a hundred without faults
    on a machine with cores to spare."""
    slow_after: float = 2.0
    """Until another replica is asked although the host answers pings: it works, but not well."""
    lost_after: float = 3.0
    """Until it is given up: ten times the time of a hedge. Longer than a thread can be kept off a
    busy core, far shorter than the 65 s after which Ray notices a host that was cut off."""
    again_after: float = 1.0
    """Until a suspect is pinged; doubles with each ping."""
    again_most: float = 30.0
    """Longest time between two pings of a suspect."""
    look_again: float = 0.02
    """How often a search that can be cancelled asks whether it was."""
    head_after: float = 10.0
    """Until the head of Ray counts as lost: it has not said for so long who is there."""
    head_every: float = 1.0
    """Between two questions to the head."""


IMAGE = ImageParameters()
ISOLATION = IsolationParameters()
RIDGES = RidgeParameters()
SLAP = SlapParameters()
TEMPLATE = TemplateParameters()
NEURAL = NeuralParameters()
NEURAL_LARGE = NeuralParameters(model="fpnet-large-4.fpnet")
EXTRACTOR_NAMES = ("neural", "neural-large", "classical")
"""What `extractor=` may be; the first is the default."""
SYNTHETIC = SyntheticParameters()
SYNTHETIC_GALLERY = SyntheticGalleryParameters()
MINUTIAE = MinutiaeParameters()
QUALITY = QualityParameters()
DATABASE = DatabaseParameters()
AUDIT = AuditParameters()
DESCRIPTOR = DescriptorParameters()
MATCHER = MatcherParameters()
SCALE = ScaleParameters()
INDEX = IndexParameters()
SEGMENTS = SegmentParameters()
EFFORT_FAST = EffortParameters(1 / 256, 4, 1000, 1 / 1000, 100, 1 / 5000)
EFFORT_BALANCED = EffortParameters(1 / 48, 8, 4000, 1 / 125, 300, 1 / 2500)
EFFORT_BALANCED_LARGE = EffortParameters(1 / 96, 8, 4000, 1 / 50, 300, 1 / 2500)
EFFORT_SCAN = EffortParameters(1.0, 0, 0, 0.0, 300, 1 / 1000)
SEARCH = SearchParameters()
CALIBRATION = CalibrationParameters()
EVALUATE = EvaluateParameters()
BULK = BulkParameters()
FORMATS = FormatParameters()
ASKING = AskingParameters()


def digest(*sections: Any) -> str:
    """SHA-256 over the given parameter sections, as 16 hexadecimal digits."""
    payload = [[type(s).__name__, dataclasses.asdict(s)] for s in sections]
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
