"""Changes to a recipe from the command line."""

import tomllib
from typing import Any

from worldreel.core.errors import UsageError


def override(values: dict[str, Any], assignment: str) -> None:
    """Applies one dotted override such as ``optim.grad_clip=0.5`` in place.

    The value is read as TOML; where it is none, as a string. A number in the path is a
    place in a list: ``stages.0.steps=100``.

    Raises:
        UsageError: there is no ``=``, or the path leads through something that is no table.
    """
    path, equals, text = assignment.partition("=")
    if not equals or not path.strip():
        raise UsageError(
            f"the override {assignment!r} is not of the form a.b=value.",
            remedy="For instance: --set schedule.total_steps=20000",
        )
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *parents, last = path.strip().split(".")
    at: Any = values
    for name in parents:
        if isinstance(at, list) and name.isdigit() and int(name) < len(at):
            at = at[int(name)]
        elif isinstance(at, dict):
            at = at.setdefault(name, {})
        else:
            raise UsageError(f"the override {assignment!r} leads through {name!r}: no table.")
    if isinstance(at, list) and last.isdigit() and int(last) < len(at):
        at[int(last)] = value
    elif isinstance(at, dict):
        at[last] = value
    else:
        raise UsageError(f"the override {assignment!r} leads to no key: {last!r}.")
