"""Classifier-free guidance, where it helps."""

from torch import Tensor


def guide(v_cond: Tensor, v_uncond: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance ``v_uncond + scale (v_cond - v_uncond)``.

    ``scale`` 1 is the condition alone, 0 none of it (Ho and Salimans 2207.12598).
    """
    return v_uncond + scale * (v_cond - v_uncond)


def guidance_applies(t: float, scale: float, interval: tuple[float, float]) -> bool:
    """Whether guidance changes anything at time ``t``: inside the closed interval, scale not 1.

    Guidance harms at high noise and does nothing at low noise, so both ends can be left
    out, and their second evaluations saved (Kynkäänniemi et al. 2404.07724).
    """
    low, high = interval
    return scale != 1 and low <= t <= high
