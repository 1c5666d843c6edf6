"""Plain values (TOML, JSON) into frozen dataclasses, with errors that name the place."""

import dataclasses
import difflib
import tomllib
import types
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from worldreel.core.errors import UsageError

T = TypeVar("T")


def parse(cls: type[T], values: dict[str, Any], place: str = "") -> T:
    """Builds a dataclass from a nested dict; dataclasses inside are built likewise.

    Raises:
        UsageError: an unknown key (with the closest one that exists), a missing key, or a
            value of the wrong type; and whatever the classes' own checks raise.
    """
    assert dataclasses.is_dataclass(cls)
    hints = get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    for key in values:
        if key not in fields:
            close = difflib.get_close_matches(key, fields, n=1, cutoff=0.5)
            remedy = f"Did you mean {_join(place, close[0])}?" if close else ""
            raise UsageError(
                f"unknown key {_join(place, key)}",
                remedy=remedy or f"Keys that exist here: {', '.join(sorted(fields))}.",
            )
    for name, field in fields.items():
        required = field.default is field.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise UsageError(f"{_join(place, name)} is missing.", remedy="Add it to the recipe.")
    built = {key: _convert(hints[key], value, _join(place, key)) for key, value in values.items()}
    try:
        return cls(**built)
    except UsageError as error:
        if place and place not in error.message:
            raise UsageError(f"{place}: {error.message}", remedy=error.remedy) from error
        raise


def plain(value: Any) -> Any:
    """The opposite of ``parse``: a dataclass as dicts, lists and scalars."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


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


def _join(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _convert(kind: Any, value: Any, place: str) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        (kind,) = [arg for arg in args if arg is not type(None)]
        return _convert(kind, value, place)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if dataclasses.is_dataclass(value):
            return value
        if not isinstance(value, dict):
            raise _wrong(place, value, "a table")
        return parse(kind, value, place)
    if origin in (tuple, list):
        if not isinstance(value, (list, tuple)):
            raise _wrong(place, value, "a list")
        if origin is tuple and args[-1] is not Ellipsis and len(value) != len(args):
            raise _wrong(place, value, f"a list of {len(args)}")
        kinds = args if origin is tuple and args[-1] is not Ellipsis else [args[0]] * len(value)
        items = [
            _convert(k, item, f"{place}.{i}")
            for i, (k, item) in enumerate(zip(kinds, value, strict=True))
        ]
        return tuple(items) if origin is tuple else items
    if origin is dict or kind is dict:
        if not isinstance(value, dict):
            raise _wrong(place, value, "a table")
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        words = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
        raise _wrong(place, value, words[kind])
    return value


def _wrong(place: str, value: Any, expected: str) -> UsageError:
    return UsageError(f"{place} is {value!r}; it must be {expected}.")
