"""worldreel: an open, self-hosted Sora.

Words, pictures and clips become video through a diffusion transformer over
spacetime patches. Importing this package does nothing but define names; what is
heavy is loaded when it is first used.

    import worldreel

    model = worldreel.load("toybox")
    model.generate("a red ball rolls on grass").save("ball.mp4")
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from worldreel.generate.canvas import Canvas as Canvas
    from worldreel.generate.model import Model as Model
    from worldreel.generate.model import load as load
    from worldreel.generate.video import Video as Video

_HOMES = {
    "Canvas": "worldreel.generate.canvas",
    "Model": "worldreel.generate.model",
    "Video": "worldreel.generate.video",
    "load": "worldreel.generate.model",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
