"""From the track of a ball to a smooth path in metres, and the curves that the laws fit to it.

Every event of the simulated world happens in one upright plane that the camera sees from the
front. A ball's depth is therefore not read frame by frame: the plane is fitted to the apparent
sizes of all frames at once, and the ball's place in it then follows from its centre alone.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from worldreel.evaluate.observe import Observation
from worldreel.evaluate.tracks import Track
from worldreel.world.scene import Thing
from worldreel.world.shapes import extent
from worldreel.world.vocabulary import COLORS

MIN_FRAMES = 8
"""An object that is seen whole in fewer frames is not followed."""

MIN_FIT_FRAMES = 4
"""A curve with three unknowns is not fitted to fewer frames."""

MAX_SHARE_TWICE = 0.3
"""A colour seen in two places in more than this share of frames is no single object."""

TWICE_AREA = 0.5
"""A second region of a colour is a second object from this share of the first one's area on;
smaller ones are speckle, as where a bright horizon looks white."""

MAX_SIZE_SPREAD = 0.15
"""A thing whose apparent radius strays more than this from any ball in a plane is no ball."""

PLANE_SLOPE = math.tan(math.radians(3))
"""Standard deviation of the slope of the plane of motion: cameras stand up to 5 degrees askew."""

NUM_EDGE_FRAMES = 12
NUM_EDGE_RAYS = 30
NUM_EDGE_STEPS = 40

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Path:
    """Where something is in the plane in which it moves; all arrays are ``(t,)``.

    Args:
        time_s: of each frame.
        along: metres to the right along the plane, from straight ahead of the eye; nan where
            it is not seen whole. height: metres above the eye, likewise.
    """

    time_s: Floats
    along: Floats
    height: Floats

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Frames in which it is seen whole."""
        return np.isfinite(self.along)


def followed(observation: Observation, track: Track) -> NDArray[np.bool_] | None:
    """The frames ``(t,)`` in which a track shows one object, whole and of its usual size.

    None where there are fewer than `MIN_FRAMES` of them, or where two objects have this colour.
    """
    whole = np.flatnonzero(track.whole)
    if len(whole) < MIN_FRAMES:
        return None
    usual = float(np.median(track.num_pixels[whole]))
    # of another size is what else has the colour, after the object has left
    frames = whole[np.abs(np.log(track.num_pixels[whole] / usual)) < math.log(2)]
    if len(frames) < MIN_FRAMES:
        return None
    number = 1 + list(COLORS).index(track.color)
    regions: NDArray[np.int32] = np.empty(observation.classes.shape[1:], np.int32)
    num_twice = 0
    for t in frames[track.num_parts[frames] > 1]:
        ndimage.label(observation.classes[t] == number, output=regions)
        second, first = np.sort(np.bincount(regions.ravel())[1:])[-2:]
        num_twice += second >= TWICE_AREA * first
    if num_twice > MAX_SHARE_TWICE * len(frames):
        return None
    kept = np.zeros(len(track.x), bool)
    kept[frames] = True
    return kept


@lru_cache(maxsize=8)  # several laws ask for the balls of one clip
def ball_points(observation: Observation, ball: Thing) -> Floats | None:
    """Places ``t 3`` of a ball in metres, frame by frame, each with its own depth; nan where it
    is not seen whole. None where no single object of its colour is seen."""
    track = observation.tracks[ball.color]
    frames = followed(observation, track)
    if frames is None:
        return None
    ratio = edge_ratio(observation.frames, track, np.flatnonzero(frames))
    points = observation.lens.lift_ball(track, ball.radius) / ratio
    return np.where(frames[:, None], points, np.nan)


def standing_points(observation: Observation, thing: Thing, event: str) -> Floats | None:
    """As `ball_points`, of a cylinder or a cone that stands: its axis, level with its centroid;
    its depth from the lowest pixel, which is the nearest point of its base on the floor."""
    track, lens = observation.tracks[thing.color], observation.lens
    frames = followed(observation, track)
    if frames is None:
        return None
    eye = lens.eye_height_m(event)
    depth = (
        lens.lift_to_floor(track.x, track.bottom, eye)[:, 1]
        + extent(thing.shape, thing.radius).radius
    )
    rays = lens.rays(track.x, track.y)
    points = rays * (depth / rays[:, 1])[:, None]
    return np.where(frames[:, None], points, np.nan)


def plane_path(
    observation: Observation, points: Floats | None, fitted: slice = slice(None)
) -> Path | None:
    """The path of something in the upright plane that explains its depths best.

    Args:
        points: ``t 3`` in metres, nan where there is none; None gives None.
        fitted: the frames to which the plane is fitted.

    Returns:
        None where fewer than `MIN_FIT_FRAMES` frames are left, or where the depths stray from
        any plane.
    """
    if points is None:
        return None
    x, y, z = points.T
    with np.errstate(invalid="ignore", divide="ignore"):
        sideways, upwards, inverse_depth = x / y, z / y, 1 / y
    good = np.isfinite(inverse_depth) & (y > 0)
    chosen = np.zeros(len(good), bool)
    chosen[fitted] = good[fitted]
    if np.count_nonzero(chosen) < MIN_FIT_FRAMES:
        return None
    level, slope = _plane(sideways[chosen], inverse_depth[chosen])
    expected = level + slope * sideways
    stray = np.abs(inverse_depth / expected - 1)[chosen]
    if float(np.nanmin(expected)) <= 0 or float(np.median(stray)) > MAX_SIZE_SPREAD:
        return None
    depth = np.where(good, 1 / expected, np.nan)
    return Path(
        time_s=observation.time_s,
        along=depth * sideways * math.hypot(1, slope / level),
        height=depth * upwards,
    )


def ball_path(observation: Observation, ball: Thing) -> Path | None:
    """The path of a ball through the whole clip, or None where no single such ball is seen."""
    return plane_path(observation, ball_points(observation, ball))


def _plane(sideways: Floats, inverse_depth: Floats) -> tuple[float, float]:
    """Inverse depth as a line over ``sideways``, which is what an upright plane is in
    perspective: robust (Huber weights), and level unless the sizes say otherwise."""
    level, slope = float(np.median(inverse_depth)), 0.0
    for _ in range(5):
        residual = inverse_depth - level - slope * sideways
        scale = max(1.4826 * float(np.median(np.abs(residual))), 0.002 * level)
        weight = 1 / np.maximum(1, np.abs(residual) / (1.5 * scale))
        # a plane askew by tan(a) has inverse depth (1 - tan(a) sideways) / depth; one frame in
        # five counts as independent, for the errors of apparent size are not
        prior = 5 * (scale / (PLANE_SLOPE * level)) ** 2
        rows = np.stack([np.ones_like(sideways), sideways], axis=1)
        normal = rows.T @ (weight[:, None] * rows) + np.diag([0.0, prior])
        level, slope = (
            float(v) for v in np.linalg.solve(normal, rows.T @ (weight * inverse_depth))
        )
    return level, slope


def edge_ratio(frames: NDArray[np.uint8], track: Track, whole: NDArray[np.int64]) -> float:
    """True over segmented radius of a ball in the frames number ``whole`` of ``t h w 3``; 1 where
    its rim is no circle.

    Segmentation loses the mixed pixels of the rim, and more of them for some colours than for
    others; the rim itself is where the colour changes fastest along a ray from the centre.
    """
    picked = whole[np.linspace(0, len(whole) - 1, NUM_EDGE_FRAMES).round().astype(int)]
    radius = np.sqrt(track.num_pixels[picked] / math.pi)[:, None]
    # upwards only: below, the shadow on the floor has an edge of its own
    angle = math.radians(-190) + math.radians(200) * np.arange(NUM_EDGE_RAYS) / NUM_EDGE_RAYS
    steps = radius + np.linspace(-1, 1, NUM_EDGE_STEPS) * (0.25 * radius + 1)  # f s
    rows = track.y[picked, None, None] - 0.5 + np.sin(angle)[:, None] * steps[:, None]  # f r s
    columns = track.x[picked, None, None] - 0.5 + np.cos(angle)[:, None] * steps[:, None]
    seen = ndimage.gaussian_filter1d(_between_pixels(frames[picked], rows, columns), 1.2, axis=2)
    fastest = np.sum(np.diff(seen, axis=2) ** 2, axis=-1).argmax(axis=2)  # f r
    middle = 0.5 * (steps[:, :-1] + steps[:, 1:])
    rim = np.take_along_axis(middle, fastest, axis=1)
    ratio = float(np.median(_rim_radius(rim, angle) / radius[:, 0]))
    return ratio if 0.85 < ratio < 1.25 else 1.0


def _between_pixels(frames: NDArray[np.uint8], rows: Floats, columns: Floats) -> Floats:
    """Colours ``f r s 3`` of frames ``f h w 3`` at rows and columns ``f r s``, bilinear."""
    _, height, width, _ = frames.shape
    rows, columns = np.clip(rows, 0, height - 1.001), np.clip(columns, 0, width - 1.001)
    top, left = rows.astype(int), columns.astype(int)
    down, right = (rows - top)[..., None], (columns - left)[..., None]
    frame = np.arange(len(frames))[:, None, None]
    upper = (1 - right) * frames[frame, top, left] + right * frames[frame, top, left + 1]
    lower = (1 - right) * frames[frame, top + 1, left] + right * frames[frame, top + 1, left + 1]
    return (1 - down) * upper + down * lower


def _rim_radius(rim: Floats, angle: Floats) -> Floats:
    """Radii ``f`` of the circles through points ``f r`` at these angles, without outliers."""
    x, y = rim * np.cos(angle), rim * np.sin(angle)
    rows = np.stack([x, y, np.ones_like(x)], axis=-1)  # f r 3
    keep = np.ones_like(x)
    radius = np.median(rim, axis=1)
    for _ in range(3):
        weighted = rows * keep[..., None]
        normal = np.einsum("fri,frj->fij", weighted, rows) + 1e-9 * np.eye(3)
        moment = np.einsum("fri,fr->fi", weighted, x**2 + y**2)
        a, b, c = np.linalg.solve(normal, moment[..., None])[..., 0].T  # Kåsa's circle
        radius = np.sqrt(np.maximum(c + (a**2 + b**2) / 4, 0))
        off = np.abs(np.hypot(x - a[:, None] / 2, y - b[:, None] / 2) - radius[:, None])
        spread = 1.4826 * np.median(off, axis=1, keepdims=True)
        keep = (off <= np.maximum(0.75, 2.5 * spread)).astype(np.float64)
    return radius


def circle(x: Floats, y: Floats) -> tuple[float, float, float]:
    """Centre and radius of the circle nearest to points ``(n,)`` (Kåsa's algebraic fit)."""
    rows = np.stack([x, y, np.ones_like(x)], axis=1)
    a, b, c = np.linalg.lstsq(rows, x**2 + y**2, rcond=None)[0]
    return float(a / 2), float(b / 2), math.sqrt(max(float(c + (a**2 + b**2) / 4), 0.0))
