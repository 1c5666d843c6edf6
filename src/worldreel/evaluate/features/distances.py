"""How far apart two sets of clips are, as distributions of features.

Three figures: the Fréchet distance of Gaussians, which is the field's habit but is biased
upward when clips are few; the polynomial maximum mean discrepancy, which is not; and the
Fréchet distance of how tracked objects move. A distance alone says little: compare it with
that of two sets of simulator clips of the same size.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worldreel.core.errors import UsageError
from worldreel.core.randomness import numpy_generator

Floats = NDArray[np.float64]
Measure = Callable[[Floats, Floats], float]


@dataclass(frozen=True, kw_only=True)
class Distance:
    """A distance between two sets of clips.

    Args:
        value: of all the clips; the unit is that of the features, squared.
        low, high: 95% interval, from half samples.
        num_first, num_second: clips in each set. Fréchet distances of different numbers of
            clips cannot be compared with each other.
    """

    value: float
    low: float
    high: float
    num_first: int
    num_second: int


def frechet_distance(first: Floats, second: Floats) -> float:
    """Fréchet distance of the Gaussians fitted to ``n d`` and ``m d`` (Heusel et al. 1706.08500).

    ``|mu_1 - mu_2|^2 + tr(C_1 + C_2 - 2 (C_1 C_2)^(1/2))``, with the unbiased covariances.
    The trace of the root is the nuclear norm of ``X_1 X_2^T`` of the centred, scaled samples:
    exact when there are fewer samples than features, where the root of the product of two
    singular covariances is not. No shrinkage. Its expectation falls as ``n`` grows, so that
    it is compared at equal ``n`` only.

    Raises:
        UsageError: fewer than two samples in a set, different numbers of features, or a
            value that is not finite.
    """
    first, second = _checked(first, second)
    roots = []
    for x in (first, second):
        centred = (x - x.mean(axis=0)) / np.sqrt(len(x) - 1)
        roots.append(np.linalg.qr(centred, mode="r"))  # R^T R is the covariance
    spread = sum(float(np.square(root).sum()) for root in roots)
    shared = float(np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum())
    away = float(np.square(first.mean(axis=0) - second.mean(axis=0)).sum())
    return max(away + spread - 2 * shared, 0.0)


def polynomial_mmd(first: Floats, second: Floats) -> float:
    """Squared maximum mean discrepancy of ``n d`` and ``m d``, unbiased.

    The kernel is ``(x . y / d + 1)^3``: the "kernel inception distance" of Binkowski et al.
    1801.01401. Its expectation is 0 for two samples of one distribution, however small, so
    that it can be negative.

    Raises:
        UsageError: as `frechet_distance`.
    """
    first, second = _checked(first, second)

    def kernel(x: Floats, y: Floats) -> Floats:
        return (x @ y.T / x.shape[1] + 1) ** 3

    def among(x: Floats) -> float:
        k = kernel(x, x)
        return float((k.sum() - np.trace(k)) / (len(x) * (len(x) - 1)))

    return among(first) + among(second) - 2 * float(kernel(first, second).mean())


def with_interval(
    measure: Measure, first: Floats, second: Floats, *, seed: int = 0, num_subsets: int = 200
) -> Distance:
    """A distance with its 95% interval, from random halves of both sets.

    Halves drawn without replacement vary about their mean as the whole sets vary about the
    truth (McCarthy, "Pseudo-replication: half samples", 1969). Drawing with replacement
    would repeat clips, which both distances take for structure.

    Args:
        measure: `frechet_distance` or `polynomial_mmd`.
        first, second: features ``n d`` and ``m d``, one row a clip, at least four each.
        num_subsets: halves drawn; 0 leaves the interval out (nan).

    Raises:
        UsageError: as `frechet_distance`, or fewer than four clips in a set.
    """
    first, second = _checked(first, second, least=4)
    rng = numpy_generator(seed, "half samples")
    halves = np.array(
        [
            measure(*(x[rng.permutation(len(x))[: len(x) // 2]] for x in (first, second)))
            for _ in range(num_subsets)
        ]
    )
    value = measure(first, second)
    low = high = float("nan")
    if num_subsets:
        low, high = value + np.quantile(halves, (0.025, 0.975)) - halves.mean()
    return Distance(
        value=value,
        low=float(low),
        high=float(high),
        num_first=len(first),
        num_second=len(second),
    )


def features_of(clips: Iterable[NDArray[np.uint8]]) -> Floats:
    """Features ``n 64`` of clips, uint8 ``t h w 3``: the pooled last layer of the network.

    Each is in units of its standard deviation over clips of the simulator, so that all count
    alike.

    Raises:
        WorldreelError: the weights are missing or altered.
        UsageError: a clip has fewer than four frames.
    """
    import torch

    from worldreel.evaluate.features.network import NUM_FEATURES
    from worldreel.evaluate.features.weights import as_input, load_networks

    network = load_networks().state
    with torch.inference_mode():
        rows = [network.features(as_input(clip))[0].double().numpy() for clip in clips]
    return np.array(rows, np.float64).reshape(-1, NUM_FEATURES)


def _checked(first: Floats, second: Floats, least: int = 2) -> tuple[Floats, Floats]:
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    for x in (first, second):
        if x.ndim != 2 or len(x) < least:
            raise UsageError(
                f"features of shape {x.shape}; a distance needs n d with n at least {least}."
            )
        if not np.isfinite(x).all():
            raise UsageError(
                f"{int((~np.isfinite(x)).any(axis=1).sum())} of {len(x)} rows of features are "
                "not finite; a distance takes every clip."
            )
    if first.shape[1] != second.shape[1]:
        raise UsageError(
            f"the sets have {first.shape[1]} and {second.shape[1]} features; they must agree."
        )
    return first, second
