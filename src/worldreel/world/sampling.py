"""A scene from a seed: the same for ever."""

from dataclasses import replace

from worldreel.core.randomness import numpy_generator
from worldreel.world.camera import Camera
from worldreel.world.casting import Casting
from worldreel.world.events import stage
from worldreel.world.scene import NUM_FRAMES, Scene, Shot, Split
from worldreel.world.vocabulary import CAMERAS, CUTS, EVENTS

EVENT_SHARES = (0.18, 0.12, 0.11, 0.12, 0.12, 0.07, 0.07, 0.07, 0.07, 0.07)
"""How often each of `EVENTS` is drawn."""


def sample_scene(seed: int, *, split: Split = "train", event: str | None = None) -> Scene:
    """A scene drawn from ``seed``; the same arguments give the same scene for ever.

    Args:
        seed: any whole number.
        split: ``train`` never shows a held-out combination, ``held_out`` always does.
        event: one of `worldreel.world.vocabulary.EVENTS`, or any of them.
    """
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
