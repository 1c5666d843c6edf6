"""The words of the simulated world: what the default model was shown, as plain data."""

COLORS: dict[str, tuple[float, float, float]] = {
    "red": (0.82, 0.07, 0.07),
    "orange": (0.95, 0.45, 0.04),
    "yellow": (0.95, 0.82, 0.06),
    "green": (0.10, 0.60, 0.14),
    "cyan": (0.10, 0.74, 0.78),
    "blue": (0.10, 0.20, 0.82),
    "purple": (0.48, 0.12, 0.68),
    "pink": (0.95, 0.45, 0.65),
    "white": (0.93, 0.93, 0.93),
    "black": (0.07, 0.07, 0.08),
}
"""sRGB reflectance of each colour, in [0, 1]."""

SHAPES = ("ball", "cube", "cylinder", "capsule", "cone")

SIZES: dict[str, float] = {"small": 0.20, "medium": 0.29, "large": 0.40}
"""Nominal radius in metres; see `worldreel.world.shapes` for what it means per shape."""

FLOORS: dict[str, tuple[str, ...]] = {
    "wood": ("a wooden floor",),
    "grass": ("a grass floor", "grass"),
    "sand": ("a sand floor", "sand"),
    "concrete": ("a gray concrete floor", "a concrete floor"),
    "tiles": ("a blue tiled floor", "blue tiles"),
    "snow": ("a snow floor", "snow"),
}
"""How captions name each floor, the usual form first."""

BACKGROUNDS: dict[str, tuple[str, ...]] = {
    "day": ("under a blue sky", "in daylight"),
    "sunset": ("at sunset", "under a sunset sky"),
    "night": ("at night", "under a dark sky"),
}

EVENTS = (
    "fall",
    "roll",
    "slide",
    "throw",
    "collide",
    "topple",
    "swing",
    "ramp",
    "occlude",
    "rest",
)

CAMERAS = (
    "still",
    "pan left",
    "pan right",
    "orbit left",
    "orbit right",
    "dolly in",
    "dolly out",
)

CUTS = ("close-up", "left", "right", "above")
"""Where the second shot of a two-shot scene is seen from."""

WORDS: dict[str, tuple[str, ...]] = {
    "color": tuple(COLORS),
    "shape": (*SHAPES, "balls", "cubes", "cylinders", "capsules", "cones", "object", "objects"),
    "size": ("small", "medium-sized", "large"),
    "count": ("one", "two", "three"),
    "floor": (
        *("wooden", "grass", "sand", "gray", "concrete", "blue", "tiled", "tiles"),
        *("snow", "floor"),
    ),
    "background": ("sky", "sunset", "night", "daylight", "dark", "blue"),
    "place": ("left", "right", "middle", "beside", "behind", "above", "side", "front"),
    "event": (
        *("falls", "fall", "bounces", "bounce", "rolls", "roll", "slides", "slide", "stops"),
        *("stop", "thrown", "hits", "hit", "collides", "topples", "topple", "stack", "swings"),
        *(
            "swing",
            "string",
            "pendulum",
            "ramp",
            "down",
            "wall",
            "passes",
            "comes",
            "coming",
            "out",
        ),
        *("rests", "rest", "lies", "lie", "stands", "still", "air", "up", "across", "into", "over"),
        *("tower", "onto", "pushes"),
    ),
    "camera": (
        *("camera", "pans", "pan", "orbits", "orbit", "moves", "in", "closer", "back", "away"),
        *("dolly", "cut", "close-up", "view", "shot", "then", "static", "from"),
    ),
}
"""Every content word that the captions use, by what it is about."""

SYNONYMS: dict[str, str] = {
    "sphere": "ball",
    "orb": "ball",
    "box": "cube",
    "block": "cube",
    "tube": "cylinder",
    "can": "cylinder",
    "pill": "capsule",
    "pyramid": "cone",
    "crimson": "red",
    "scarlet": "red",
    "violet": "purple",
    "turquoise": "cyan",
    "teal": "cyan",
    "navy": "blue",
    "golden": "yellow",
    "rose": "pink",
    "lime": "green",
    "big": "large",
    "huge": "large",
    "tiny": "small",
    "little": "small",
    "lawn": "grass",
    "meadow": "grass",
    "beach": "sand",
    "desert": "sand",
    "parquet": "wooden",
    "wood": "wooden",
    "cement": "concrete",
    "grey": "gray",
    "stone": "concrete",
    "ice": "snow",
    "snowy": "snow",
    "sandy": "sand",
    "grassy": "grass",
    "ground": "floor",
    "drops": "falls",
    "falling": "falls",
    "tumbles": "falls",
    "bouncing": "bounces",
    "rolling": "rolls",
    "sliding": "slides",
    "glides": "slides",
    "tossed": "thrown",
    "flung": "thrown",
    "flies": "thrown",
    "strikes": "hits",
    "crashes": "collides",
    "bumps": "hits",
    "collapses": "topples",
    "swinging": "swings",
    "hangs": "swings",
    "rope": "string",
    "slope": "ramp",
    "incline": "ramp",
    "barrier": "wall",
    "next": "beside",
    "sits": "rests",
    "waits": "rests",
    "lands": "falls",
    "dusk": "sunset",
    "evening": "sunset",
    "zoom": "dolly",
    "zooms": "moves",
    "circles": "orbits",
    "toward": "onto",
}
"""Words outside the captions that mean one of theirs."""
