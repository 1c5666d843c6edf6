"""A scene seen in a mirror."""

from dataclasses import replace

from worldreel.world.scene import Scene, Thing


def mirrored(scene: Scene) -> Scene:
    """The scene seen in a mirror: x turned round, left for right; the camera stands still."""

    def flip(thing: Thing) -> Thing:
        (x, y, z), (w, i, j, k) = thing.position, thing.rotation
        (u, v, n), (p, q, r) = thing.velocity, thing.spin
        return replace(
            thing,
            position=(-x, y, z),
            rotation=(w, i, -j, -k),
            velocity=(-u, v, n),
            spin=(p, -q, -r),
            string_angle=-thing.string_angle,
        )

    props = tuple(
        replace(prop, position=(-prop.position[0], *prop.position[1:]), facing=-prop.facing)
        for prop in scene.props
    )
    shots = tuple(
        replace(shot, camera=replace(shot.camera, azimuth=180 - shot.camera.azimuth))
        for shot in scene.shots
    )
    side = {"left": "right", "right": "left"}.get(scene.side, scene.side)
    return replace(
        scene,
        side=side,
        things=tuple(flip(thing) for thing in scene.things),
        props=props,
        shots=shots,
        light_azimuth=180 - scene.light_azimuth,
    )
