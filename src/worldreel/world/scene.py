"""A scene is a value: everything that a clip will show, before it is simulated."""

import hashlib
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from worldreel.core.randomness import numpy_generator
from worldreel.world.camera import Camera
from worldreel.world.vocabulary import (
    BACKGROUNDS,
    CAMERAS,
    COLORS,
    CUTS,
    EVENTS,
    FLOORS,
    SHAPES,
    SIZES,
)

FPS = 12
NUM_FRAMES = 48
HELD_OUT_SHARE = 0.06

Split = Literal["train", "held_out"]
Vec3 = tuple[float, float, float]
Quat = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class Thing:
    """One object and how it starts.

    Args:
        shape, color, size: words of `worldreel.world.vocabulary`.
        role: ``actor`` (does the event), ``partner`` (is hit, or belongs to the
            stack) or ``bystander`` (rests beside it).
        position: centre of mass, metres. rotation: unit quaternion w x y z.
        velocity: metres per second. spin: radians per second.
        restitution: speed after over speed before a bounce, in [0, 1).
        friction: Coulomb coefficient. rolling_friction: its arm when rolling, metres.
        string_m: length of the string that it hangs from; 0 when it is free.
    """

    shape: str
    color: str
    size: str
    role: str
    position: Vec3
    rotation: Quat = (1.0, 0.0, 0.0, 0.0)
    velocity: Vec3 = (0.0, 0.0, 0.0)
    spin: Vec3 = (0.0, 0.0, 0.0)
    restitution: float = 0.1
    friction: float = 0.8
    rolling_friction: float = 0.0002
    string_m: float = 0.0
    string_angle: float = 0.0

    @property
    def radius(self) -> float:
        """Nominal radius in metres."""
        return SIZES[self.size]


@dataclass(frozen=True, kw_only=True)
class Prop:
    """A fixed part of the set: ``ramp``, ``wall`` or ``post``.

    Args:
        position: metres; a ramp's is its tall end on the floor, a wall's its centre.
        size: wall: half sizes; post: reach, depth, height; a ramp's is `variant`.
        facing: +1 descends or reaches to the right, -1 to the left.
        variant: number of the ramp in `worldreel.world.shapes.RAMPS`.
    """

    kind: str
    position: Vec3
    size: Vec3 = (0.0, 0.0, 0.0)
    facing: int = 1
    variant: int = 0


@dataclass(frozen=True, kw_only=True)
class Shot:
    """Frames ``start`` to ``stop`` (exclusive) seen through one camera."""

    start: int
    stop: int
    camera: Camera
    cut: str = ""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What one clip shows. Equal scenes give equal clips, to the byte."""

    seed: int
    event: str
    side: str
    things: tuple[Thing, ...]
    props: tuple[Prop, ...]
    floor: str
    background: str
    light_azimuth: float
    shots: tuple[Shot, ...]
    fps: int = FPS
    num_frames: int = NUM_FRAMES

    def to_dict(self) -> dict[str, Any]:
        """The scene in JSON types."""
        return asdict(self)

    @property
    def actors(self) -> tuple[Thing, ...]:
        """The objects that the event is about, first the one that moves."""
        return tuple(thing for thing in self.things if thing.role != "bystander")

    @property
    def held_out(self) -> bool:
        """Whether its combination of colour, shape, event and floor is kept from training."""
        return any(
            is_held_out(thing.color, thing.shape, self.event, self.floor) for thing in self.actors
        )


def is_held_out(color: str, shape: str, event: str, floor: str) -> bool:
    """A fixed `HELD_OUT_SHARE` of all combinations, the same for ever."""
    digest = hashlib.sha256(f"{color}/{shape}/{event}/{floor}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32 < HELD_OUT_SHARE


EVENT_SHARES = (0.18, 0.12, 0.11, 0.12, 0.12, 0.07, 0.07, 0.07, 0.07, 0.07)
"""How often each of `EVENTS` is drawn."""

FORBIDDEN = {("white", "snow"), ("green", "grass"), ("blue", "tiles"), ("black", "night")}
"""Colours that would be lost on their floor."""


class Casting:
    """Draws the attributes that a scene is made of, none of them invisible on its floor."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.floor = self.pick(tuple(FLOORS))
        self.background = self.pick(tuple(BACKGROUNDS), (0.6, 0.2, 0.2))
        self._used: set[str] = set()

    def pick(self, options: tuple[str, ...], weights: tuple[float, ...] | None = None) -> str:
        """One of ``options``."""
        return options[int(self.rng.choice(len(options), p=weights))]

    def uniform(self, low: float, high: float) -> float:
        """A number between ``low`` and ``high``."""
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float) -> bool:
        """True with ``probability``."""
        return bool(self.rng.random() < probability)

    def color(self) -> str:
        """A colour that no other object of the scene has and that the floor does not hide."""
        free = [
            c
            for c in COLORS
            if c not in self._used
            and (c, self.floor) not in FORBIDDEN
            and (c, self.background) not in FORBIDDEN
        ]
        color = self.pick(tuple(free))
        self._used.add(color)
        return color

    def size(self) -> str:
        """A size, the medium one most often."""
        return self.pick(tuple(SIZES), (0.25, 0.5, 0.25))

    def shape(self, among: tuple[str, ...] = SHAPES) -> str:
        """A shape."""
        return self.pick(among)


def sample_scene(seed: int, *, split: Split = "train", event: str | None = None) -> Scene:
    """A scene drawn from ``seed``; the same arguments give the same scene for ever.

    Args:
        seed: any whole number.
        split: ``train`` never shows a held-out combination, ``held_out`` always does.
        event: one of `worldreel.world.vocabulary.EVENTS`, or any of them.
    """
    from worldreel.world.events import stage

    attempt = 0
    while True:
        casting = Casting(numpy_generator(seed, "scene", split, attempt))
        attempt += 1
        name = event or casting.pick(EVENTS, EVENT_SHARES)
        things, props, side = stage(name, casting)
        scene = Scene(
            seed=seed,
            event=name,
            side=side,
            things=things,
            props=props,
            floor=casting.floor,
            background=casting.background,
            light_azimuth=casting.uniform(0, 360),
            shots=_shots(name, casting),
        )
        if scene.held_out == (split == "held_out"):
            return scene


def _shots(event: str, casting: Casting) -> tuple[Shot, ...]:
    move = casting.pick(CAMERAS, (0.46, 0.09, 0.09, 0.09, 0.09, 0.09, 0.09))
    first = Camera(
        move=move,
        lookat=(0.0, 0.0, 0.85 if event in ("fall", "throw", "swing") else 0.6),
        distance=casting.uniform(3.3, 3.8),
        azimuth=90 + casting.uniform(-5, 5),
        elevation=casting.uniform(-22, -13),
    )
    if event != "occlude" and casting.chance(0.1):
        cut = casting.pick(CUTS)
        still = replace(first, move="still")
        second = {
            "close-up": replace(still, distance=2.3, lookat=(0.0, 0.0, 0.4)),
            "left": replace(still, azimuth=90 - casting.uniform(55, 70)),
            "right": replace(still, azimuth=90 + casting.uniform(55, 70)),
            "above": replace(still, elevation=-casting.uniform(60, 68), lookat=(0, 0, 0.2)),
        }[cut]
        middle = NUM_FRAMES // 2
        return (
            Shot(start=0, stop=middle, camera=still),
            Shot(start=middle, stop=NUM_FRAMES, camera=second, cut=cut),
        )
    return (Shot(start=0, stop=NUM_FRAMES, camera=first),)
