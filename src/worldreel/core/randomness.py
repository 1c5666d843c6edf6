"""Randomness is an argument: one seeded generator, passed down. No global seed."""

import hashlib
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy
    import torch

SEED_MAX = 2**63 - 1


def random_seed() -> int:
    """A fresh seed of 31 bits: short enough to be read out and typed again."""
    return secrets.randbelow(2**31)


def derive_seed(seed: int, *path: str | int) -> int:
    """A seed of 63 bits for one named purpose below ``seed``.

    The same arguments give the same number on every machine and every version
    of every library, so that worlds, batches and noise can be remade.

    >>> derive_seed(0, "clip", 17) == derive_seed(0, "clip", 17)
    True
    >>> derive_seed(0, "clip", 17) == derive_seed(0, "clip", 18)
    False
    """
    text = "/".join([str(seed), *(str(part) for part in path)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def torch_generator(seed: int, *path: str | int) -> "torch.Generator":
    """A CPU generator of torch for one named purpose."""
    import torch

    return torch.Generator().manual_seed(derive_seed(seed, *path) if path else seed)


def numpy_generator(seed: int, *path: str | int) -> "numpy.random.Generator":
    """A PCG64 generator of NumPy for one named purpose."""
    import numpy

    return numpy.random.Generator(numpy.random.PCG64(derive_seed(seed, *path) if path else seed))
