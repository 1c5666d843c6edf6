"""The events: how the objects of a scene start, so that physics does the rest."""

import math
from collections.abc import Callable

from worldreel.world.casting import Casting
from worldreel.world.scene import Prop, Quat, Thing, Vec3
from worldreel.world.shapes import RAMPS, extent, standing_height
from worldreel.world.vocabulary import SIZES

Staged = tuple[tuple[Thing, ...], tuple[Prop, ...], str]

ROLLING = ("ball", "cylinder", "capsule")
SLIDING = ("cube", "cylinder", "cone")
STACKING = ("cube", "cylinder")


def stage(event: str, casting: Casting) -> Staged:
    """Objects, props and the side (``left``, ``right`` or none) for ``event``."""
    return _STAGES[event](casting)


def _yaw(angle: float) -> Quat:
    return (math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2))


def _multiply(a: Quat, b: Quat) -> Quat:
    aw, ax, ay, az = a
    bw, bx, by, bz = b
    return (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )


LYING_ALONG_Y: Quat = (math.cos(math.pi / 4), math.sin(math.pi / 4), 0.0, 0.0)
LYING_ALONG_X: Quat = (math.cos(math.pi / 4), 0.0, math.sin(math.pi / 4), 0.0)


def _side(casting: Casting) -> tuple[str, int]:
    return ("right", 1) if casting.chance(0.5) else ("left", -1)


def _resting(casting: Casting, x: float, y: float, role: str) -> Thing:
    """An object that stands (a capsule: lies) on the floor at ``x``, ``y``."""
    shape, size = casting.shape(), casting.size()
    lying = shape == "capsule"
    rotation = LYING_ALONG_X if lying else _yaw(casting.uniform(-0.6, 0.6))
    return Thing(
        shape=shape,
        color=casting.color(),
        size=size,
        role=role,
        position=(x, y, standing_height(shape, SIZES[size], lying=lying)),
        rotation=rotation,
    )


def _bystanders(
    casting: Casting, taken: list[float], y: float = 0.55, most: int = 2
) -> tuple[Thing, ...]:
    """None to ``most`` objects at rest, behind the action and away from ``taken`` (x, metres)."""
    wanted = min(int(casting.rng.choice(3, p=(0.62, 0.28, 0.10))), most)
    free = [x for x in (-0.95, 0.0, 0.95) if all(abs(x - other) > 0.6 for other in taken)]
    chosen = casting.rng.permutation(len(free))[:wanted]
    return tuple(
        _resting(casting, free[i] + casting.uniform(-0.15, 0.15), y, "bystander") for i in chosen
    )


def _moving(
    casting: Casting,
    shapes: tuple[str, ...],
    position: Callable[[float], Vec3],
    *,
    velocity: Vec3 = (0.0, 0.0, 0.0),
    restitution: float = 0.1,
    friction: float = 0.8,
    rolling: bool = False,
    role: str = "actor",
) -> Thing:
    """An object whose centre starts at ``position(height of its centre when at rest)``."""
    shape, size = casting.shape(shapes), casting.size()
    lying = shape == "capsule" or (rolling and shape == "cylinder")
    if lying and rolling:
        rotation = LYING_ALONG_Y
    elif lying:
        rotation = _multiply(_yaw(casting.uniform(-0.8, 0.8)), LYING_ALONG_X)
    else:
        rotation = _yaw(casting.uniform(-0.7, 0.7))
    reach = extent(shape, SIZES[size]).radius
    return Thing(
        shape=shape,
        color=casting.color(),
        size=size,
        role=role,
        position=position(standing_height(shape, SIZES[size], lying=lying)),
        rotation=rotation,
        velocity=velocity,
        spin=(0.0, velocity[0] / reach, 0.0) if rolling else (0.0, 0.0, 0.0),
        restitution=restitution,
        friction=friction,
    )


def _fall(casting: Casting) -> Staged:
    x = casting.uniform(-0.9, 0.9)
    height = casting.uniform(1.1, 1.9)
    actor = _moving(
        casting,
        ("ball", "ball", "cube", "cylinder", "capsule", "cone"),
        lambda rest: (x, casting.uniform(-0.2, 0.3), rest + height),
        restitution=casting.uniform(0.55, 0.8),
    )
    return (actor, *_bystanders(casting, [x])), (), ""


def _roll(casting: Casting) -> Staged:
    side, sign = _side(casting)
    speed = casting.uniform(0.6, 1.1)
    actor = _moving(
        casting,
        ("ball", *ROLLING),
        lambda rest: (-sign * casting.uniform(0.75, 1.05), casting.uniform(-0.35, -0.05), rest),
        velocity=(sign * speed, 0.0, 0.0),
        rolling=True,
    )
    return (actor, *_bystanders(casting, [])), (), side


def _slide(casting: Casting) -> Staged:
    side, sign = _side(casting)
    friction = casting.uniform(0.12, 0.3)
    distance = casting.uniform(0.9, 1.9)
    actor = _moving(
        casting,
        SLIDING,
        lambda rest: (-sign * casting.uniform(0.7, 1.0), casting.uniform(-0.35, -0.05), rest),
        velocity=(sign * math.sqrt(2 * friction * 9.81 * distance), 0.0, 0.0),
        friction=friction,
    )
    return (actor, *_bystanders(casting, [])), (), side


def _throw(casting: Casting) -> Staged:
    side, sign = _side(casting)
    actor = _moving(
        casting,
        ("ball", "ball", "cube", "cylinder", "capsule", "cone"),
        lambda rest: (-sign * casting.uniform(0.8, 1.05), casting.uniform(-0.3, 0.1), rest + 0.05),
        velocity=(sign * casting.uniform(0.9, 1.5), 0.0, casting.uniform(4.0, 5.2)),
        restitution=casting.uniform(0.4, 0.65),
        friction=0.6,
    )
    return (actor, *_bystanders(casting, [-sign * 0.95])), (), side


def _collide(casting: Casting) -> Staged:
    side, sign = _side(casting)
    y = casting.uniform(-0.15, 0.2)
    rolling = casting.chance(0.6)
    friction = casting.uniform(0.1, 0.2)
    speed = casting.uniform(1.1, 1.7) if rolling else casting.uniform(2.0, 2.5)
    actor = _moving(
        casting,
        ("ball",) if rolling else SLIDING,
        lambda rest: (-sign * casting.uniform(0.85, 1.05), y, rest),
        velocity=(sign * speed, 0.0, 0.0),
        rolling=rolling,
        friction=0.8 if rolling else friction,
        restitution=0.5,
    )
    partner = _moving(
        casting,
        ("ball", "cube", "cylinder", "cone"),
        lambda rest: (sign * casting.uniform(0.0, 0.3), y + casting.uniform(-0.04, 0.04), rest),
        friction=casting.uniform(0.15, 0.35),
        restitution=0.5,
        role="partner",
    )
    return (actor, partner, *_bystanders(casting, [sign * 0.95], y=0.75, most=1)), (), side


def _topple(casting: Casting) -> Staged:
    side, sign = _side(casting)
    x, y = casting.uniform(-0.45, 0.45), casting.uniform(-0.1, 0.3)
    size = casting.pick(("small", "medium"))
    r = SIZES[size]
    height, lean, things = 0.0, 0.0, []
    for level in range(3 if casting.chance(0.5) else 2):
        shape = casting.shape(STACKING)
        half = extent(shape, r)
        things.append(
            Thing(
                shape=shape,
                color=casting.color(),
                size=size,
                role="partner" if level else "actor",
                position=(x + sign * lean, y, height + half.half_height),
                velocity=(sign * 0.7 * level, 0.0, 0.0),
                restitution=0.15,
                friction=0.9,
            )
        )
        height += 2 * half.half_height + 0.001
        lean += half.radius * casting.uniform(0.88, 1.0)
    return tuple(things), (), side


def _swing(casting: Casting) -> Staged:
    _, sign = _side(casting)
    string, top = casting.uniform(0.9, 1.25), 1.85
    angle = sign * casting.uniform(0.55, 0.95)
    x = casting.uniform(-0.3, 0.3)
    shape, size = casting.shape(("ball", "ball", "cube", "cylinder", "cone")), casting.size()
    bob = Thing(
        shape=shape,
        color=casting.color(),
        size=size,
        role="actor",
        position=(x + string * math.sin(angle), 0.0, top - string * math.cos(angle)),
        string_m=string,
        string_angle=angle,
    )
    facing = 1 if casting.chance(0.5) else -1
    post = Prop(kind="post", position=(x, 0.35, 0.0), size=(0.8, 0.35, top), facing=facing)
    return (bob, *_bystanders(casting, [x, -1.0 * facing], y=0.7)), (post,), ""


def _ramp(casting: Casting) -> Staged:
    side, sign = _side(casting)
    variant = int(casting.rng.integers(len(RAMPS)))
    length, height = RAMPS[variant]
    start = -sign * casting.uniform(1.05, 1.2)
    y = casting.uniform(-0.1, 0.15)
    ramp = Prop(kind="ramp", position=(start, y, 0.0), facing=sign, variant=variant)
    slope = math.atan2(height, length)
    along = 0.14 * length
    size = casting.pick(("small", "medium"))
    shape = casting.shape(("ball", "ball", "cylinder", "cube"))
    reach = extent(shape, SIZES[size]).radius
    surface = height * (1 - along / length)
    tilt: Quat = (math.cos(sign * slope / 2), 0.0, math.sin(sign * slope / 2), 0.0)
    actor = Thing(
        shape=shape,
        color=casting.color(),
        size=size,
        role="actor",
        position=(
            start + sign * (along + reach * math.sin(slope)),
            y,
            surface + (reach + 0.004) * math.cos(slope),
        ),
        rotation=LYING_ALONG_Y if shape == "cylinder" else tilt,
        friction=0.16 if shape == "cube" else 0.9,
        rolling_friction=0.03,
        restitution=0.1,
    )
    others = _bystanders(casting, [start, start + sign * 0.7, sign * 0.95], y=0.8)
    return (actor, *others), (ramp,), side


def _occlude(casting: Casting) -> Staged:
    side, sign = _side(casting)
    wall = Prop(
        kind="wall",
        position=(casting.uniform(-0.15, 0.15), -0.35, 0.42),
        size=(casting.uniform(0.3, 0.4), 0.04, 0.42),
    )
    actor = _moving(
        casting,
        ("ball", *ROLLING),
        lambda rest: (-sign * casting.uniform(1.1, 1.3), casting.uniform(0.15, 0.3), rest),
        velocity=(sign * casting.uniform(0.75, 1.1), 0.0, 0.0),
        rolling=True,
    )
    return (actor,), (wall,), side


def _rest(casting: Casting) -> Staged:
    count = 1 + int(casting.rng.choice(3, p=(0.35, 0.4, 0.25)))
    places = {1: (0.0,), 2: (-0.55, 0.55), 3: (-0.9, 0.0, 0.9)}[count]
    things = tuple(
        _resting(
            casting,
            x + casting.uniform(-0.2, 0.2) * (2.5 if count == 1 else 0.5),
            casting.uniform(-0.25, 0.3),
            "actor" if i == 0 else "bystander",
        )
        for i, x in enumerate(places)
    )
    return things, (), ""


_STAGES: dict[str, Callable[[Casting], Staged]] = {
    "fall": _fall,
    "roll": _roll,
    "slide": _slide,
    "throw": _throw,
    "collide": _collide,
    "topple": _topple,
    "swing": _swing,
    "ramp": _ramp,
    "occlude": _occlude,
    "rest": _rest,
}
