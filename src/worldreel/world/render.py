"""Simulate a scene and look at it: frames and the truth about every one of them."""

import atexit
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worldreel.core.clip import Clip
from worldreel.core.errors import WorldreelError
from worldreel.world.camera import Pose, intrinsics
from worldreel.world.captions import captions
from worldreel.world.scene import Scene, Shot

SUPERSAMPLING = 2
"""Frames are drawn this much larger and filtered down, for smooth edges."""

PROP_ID = 250
"""Number in a mask of whatever is part of the set: ramp, wall, post, string."""

Motion = Callable[[Any, Any, int], Iterator[None]]
"""Brings MuJoCo's data from the frame before to a frame: ``motion(model, data, frame)``.

It is called for frame 0 as well, which shows the initial state; contacts are noted whenever
it yields.
"""


def _mujoco() -> tuple[Any, Any]:
    """MuJoCo and the class of its software drawing surface, imported late: both are heavy."""
    os.environ.setdefault("MUJOCO_GL", "osmesa")
    os.environ.setdefault("LP_NUM_THREADS", "0")  # as many processes as cores draw instead
    try:
        import mujoco

        if os.environ["MUJOCO_GL"] == "egl":
            from mujoco.egl import GLContext
        else:
            from mujoco.osmesa import GLContext
    except (ImportError, AttributeError, OSError, RuntimeError) as error:
        raise WorldreelError(
            f"the simulated world cannot be drawn here: {error}",
            remedy="Install the training parts with `pip install 'worldreel[train]'` and the "
            "software renderer with `apt-get install libosmesa6`.",
        ) from error
    return mujoco, GLContext


class Stage:
    """One off-screen drawing surface that serves any number of scenes.

    Making one costs as much as several clips; a process needs only one.
    """

    def __init__(self) -> None:
        mujoco, surface = _mujoco()
        from worldreel.world.physics import build
        from worldreel.world.sampling import sample_scene

        self.mujoco = mujoco
        self._gl = surface(64, 64)  # frames are drawn off screen, whatever their size
        atexit.register(self._gl.free)
        self._gl.make_current()
        self._context = mujoco.MjrContext(build(sample_scene(0)), 50)
        self._camera = mujoco.MjvCamera()
        self._options = mujoco.MjvOption()
        self.height = self.width = 0

    def resize(self, height: int, width: int) -> None:
        """Draw frames of this many pixels from now on."""
        if (height, width) == (self.height, self.width):
            return
        mujoco = self.mujoco
        self.height, self.width = height, width
        tall, wide = round(height * SUPERSAMPLING), round(width * SUPERSAMPLING)
        self._gl.make_current()
        mujoco.mjr_resizeOffscreen(wide, tall, self._context)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        self._rect = mujoco.MjrRect(0, 0, wide, tall)
        self._small = mujoco.MjrRect(0, 0, width, height)
        self._big_pixels = np.empty((tall, wide, 3), np.uint8)
        self._small_pixels = np.empty((height, width, 3), np.uint8)

    def enter(self, model: Any) -> None:
        """Hang the backdrop of ``model``: MuJoCo draws one sky a context."""
        self._gl.make_current()
        sky = self.mujoco.mj_name2id(model, self.mujoco.mjtObj.mjOBJ_TEXTURE.value, "sky")
        self.mujoco.mjr_uploadTexture(model, self._context, sky)

    def look(self, model: Any, data: Any, view: Any, pose: Pose) -> NDArray[np.uint8]:
        """One frame, uint8 ``h w 3``."""
        mujoco = self.mujoco
        self._gl.make_current()
        self._place(model, data, view, pose)
        view.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 1
        view.flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = 0
        view.flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = 0
        mujoco.mjr_render(self._rect, view, self._context)
        mujoco.mjr_readPixels(self._big_pixels, None, self._rect, self._context)
        big = Image.fromarray(self._big_pixels)
        small = big.resize((self.width, self.height), Image.Resampling.BILINEAR)
        return np.asarray(small)[::-1]

    def masks(self, model: Any, view: Any) -> NDArray[np.uint8]:
        """Which object is seen at each pixel of the view last looked at, uint8 ``h w``."""
        mujoco = self.mujoco
        view.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
        view.flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = 1
        view.flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = 1
        mujoco.mjr_render(self._small, view, self._context)
        mujoco.mjr_readPixels(self._small_pixels, None, self._small, self._context)
        lookup = np.zeros(view.ngeom + 1, np.uint8)
        for geom in view.geoms[: view.ngeom]:
            if geom.segid >= 0 and geom.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                lookup[geom.segid + 1] = _identity(model, geom.objid)
        return lookup[self._small_pixels[::-1, :, 0]]

    def _place(self, model: Any, data: Any, view: Any, pose: Pose) -> None:
        camera = self._camera
        camera.lookat[:] = pose.lookat
        camera.distance, camera.azimuth = pose.distance, pose.azimuth
        camera.elevation = pose.elevation
        self.mujoco.mjv_updateScene(
            model, data, self._options, None, camera, self.mujoco.mjtCatBit.mjCAT_ALL.value, view
        )


@lru_cache(maxsize=1)
def _stage() -> Stage:
    return Stage()


def _identity(model: Any, geom: int) -> int:
    name = model.geom(geom).name
    if name.startswith("thing"):
        return int(name[5:]) + 1
    return PROP_ID if name.startswith("prop:") else 0


def _shot_at(scene: Scene, frame: int) -> Shot:
    return next(shot for shot in scene.shots if shot.start <= frame < shot.stop)


def physics(fps: float) -> Motion:
    """The motion of the simulated world."""
    mujoco, _ = _mujoco()
    from worldreel.world.physics import TIMESTEP_S

    steps = round(1 / (fps * TIMESTEP_S))

    def move(model: Any, data: Any, frame: int) -> Iterator[None]:
        for _ in range(steps if frame else 1):
            if frame:
                mujoco.mj_step(model, data)
            yield

    return move


def simulate(
    scene: Scene, *, height: int, width: int, motion: Motion | None = None
) -> Iterator[dict[str, NDArray[Any]]]:
    """The moments of ``scene``, one for each frame, each with its truth.

    Args:
        scene: what is staged. height, width: of the frames, pixels.
        motion: how everything moves; by default as `physics` says.

    Yields:
        ``frame`` uint8 ``h w 3``; ``masks`` uint8 ``h w`` (1 for the first object,
        0 for the background, `PROP_ID` for the set); ``positions`` ``n 3`` in
        metres; ``rotations`` ``n 4`` quaternions w x y z; ``velocities`` ``n 6``,
        linear (m/s) then angular (rad/s), in the world's axes; ``contacts`` bool
        ``n n+2``: touched since the last frame, object by object, then the floor,
        then the set; ``world_to_camera`` ``4 4``; ``intrinsics`` ``3 3``.
    """
    mujoco, _ = _mujoco()
    from worldreel.world.physics import build, initial_state

    motion = motion or physics(scene.fps)
    stage = _stage()
    stage.resize(height, width)
    model = build(scene)
    data = initial_state(model, scene)
    view = mujoco.MjvScene(model, maxgeom=64)
    stage.enter(model)
    count = len(scene.things)
    bodies = [model.body(f"thing{i}").id for i in range(count)]
    owner = [_identity(model, geom) for geom in range(model.ngeom)]
    velocity = np.zeros(6)
    for frame in range(scene.num_frames):
        touched = np.zeros((count, count + 2), bool)
        for _ in motion(model, data, frame):
            for a, b in data.contact.geom if data.ncon else ():
                _note_contact(touched, owner[a], owner[b])
        velocities = np.empty((count, 6), np.float32)
        for i, body in enumerate(bodies):
            mujoco.mj_objectVelocity(model, data, mujoco.mjtObj.mjOBJ_BODY, body, velocity, 0)
            velocities[i] = np.roll(velocity, 3)
        shot = _shot_at(scene, frame)
        pose = shot.camera.pose((frame - shot.start) / max(shot.stop - shot.start - 1, 1))
        picture = stage.look(model, data, view, pose)
        yield {
            "frame": picture,
            "masks": stage.masks(model, view),
            "positions": data.xipos[bodies].astype(np.float32),
            "rotations": data.xquat[bodies].astype(np.float32),
            "velocities": velocities,
            "contacts": touched,
            "world_to_camera": pose.world_to_camera().astype(np.float32),
            "intrinsics": intrinsics(height, width).astype(np.float32),
        }


def _note_contact(touched: NDArray[np.bool_], a: int, b: int) -> None:
    count = len(touched)
    for one, other in ((a, b), (b, a)):
        if 1 <= one <= count:
            column = count if other == 0 else count + 1 if other == PROP_ID else other - 1
            touched[one - 1, column] = True


def render_clip(
    scene: Scene, *, height: int = 128, width: int = 128, motion: Motion | None = None
) -> Clip:
    """Simulate ``scene`` and draw it: frames, captions and truth; ``motion`` as in `simulate`.

    Raises:
        WorldreelError: if MuJoCo or its software renderer is missing.
    """
    moments = list(simulate(scene, height=height, width=width, motion=motion))
    truth = {name: np.stack([m[name] for m in moments]) for name in moments[0] if name != "frame"}
    return Clip(
        key=f"{scene.event}-{scene.seed:08d}",
        seed=scene.seed,
        fps=scene.fps,
        frames=np.stack([m["frame"] for m in moments]),
        captions=captions(scene, truth),
        scene=scene.to_dict(),
        truth=truth,
    )
