"""Progress has one meaning everywhere: done, of how many, of which stage."""

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Called as ``progress(done, total, stage)``; ``done`` counts from 0 to ``total``.

A callback may raise to cancel: it is called between steps, never inside one.
"""


def silent(done: int, total: int, stage: str) -> None:
    """The progress of nobody watching."""
