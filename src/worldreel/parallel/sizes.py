"""How many devices can share a model; no torch."""

from worldreel.core.errors import UsageError

COUNTS_SHOWN = 16
"""Numbers of devices that an error proposes go up to this one."""


def check_size(size: int, num_heads: int) -> None:
    """Raises UsageError unless ``size`` devices can share a transformer's attention heads."""
    if can_share(size, num_heads):
        return
    able = [n for n in range(1, COUNTS_SHOWN + 1) if can_share(n, num_heads)]
    raise UsageError(
        f"{size} devices cannot share the {num_heads} attention heads of this model evenly.",
        remedy=f"Use one of these numbers of devices: {', '.join(map(str, able))}.",
    )


def can_share(size: int, num_heads: int) -> bool:
    """Whether each device has as many heads as any other, in one half or in the whole."""
    return size >= 1 and num_heads % (size // 2 if size % 2 == 0 else size) == 0
