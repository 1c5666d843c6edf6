"""From a scene to a MuJoCo model: bodies, contacts, set and light."""

import math
from functools import lru_cache
from typing import Any

import mujoco as untyped
import numpy as np

from worldreel.world.scene import Prop, Scene, Thing
from worldreel.world.shapes import RAMP_DEPTH_M, RAMPS, cone_vertices, extent, wedge_vertices
from worldreel.world.textures import REPEAT_M, SIDE, SKIES, floor_texture
from worldreel.world.vocabulary import COLORS, FLOORS, SIZES

mujoco: Any = untyped  # it comes without types

TIMESTEP_S = 1 / 480
DENSITY = 400.0
CONTACT_STIFFNESS = 1.2e4
"""Contact as a spring of 110 rad/s: 29 ms long, 14 time steps."""

_PROP_COLORS = {
    "ramp": (0.62, 0.57, 0.50, 1.0),
    "wall": (0.50, 0.44, 0.40, 1.0),
    "post": (0.25, 0.25, 0.27, 1.0),
}
_GEOM = {
    "ball": mujoco.mjtGeom.mjGEOM_SPHERE,
    "cube": mujoco.mjtGeom.mjGEOM_BOX,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "cone": mujoco.mjtGeom.mjGEOM_MESH,
}


def damping_for(restitution: float) -> float:
    """Contact damping whose spring returns ``restitution`` of the speed.

    A damped spring leaves contact with ``e = exp(-pi z / sqrt(1 - z^2))``; solved
    for the damping ratio ``z``.
    """
    log_e = math.log(max(restitution, 0.02))
    ratio = -log_e / math.sqrt(math.pi**2 + log_e**2)
    return 2 * ratio * math.sqrt(CONTACT_STIFFNESS)


def build(scene: Scene) -> Any:
    """The model of ``scene``, at rest in its first moment.

    Textures and meshes keep their numbers from scene to scene, so that one render
    context, made from any of them, serves all and is uploaded only once.
    """
    spec = mujoco.MjSpec()
    spec.option.timestep = TIMESTEP_S
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    visual = spec.visual
    visual.global_.fovy = 45
    visual.global_.offwidth = visual.global_.offheight = 1024
    visual.quality.shadowsize, visual.quality.offsamples = 512, 0
    visual.quality.numslices, visual.quality.numstacks = 28, 14
    visual.map.znear, visual.map.zfar, visual.map.shadowclip = 0.02, 40, 7
    visual.headlight.ambient = [0.42] * 3
    visual.headlight.diffuse = [0.12] * 3
    visual.headlight.specular = [0.0] * 3
    spec.stat.extent, spec.stat.center = 2.0, [0, 0, 0.5]
    _assets(spec, scene.background)
    world = spec.worldbody
    world.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[24, 24, 8],
        material=scene.floor,
        friction=[0.01, 0.005, 0.0001],
    )
    angle = math.radians(scene.light_azimuth)
    towards = [-0.42 * math.cos(angle), -0.42 * math.sin(angle), -1.0]
    world.add_light(
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        pos=[-3 * towards[0], -3 * towards[1], 4.0],
        dir=towards,
        castshadow=True,
        diffuse=[0.58] * 3,
        specular=[0.18] * 3,
        ambient=[0.0] * 3,
    )
    for prop in scene.props:
        _add_prop(spec, prop)
    for index, thing in enumerate(scene.things):
        _add_thing(spec, index, thing)
    return spec.compile()


def initial_state(model: Any, scene: Scene) -> Any:
    """Simulation data with the velocities with which the scene begins."""
    data = mujoco.MjData(model)
    for index, thing in enumerate(scene.things):
        joint = model.joint(f"thing{index}")
        if thing.string_m:
            data.qpos[joint.qposadr[0]] = 0.0
            continue
        start = joint.dofadr[0]
        data.qvel[start : start + 3] = thing.velocity
        rotation = np.zeros(9)
        mujoco.mju_quat2Mat(rotation, np.array(thing.rotation))
        data.qvel[start + 3 : start + 6] = rotation.reshape(3, 3).T @ np.array(thing.spin)
    mujoco.mj_forward(model, data)
    return data


def _assets(spec: Any, background: str) -> None:
    for floor in FLOORS:
        texture = spec.add_texture(
            name=floor, type=mujoco.mjtTexture.mjTEXTURE_2D, width=SIDE, height=SIDE, nchannel=3
        )
        texture.data = _texture_bytes(floor)
        material = spec.add_material(
            name=floor, texrepeat=[1 / REPEAT_M] * 2, texuniform=True, specular=0, shininess=0
        )
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = floor
    top, horizon = SKIES[background]
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=top,
        rgb2=horizon,
        width=64,
        height=64 * 6,
    )
    for size, r in SIZES.items():
        scale = extent("cone", r)
        vertices = cone_vertices() * [scale.radius, scale.radius, scale.half_height]
        spec.add_mesh(name=f"cone:{size}", uservert=vertices.ravel().tolist())
    for number, (length, height) in enumerate(RAMPS):
        vertices = wedge_vertices(length, RAMP_DEPTH_M, height)
        spec.add_mesh(name=f"ramp:{number}", uservert=vertices.ravel().tolist())


@lru_cache
def _texture_bytes(floor: str) -> bytes:
    return floor_texture(floor).tobytes()


def _add_prop(spec: Any, prop: Prop) -> None:
    world = spec.worldbody
    rgba = _PROP_COLORS[prop.kind]
    turn = [1, 0, 0, 0] if prop.facing > 0 else [0, 0, 0, 1]
    match prop.kind:
        case "ramp":
            world.add_geom(
                name="prop:ramp",
                type=mujoco.mjtGeom.mjGEOM_MESH,
                meshname=f"ramp:{prop.variant}",
                pos=prop.position,
                quat=turn,
                rgba=rgba,
                friction=[0.01, 0.005, 0.0001],
            )
        case "wall":
            world.add_geom(
                name="prop:wall",
                type=mujoco.mjtGeom.mjGEOM_BOX,
                size=prop.size,
                pos=prop.position,
                rgba=rgba,
            )
        case "post":
            reach, depth, top = prop.size
            x, y, _ = prop.position
            side = x - prop.facing * reach
            bars = (
                ((side, y, 0.0), (side, y, top)),
                ((side, y, top), (x, y, top)),
                ((x, y, top), (x, y - depth, top)),
            )
            for number, (a, b) in enumerate(bars):
                world.add_geom(
                    name=f"prop:post{number}",
                    type=mujoco.mjtGeom.mjGEOM_CAPSULE,
                    fromto=[*a, *b],
                    size=[0.03, 0, 0],
                    rgba=rgba,
                    contype=0,
                    conaffinity=0,
                )
        case _:
            raise ValueError(f"unknown prop {prop.kind!r}")


def _add_thing(spec: Any, index: int, thing: Thing) -> None:
    size = extent(thing.shape, thing.radius)
    body = spec.worldbody.add_body(name=f"thing{index}", pos=thing.position, quat=thing.rotation)
    geom = {
        "type": _GEOM[thing.shape],
        "name": f"thing{index}",
        "rgba": [*COLORS[thing.color], 1.0],
        "density": DENSITY,
        "friction": [thing.friction, 0.005, thing.rolling_friction],
        "condim": 6,
        "priority": 1,
        "solref": [-CONTACT_STIFFNESS, -damping_for(thing.restitution)],
        "solimp": [0.97, 0.97, 0.001, 0.5, 2],
    }
    match thing.shape:
        case "ball":
            geom["size"] = [size.radius, 0, 0]
        case "cube":
            geom["size"] = [size.radius] * 3
        case "cylinder":
            geom["size"] = [size.radius, size.half_height, 0]
        case "capsule":
            geom["size"] = [size.radius, size.half_height - size.radius, 0]
        case "cone":
            geom["meshname"] = f"cone:{thing.size}"
    if thing.string_m:
        _hang(body, index, thing)
    else:
        body.add_freejoint(name=f"thing{index}")
    body.add_geom(**geom)


def _hang(body: Any, index: int, thing: Thing) -> None:
    """Hang the body from its string: a hinge about y at the string's upper end."""
    up = [
        -thing.string_m * math.sin(thing.string_angle),
        0.0,
        thing.string_m * math.cos(thing.string_angle),
    ]
    body.add_joint(name=f"thing{index}", type=mujoco.mjtJoint.mjJNT_HINGE, axis=[0, 1, 0], pos=up)
    body.add_geom(
        name=f"prop:string{index}",
        type=mujoco.mjtGeom.mjGEOM_CAPSULE,
        fromto=[0, 0, 0, *up],
        size=[0.014, 0, 0],
        rgba=_PROP_COLORS["post"],
        mass=0.0,
        contype=0,
        conaffinity=0,
    )
