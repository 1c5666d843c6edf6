"""Errors that people who use the software get to see.

Every one of them says what was given, what is allowed and what to do next.
Broken invariants inside the program are asserts, not these.
"""


class WorldreelError(Exception):
    """Something went wrong that the user can act on; the process ends with 1.

    Args:
        message: what happened, with the value and the allowed range.
        remedy: what to do next, one sentence. Shown on its own line.
    """

    exit_code = 1

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message


class UsageError(WorldreelError):
    """The request itself cannot be: a bad value or option; the process ends with 2."""

    exit_code = 2
