"""Scenes beyond the ranges that training draws from: faster, larger, higher."""

import math
from dataclasses import replace

from worldreel.core.randomness import numpy_generator
from worldreel.world.scene import Scene, Thing, Vec3

BEYOND = ("fall", "throw", "roll", "slide", "collide", "swing", "occlude")
"""The events that have such a version."""

SAID = {
    "fall": "from very high up",
    "throw": "very fast and far",
    "roll": "very fast",
    "slide": "very fast",
    "collide": "very fast",
    "swing": "in very wide swings",
    "occlude": "very fast",
}
"""What a prompt adds; no caption of the training says any of it."""


def beyond_training(scene: Scene) -> Scene:
    """The scene with its actor beyond the training's ranges, the rest as it was.

    A fall begins 0.5 to 0.9 m higher than the highest, a throw is 1.3 to 1.5 times as fast
    sideways, a roll or a hit 1.5 to 1.8 times, a slide 1.25 to 1.4 times; a pendulum begins at
    1.1 to 1.35 rad instead of up to 0.95. A ball is 1.25 times as large as its word in half
    of the scenes.

    Raises:
        ValueError: the event is not in `BEYOND`.
    """
    rng = numpy_generator(scene.seed, "beyond")
    actor = scene.things[0]
    larger = actor.shape == "ball" and rng.random() < 0.5 and scene.event != "swing"
    if larger:
        x, y, z = actor.position
        actor = replace(actor, scale=1.25, position=(x, y, z + 0.25 * actor.radius))
    match scene.event:
        case "fall":
            x, y, z = actor.position
            rest = actor.radius if actor.shape == "ball" else 0.3
            actor = replace(actor, position=(x, y, rest + 1.9 + float(rng.uniform(0.5, 0.9))))
        case "throw":
            actor = _faster(actor, float(rng.uniform(1.3, 1.5)))
        case "roll" | "collide" | "occlude":
            actor = _faster(actor, float(rng.uniform(1.5, 1.8)))
        case "slide":
            actor = _faster(actor, float(rng.uniform(1.25, 1.4)))
        case "swing":
            actor = _wider(actor, float(rng.uniform(1.1, 1.35)))
        case _:
            raise ValueError(f"{scene.event} has no version beyond training")
    return replace(scene, things=(actor, *scene.things[1:]))


def _faster(thing: Thing, factor: float) -> Thing:
    x, y, z = thing.velocity
    velocity: Vec3 = (x * factor, y, z)
    # a larger ball rolls at the same speed with less spin
    spin = (thing.spin[0], thing.spin[1] * factor / thing.scale, thing.spin[2])
    return replace(thing, velocity=velocity, spin=spin)


def _wider(thing: Thing, angle: float) -> Thing:
    x, y, z = thing.position
    pivot_x = x - thing.string_m * math.sin(thing.string_angle)
    pivot_z = z + thing.string_m * math.cos(thing.string_angle)
    turned = math.copysign(angle, thing.string_angle)
    position = (
        pivot_x + thing.string_m * math.sin(turned),
        y,
        pivot_z - thing.string_m * math.cos(turned),
    )
    return replace(thing, position=position, string_angle=turned)
