"""The coloured regions of a clip, all of them and not only the largest, and their courses.

What the laws of coherence need beyond `worldreel.evaluate.tracks`: objects that split, appear
and vanish. Specks, fringes and scenery that only looks like an object are left out.
"""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from worldreel.evaluate.observe import Observation
from worldreel.evaluate.tracker import cells, color_distance, floor_distance
from worldreel.evaluate.tracks import Track, track
from worldreel.world.scene import Scene
from worldreel.world.textures import backdrop_colors, sky_colors
from worldreel.world.vocabulary import COLORS

MIN_REGION_PIXELS = 30
"""Smaller ones are specks and fringes."""

BRIDGE_PX = 2
"""Parts closer together than twice this are one object behind something thin, as a string."""

WHITE_AT_LEAST = 164
"""On gray concrete only what is brighter (of 255) than any of its tiles is surely white."""

SEEN_SHARE = {
    "red": 0.967,
    "orange": 0.974,
    "yellow": 1.008,
    "green": 0.992,
    "cyan": 1.004,
    "blue": 0.954,
    "purple": 0.956,
    "pink": 0.980,
    "white": 0.955,
    "black": 0.870,
}
"""Pixels that the tracker finds of a ball of each colour over pixels that it covers."""

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

_FLAT = np.zeros((3, 3, 3), bool)
_FLAT[1] = ndimage.generate_binary_structure(2, 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Region:
    """One region in one frame: pixels, the box's right and bottom exclusive."""

    frame: int
    x: float
    y: float
    num_pixels: int
    left: int
    right: int
    top: int
    bottom: int
    pixels: Booleans
    """Which pixels of the box belong to it."""

    @property
    def box(self) -> Floats:
        """Left, top, right and bottom."""
        return np.array([self.left, self.top, self.right, self.bottom], np.float64)

    def at_edge(self, height: int, width: int) -> bool:
        """Whether the picture may cut it off."""
        return (
            self.left <= 1 or self.top <= 1 or self.right >= width - 1 or self.bottom >= height - 1
        )


@dataclass(kw_only=True, eq=False)
class Course:
    """One object's regions, at most one a frame, as time goes on."""

    color: str
    regions: list[Region] = field(default_factory=list)

    @property
    def first(self) -> Region:
        """Where it begins."""
        return self.regions[0]

    @property
    def last(self) -> Region:
        """Where it ends."""
        return self.regions[-1]


@lru_cache(maxsize=2)
def clean_classes(observation: Observation) -> NDArray[np.uint8]:
    """`Observation.classes` ``t h w`` without the white that may be scenery.

    Snow is white, so are the bright tiles of concrete in some of the light, and the horizon.
    """
    white = observation.classes == 1 + list(COLORS).index("white")
    kept = white & grown(shrunk(white))  # the horizon is a bright line
    if observation.floor == "snow":
        kept[:] = False
    elif observation.floor == "concrete":
        kept &= observation.frames.max(axis=-1) >= WHITE_AT_LEAST
    return np.where(white & ~kept, 0, observation.classes).astype(np.uint8)


@lru_cache(maxsize=16)
def clean_track(observation: Observation, color: str) -> Track:
    """As `Observation.tracks`, on `clean_classes`."""
    if color != "white":
        return observation.tracks[color]
    return track(clean_classes(observation), color)


def seen_in_full(color: str, floor: str) -> bool:
    """Whether an object's area tells its size: white on gray concrete is found in part only."""
    return not (color == "white" and floor == "concrete")


def lift_ball(observation: Observation, color: str, radius_m: float) -> Floats:
    """As `Lens.lift_ball`, of a clean track and for how much of its colour is found."""
    ball = clean_track(observation, color)
    return observation.lens.lift_ball(ball, radius_m * np.sqrt(SEEN_SHARE[color]))


@lru_cache(maxsize=len(COLORS))
def _set_table(floor: str) -> Booleans:
    """Which coarse colours, ``LEVELS LEVELS LEVELS``, are rather the set's than any scenery's."""
    skies = sky_colors()
    scenery = np.minimum(floor_distance(floor), color_distance(skies))
    return color_distance(backdrop_colors()[len(skies) :]) < scenery


def has_wall(scene: Scene) -> bool:
    """Whether a wall was asked for: of the set it alone hides things; a ramp bears them."""
    return any(prop.kind == "wall" for prop in scene.props)


@lru_cache(maxsize=2)
def wall(observation: Observation) -> Booleans | None:
    """Pixels ``h w`` of the largest part of the set that stands still; None if there is none."""
    seen = _set_table(observation.floor)[cells(observation.frames[::3])]
    seen &= observation.classes[::3] == 0
    still = ndimage.binary_opening(seen.mean(axis=0) > 0.5, iterations=2)
    parts: NDArray[np.int32] = np.empty(still.shape, np.int32)
    if not ndimage.label(still, output=parts):
        return None
    sizes = np.bincount(parts.ravel())[1:]
    return parts == 1 + sizes.argmax() if sizes.max() >= MIN_REGION_PIXELS else None


def shift(mask: Booleans, down: int, right: int) -> Booleans:
    """``mask`` ``... h w`` moved by whole pixels; what comes in is False."""
    moved = np.zeros_like(mask)
    height, width = mask.shape[-2:]
    to_y, to_x = (
        slice(max(down, 0), height + min(down, 0)),
        slice(max(right, 0), width + min(right, 0)),
    )
    from_y = slice(max(-down, 0), height + min(-down, 0))
    from_x = slice(max(-right, 0), width + min(-right, 0))
    moved[..., to_y, to_x] = mask[..., from_y, from_x]
    return moved


def grown(mask: Booleans) -> Booleans:
    """``mask`` ``... h w`` and its four neighbours."""
    return mask | shift(mask, 1, 0) | shift(mask, -1, 0) | shift(mask, 0, 1) | shift(mask, 0, -1)


def shrunk(mask: Booleans) -> Booleans:
    """Pixels of ``mask`` ``... h w`` whose four neighbours belong to it too."""
    return mask & shift(mask, 1, 0) & shift(mask, -1, 0) & shift(mask, 0, 1) & shift(mask, 0, -1)


@lru_cache(maxsize=2)
def regions(observation: Observation) -> dict[str, list[list[Region]]]:
    """The regions of every colour by frame, the largest first."""
    classes = clean_classes(observation)
    counts = np.bincount(classes.ravel(), minlength=len(COLORS) + 1)
    found: dict[str, list[list[Region]]] = {}
    for number, color in enumerate(COLORS, start=1):
        found[color] = [[] for _ in range(len(classes))]
        if counts[number] >= MIN_REGION_PIXELS:
            _collect(classes == number, found[color])
    return found


def _collect(wanted: Booleans, by_frame: list[list[Region]]) -> None:
    solid = grown(shrunk(wanted))  # without lines and specks
    solid &= wanted
    near = solid
    for _ in range(BRIDGE_PX):
        near = grown(near)
    parts: NDArray[np.int32] = np.empty(near.shape, np.int32)
    ndimage.label(near, structure=_FLAT, output=parts)
    parts[~solid] = 0
    for number, place in enumerate(ndimage.find_objects(parts), start=1):
        if place is None:
            continue
        frame, pixels = place[0].start, parts[place][0] == number
        num_pixels = int(pixels.sum())
        if num_pixels < MIN_REGION_PIXELS:
            continue
        rows, columns = np.nonzero(pixels)
        by_frame[frame].append(
            Region(
                frame=frame,
                x=place[2].start + columns.mean() + 0.5,
                y=place[1].start + rows.mean() + 0.5,
                num_pixels=num_pixels,
                left=place[2].start,
                right=place[2].stop,
                top=place[1].start,
                bottom=place[1].stop,
                pixels=pixels,
            )
        )
    for here in by_frame:
        here.sort(key=lambda region: -region.num_pixels)


LOST_FRAMES = 2
"""An object may be missed for this long and still be the same."""


@lru_cache(maxsize=2)
def courses(observation: Observation) -> list[Course]:
    """Regions joined over time: colour by colour, each to the nearest one within reach."""
    every: list[Course] = []
    for color, by_frame in regions(observation).items():
        live: list[Course] = []
        for frame, here in enumerate(by_frame):
            live = [course for course in live if frame - course.last.frame <= 1 + LOST_FRAMES]
            pairs = [
                (_reach(course, region), i, j)
                for i, course in enumerate(live)
                for j, region in enumerate(here)
            ]
            taken: set[int] = set()
            grown_on: set[int] = set()
            for reach, i, j in sorted(pairs):
                if reach <= 1 and i not in grown_on and j not in taken:
                    live[i].regions.append(here[j])
                    grown_on.add(i)
                    taken.add(j)
            begun = [Course(color=color, regions=[r]) for j, r in enumerate(here) if j not in taken]
            live += begun
            every += begun
    return every


def _reach(course: Course, region: Region) -> float:
    """How far ``region`` is from where the course could be by then, 1 at the limit."""
    last = course.last
    frames = region.frame - last.frame
    velocity = speed(course.regions[-2:])
    moved = np.array([region.x - last.x, region.y - last.y])
    # it goes on, or something stops it
    off = min(np.linalg.norm(moved - frames * velocity), np.linalg.norm(moved))
    size = np.sqrt(max(region.num_pixels, last.num_pixels))
    # a fall or a bounce changes the place by up to the object's own size in a frame
    return float(off / (8 + 1.2 * size))


def speed(two: list[Region]) -> Floats:
    """Pixels per frame between the first and the last, ``(2,)``; zero for one alone."""
    if len(two) < 2:
        return np.zeros(2)
    a, b = two[0], two[-1]
    return np.array([b.x - a.x, b.y - a.y]) / (b.frame - a.frame)
