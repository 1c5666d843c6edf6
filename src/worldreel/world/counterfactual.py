"""Scenes that move as nothing moves: nonsense to measure against, and impossible turns.

A minimal pair is two clips that are the same up to a moment; then one goes on as physics
says and the other does not (Riochet et al. 1803.07616, IntPhys). Wherever it can be, pairs
come as two halves of a match: what an impossible clip shows, frame by frame or movement by
movement, a possible clip of the other half shows as well. A cost that looks at single frames,
or at how much moves, is then right in one half and wrong in the other.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from worldreel.core.clip import Clip
from worldreel.core.randomness import numpy_generator
from worldreel.world.camera import project
from worldreel.world.render import Motion, physics, render_clip
from worldreel.world.scene import Scene, Thing
from worldreel.world.shapes import extent
from worldreel.world.vocabulary import COLORS

Kind = Literal["teleport", "recolour", "pass_through", "no_gravity"]
KINDS: tuple[Kind, ...] = get_args(Kind)

BEFORE, AFTER = 3, 8
"""Frames before and after the moment in which the object that it is about is seen whole."""

MIN_PIXELS = 60
"""Of an object that is seen, in a picture of 128x128 pixels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """Two clips that differ from one frame on, one possible and one not.

    Args:
        key: unique. match: the same for the halves of a match.
        kind: what is impossible. ``teleport``: the actor jumps sideways. ``recolour``: it
            changes its colour. ``pass_through``: it goes through its partner, which stays; in
            the other half it passes by at a distance and both move as if they had met.
            ``no_gravity``: it goes on straight in the middle of a flight.
        moment: the first frame that differs.
        scene: what the possible clip stages.
        possible, impossible: the clips; the truth of both says what they show.
    """

    key: str
    match: str
    kind: Kind
    moment: int
    scene: Scene
    possible: Clip
    impossible: Clip


def constant_velocity(scene: Scene, *, height: int = 128, width: int = 128) -> Clip:
    """The scene in which every object goes on as it began, through everything.

    Velocities and spins are those of the first frame; there is no gravity. What begins at
    rest stays where it is, in the air too.
    """

    def motion(model: Any, data: Any, frame: int) -> Iterator[None]:
        from worldreel.world.physics import mujoco

        if frame:
            mujoco.mj_integratePos(model, data.qpos, data.qvel, 1 / scene.fps)
            mujoco.mj_forward(model, data)
        yield

    return render_clip(scene, height=height, width=width, motion=motion)


def minimal_pairs(
    scene: Scene, kind: Kind, seed: int, *, height: int = 128, width: int = 128
) -> list[Pair]:
    """The pairs of one kind that ``scene`` gives, bystanders left out: a match of two, or one
    where the kind has no other half (``no_gravity``), or none where the scene does not fit.

    Args:
        scene: for ``pass_through`` a collision, for ``no_gravity`` a fall or throw, otherwise
            any; in one shot under a still camera.
        seed: of the moment and of what happens then.

    Raises:
        ValueError: the camera moves or cuts.
    """
    if any(shot.start > 0 or shot.camera.move != "still" for shot in scene.shots):
        raise ValueError("a minimal pair is seen by one still camera")
    scene = replace(scene, things=scene.actors)
    size = (height, width)
    rng = numpy_generator(seed, kind, scene.seed)
    match kind:
        case "teleport":
            return _spliced(kind, scene, _displaced(scene, rng), rng, size)
        case "recolour":
            return _spliced(kind, scene, _recoloured(scene, rng), rng, size)
        case "pass_through":
            return _passing(scene, rng, size)
        case "no_gravity":
            return _weightless(scene, rng, size)


def _spliced(
    kind: Kind, one: Scene, other: Scene, rng: np.random.Generator, size: tuple[int, int]
) -> list[Pair]:
    """Two possible clips that change places at a moment: every frame is in a possible one."""
    a, b = _render(one, size), _render(other, size)
    fits = _whole(a) & _whole(b)
    last = len(fits) - AFTER
    moments = [m for m in range(BEFORE, last + 1) if fits[m - BEFORE : m + AFTER].all()]
    return _match(kind, int(rng.choice(moments)), (one, a, b), (other, b, a)) if moments else []


def _displaced(scene: Scene, rng: np.random.Generator) -> Scene:
    """The actor further to the right or to the left, by 0.5 to 0.8 m."""
    actor = scene.things[0]
    x, y, z = actor.position
    ahead = actor.velocity[0] or -x  # so that it stays in view
    x += math.copysign(float(rng.uniform(0.5, 0.8)), ahead)
    return _with_thing(scene, 0, replace(actor, position=(x, y, z)))


def _recoloured(scene: Scene, rng: np.random.Generator) -> Scene:
    taken = {thing.color for thing in scene.things}
    color = str(rng.choice([color for color in COLORS if color not in taken]))
    return _with_thing(scene, 0, replace(scene.things[0], color=color))


def _passing(scene: Scene, rng: np.random.Generator, size: tuple[int, int]) -> list[Pair]:
    """A collision and a passing by, and each with the movements of the other."""
    if scene.event != "collide" or len(scene.things) != 2:
        return []
    aside = _aside(scene, rng)
    path_of_hit, path_of_by = _Path(), _Path()
    hit = _render(scene, size, path_of_hit.recorded(physics(scene.fps)))
    by = _render(aside, size, path_of_by.recorded(physics(scene.fps)))
    met = hit.truth["contacts"][:, 0, 1]
    moment = int(met.argmax())
    seen = _whole(hit)[moment - BEFORE : moment]
    too_early_or_late = moment < BEFORE or moment + AFTER > len(met)
    if too_early_or_late or not seen.all() or by.truth["contacts"][:, 0, 1].any():
        return []
    shift = np.subtract(aside.things[1].position, scene.things[1].position)
    through = _render(scene, size, path_of_by.replayed("thing1", -shift))
    untouched = _render(aside, size, path_of_hit.replayed("thing1", shift))
    return _match("pass_through", moment, (scene, hit, through), (aside, by, untouched))


def _aside(scene: Scene, rng: np.random.Generator) -> Scene:
    """The partner so far behind the striker's path that they cannot touch."""
    striker, partner = scene.things
    reach = sum(1.42 * extent(t.shape, t.radius).radius for t in scene.things)  # a cube's corner
    x, _, z = partner.position
    y = striker.position[1] + reach + float(rng.uniform(0.05, 0.25))
    return _with_thing(scene, 1, replace(partner, position=(x, y, z)))


def _weightless(scene: Scene, rng: np.random.Generator, size: tuple[int, int]) -> list[Pair]:
    """A flight, and the same flight with the weight taken from the actor in its middle."""
    fall = _render(scene, size)
    whole, free = _whole(fall), fall.truth["contacts"][:, 0].sum(axis=1) == 0
    moments = [
        m
        for m in range(1, len(whole) - AFTER + 1)
        if whole[max(m - BEFORE, 0) : m].all()
        and free[m - 1 : m + 2].all()
        and _flies_on(scene, fall, m - 1)
    ]
    if not moments:
        return []
    moment = int(rng.choice(moments))
    straight = _render(scene, size, _weightless_from(moment, scene.fps))
    return _match("no_gravity", moment, (scene, fall, straight))


def _flies_on(scene: Scene, clip: Clip, frame: int) -> bool:
    """Whether the actor, straight on from ``frame``, stays in view and off the floor."""
    truth, radius = clip.truth, scene.things[0].radius
    start, velocity = truth["positions"][frame, 0], truth["velocities"][frame, 0, :3]
    time_s = np.arange(AFTER + 1)[:, None] / clip.fps
    path = (start + time_s * velocity).astype(np.float64)
    x, y, depth = project(path, truth["world_to_camera"][0], truth["intrinsics"][0]).T
    margin = truth["intrinsics"][0, 0, 0] * radius / depth + 1
    height, width = clip.frames.shape[1:3]
    inside = (x > margin) & (x < width - margin) & (y > margin) & (y < height - margin)
    # high enough that a fall would show
    return bool(inside.all() and (path[:, 2] > radius + 0.1).all() and start[2] > radius + 0.35)


def _weightless_from(moment: int, fps: float) -> Motion:
    physical = physics(fps)

    def motion(model: Any, data: Any, frame: int) -> Iterator[None]:
        if frame == moment:
            body = model.body("thing0").id
            data.xfrc_applied[body] = 0
            data.xfrc_applied[body, :3] = -model.body_mass[body] * model.opt.gravity
        yield from physical(model, data, frame)

    return motion


class _Path:
    """How everything moved in one scene, to be repeated in another of the same objects."""

    def __init__(self) -> None:
        self.states: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []

    def recorded(self, motion: Motion) -> Motion:
        """``motion``, taken down frame by frame."""

        def recording(model: Any, data: Any, frame: int) -> Iterator[None]:
            yield from motion(model, data, frame)
            self.states.append((data.qpos.copy(), data.qvel.copy()))

        return recording

    def replayed(self, name: str, shift: NDArray[np.float64]) -> Motion:
        """What was recorded, the object ``name`` shifted by ``shift`` metres."""

        def motion(model: Any, data: Any, frame: int) -> Iterator[None]:
            from worldreel.world.physics import mujoco

            data.qpos[:], data.qvel[:] = self.states[frame]
            start = model.joint(name).qposadr[0]
            data.qpos[start : start + 3] += shift
            mujoco.mj_forward(model, data)
            yield

        return motion


def _render(scene: Scene, size: tuple[int, int], motion: Motion | None = None) -> Clip:
    return render_clip(scene, height=size[0], width=size[1], motion=motion)


def _with_thing(scene: Scene, index: int, thing: Thing) -> Scene:
    things = list(scene.things)
    things[index] = thing
    return replace(scene, things=tuple(things))


def _whole(clip: Clip) -> NDArray[np.bool_]:
    """Frames in which the actor is seen and not cut off by the picture's edge, ``(t,)``."""
    masks = clip.truth["masks"] == 1
    _, height, width = masks.shape
    large = masks.sum(axis=(1, 2)) * 128 * 128 >= MIN_PIXELS * height * width
    inner = masks[:, 1:-1, 1:-1].sum(axis=(1, 2)) == masks.sum(axis=(1, 2))
    return large & inner


def _match(kind: Kind, moment: int, *halves: tuple[Scene, Clip, Clip]) -> list[Pair]:
    """Pairs of a possible clip and what it turns into at ``moment``."""
    name = f"{halves[0][1].key}-{kind}"
    return [
        Pair(
            key=f"{name}-{number}",
            match=name,
            kind=kind,
            moment=moment,
            scene=scene,
            possible=possible,
            impossible=_turn(f"{name}-{number}", possible, other, moment),
        )
        for number, (scene, possible, other) in enumerate(halves)
    ]


def _turn(key: str, clip: Clip, other: Clip, moment: int) -> Clip:
    """``clip`` up to ``moment`` and ``other`` from there on."""

    def joined(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([a[:moment], b[moment:]])

    truth = {name: joined(array, other.truth[name]) for name, array in clip.truth.items()}
    return replace(clip, key=key, frames=joined(clip.frames, other.frames), truth=truth)
