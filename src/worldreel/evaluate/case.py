"""A case: what a clip was asked to show, and by which prompt."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args

from worldreel.core.randomness import derive_seed
from worldreel.world.beyond import BEYOND, SAID, beyond_training
from worldreel.world.captions import full_prompt
from worldreel.world.mirror import mirrored
from worldreel.world.sampling import sample_scene
from worldreel.world.scene import NUM_FRAMES, Scene, Shot, Thing
from worldreel.world.vocabulary import CAMERAS

Split = Literal["within", "outside", "unseen"]
"""Drawn as in training; faster, larger or higher than there; combinations never seen there."""

Group = Literal[
    "fall",
    "throw",
    "roll",
    "slide",
    "collide",
    "swing",
    "occlude",
    "ramp",
    "topple",
    "camera",
    "words",
    "mirror",
]
"""The kinds of case. The first nine are events under a still camera, the actors balls (slides:
cylinders and cones; topples: what stacks); ``camera`` is a scene at rest under each camera move;
``words`` is whatever training draws in one shot; ``mirror`` comes in pairs whose prompts say left
for right."""

SPLITS: tuple[Split, ...] = get_args(Split)
GROUPS: tuple[Group, ...] = get_args(Group)

FIRST_SEED = 9_000_000
"""Cases are drawn from here on, far from any clip that a recipe trains on."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One question to a model.

    Args:
        key: unique: group, split and number; letters, digits and hyphens.
        group: the kind of case.
        split: where its scene was drawn from.
        prompt: what the model is told.
        scene: how the simulator stages it: objects, event, side, floor, camera. A law may read
            from it what the prompt says, and the ranges in which the simulator draws what the
            prompt does not say; never where an object is.
        noise_seed: the seed of the model's noise; the two of a mirrored pair share theirs.
    """

    key: str
    group: Group
    split: Split
    prompt: str
    scene: Scene
    noise_seed: int

    @property
    def things(self) -> tuple[Thing, ...]:
        """The objects, the actor first; their colours differ."""
        return self.scene.things

    @property
    def camera_move(self) -> str:
        """The move of the first shot, see `worldreel.world.vocabulary.CAMERAS`."""
        return self.scene.shots[0].camera.move


def has_split(group: Group, split: Split) -> bool:
    """Whether there are such cases: not every event has a version beyond training."""
    return split != "outside" or group in BEYOND


def draw_cases(group: Group, split: Split, count: int, seed: int = 0) -> list[Case]:
    """``count`` cases of one kind; the same arguments give the same cases for ever."""
    if not has_split(group, split):
        return []
    cases: list[Case] = []
    number = derive_seed(FIRST_SEED + seed, group, split) % 10**9 + 10**9
    while len(cases) < count:
        place = len(cases)
        scene = _draw(group, split, number, place)
        number += 1
        if scene is not None:
            cases += _cases(group, split, place, scene, seed)
    return cases[:count]


def _cases(group: Group, split: Split, place: int, scene: Scene, seed: int) -> list[Case]:
    key = f"{group}-{split}-{place:04d}"
    noise_seed = derive_seed(seed, "noise", key) % 2**31
    case = Case(key=key, group=group, split=split, prompt="", scene=scene, noise_seed=noise_seed)
    if group == "mirror":
        other = mirrored(scene)
        return [
            replace(case, key=f"{group}-{split}-{place:04d}", prompt=full_prompt(scene)),
            replace(
                case,
                key=f"{group}-{split}-{place + 1:04d}",
                prompt=full_prompt(other),
                scene=other,
            ),
        ]
    prompt = full_prompt(scene)
    if split == "outside":
        prompt = f"{prompt}, {SAID[scene.event]}"
    return [replace(case, prompt=prompt)]


def _draw(group: Group, split: Split, number: int, place: int) -> Scene | None:
    """A scene of the group, or None where what ``number`` gives does not belong to it."""
    event = None if group in ("words", "mirror") else "rest" if group == "camera" else group
    scene = sample_scene(number, split="held_out" if split == "unseen" else "train", event=event)
    if group == "words":
        return scene if len(scene.shots) == 1 else None
    if not all(_FITS.get(group, _any)(thing) for thing in scene.actors):
        return None
    if group == "mirror" and not scene.side:
        return None
    move = CAMERAS[place % len(CAMERAS)] if group == "camera" else "still"
    camera = replace(scene.shots[0].camera, move=move)
    scene = replace(scene, shots=(Shot(start=0, stop=NUM_FRAMES, camera=camera),))
    return beyond_training(scene) if split == "outside" else scene


def _any(thing: Thing) -> bool:
    return True


def _is_ball(thing: Thing) -> bool:
    return thing.shape == "ball"


def _is_round_from_above(thing: Thing) -> bool:
    return thing.shape in ("cylinder", "cone")


_FITS: dict[str, Callable[[Thing], bool]] = {
    **dict.fromkeys(("fall", "throw", "roll", "collide", "swing", "occlude", "ramp"), _is_ball),
    "slide": _is_round_from_above,
}
