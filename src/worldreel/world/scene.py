"""A scene is a value: everything that a clip will show, before it is simulated."""

import hashlib
from dataclasses import asdict, dataclass
from typing import Any, Literal

from worldreel.world.camera import Camera
from worldreel.world.vocabulary import (
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
        scale: of its size; above 1 only beyond the training's world.
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
    scale: float = 1.0

    @property
    def radius(self) -> float:
        """Nominal radius in metres."""
        return SIZES[self.size] * self.scale


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
