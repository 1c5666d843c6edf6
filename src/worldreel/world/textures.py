"""Floor textures: smooth, made from a fixed seed, tileable."""

import numpy as np
from numpy.typing import NDArray

from worldreel.core.randomness import numpy_generator

SIDE = 128

_PALETTE: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "wood": ((0.60, 0.38, 0.20), (0.47, 0.28, 0.13)),
    "grass": ((0.26, 0.47, 0.16), (0.17, 0.36, 0.10)),
    "sand": ((0.85, 0.74, 0.51), (0.74, 0.62, 0.40)),
    "concrete": ((0.58, 0.58, 0.59), (0.47, 0.47, 0.49)),
    "tiles": ((0.43, 0.57, 0.72), (0.32, 0.45, 0.62)),
    "snow": ((0.93, 0.95, 0.98), (0.84, 0.88, 0.94)),
}
SKIES: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "day": ((0.45, 0.66, 0.93), (0.84, 0.91, 0.98)),
    "sunset": ((0.50, 0.36, 0.58), (0.98, 0.66, 0.40)),
    "night": ((0.03, 0.04, 0.10), (0.13, 0.15, 0.27)),
}
"""Colour overhead and at the horizon."""

REPEAT_M = 3.0
"""Metres of floor that one copy of a texture covers."""


def floor_texture(floor: str) -> NDArray[np.uint8]:
    """The texture of ``floor`` as uint8 sRGB, ``SIDE SIDE 3``."""
    light, dark = (np.array(c) for c in _PALETTE[floor])
    u = (np.arange(SIDE) + 0.5) / SIDE
    match floor:
        case "wood":  # six planks along x, each with its own tone
            tone = numpy_generator(0, "planks").uniform(0, 1, 6)
            mix = np.repeat(tone, SIDE // 6 + 1)[:SIDE, None] * np.ones((1, SIDE))
            seam = np.abs((u * 6) % 1 - 0.5)[:, None] > 0.44
            mix = np.where(seam, 1.3, mix)
        case "concrete" | "tiles":  # a chequerboard of four by four
            board = np.floor(u * 4)
            mix = (board[:, None] + board[None]) % 2
        case "grass" | "sand" | "snow":
            mix = 0.5 + 0.32 * _clouds(floor, cells=5)
        case _:
            raise ValueError(f"unknown floor {floor!r}")
    colour = light + (dark - light) * np.clip(mix, -0.2, 1.4)[..., None]
    return (np.clip(colour, 0, 1) * 255).round().astype(np.uint8)


def _clouds(name: str, *, cells: float) -> NDArray[np.float64]:
    """Tileable smooth noise of unit variance with about ``cells`` bumps a side."""
    noise = numpy_generator(0, "clouds", name).standard_normal((SIDE, SIDE))
    k = np.fft.fftfreq(SIDE) * SIDE
    radius = np.hypot(k[:, None], k[None])
    smooth = np.fft.ifft2(np.fft.fft2(noise) * np.exp(-((radius / cells) ** 2))).real
    return smooth / smooth.std()


_SET = ((0.62, 0.57, 0.50), (0.50, 0.44, 0.40), (0.25, 0.25, 0.27))
FLAT_SHADES = (0.46, 0.50, 0.97, 1.02)
"""A floor is flat: the sun lights all of it equally, or not at all."""

SOLID_SHADES = (0.42, 0.55, 0.68, 0.82, 1.0)


def floor_colors(floor: str) -> NDArray[np.float64]:
    """Colours in which ``floor`` can be seen, in light and in shadow: ``n 3``, sRGB in [0, 1]."""
    light, dark = (np.array(c) for c in _PALETTE[floor])
    mixes = light + (dark - light) * np.linspace(-0.2, 1.3, 7)[:, None]
    return np.clip(np.concatenate([mixes * shade for shade in FLAT_SHADES]), 0, 1)


def sky_colors() -> NDArray[np.float64]:
    """Colours of the skies: ``n 3``, sRGB in [0, 1]."""
    skies = [
        np.array(top) + (np.array(horizon) - np.array(top)) * mix
        for top, horizon in SKIES.values()
        for mix in np.linspace(0, 1, 5)
    ]
    return np.array(skies)


def backdrop_colors() -> NDArray[np.float64]:
    """Colours of the skies, and of the set in any light: ``n 3``, sRGB in [0, 1]."""
    solid = [np.array(color) * shade for color in _SET for shade in SOLID_SHADES]
    return np.concatenate([sky_colors(), solid])
