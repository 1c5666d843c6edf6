"""Plain values (TOML, JSON) into frozen dataclasses, with errors that name the place."""

import dataclasses
import difflib
import types
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from worldreel.core.errors import UsageError

T = TypeVar("T")


def parse(cls: type[T], values: Any, place: str = "") -> T:
    """Builds a dataclass from a nested dict; dataclasses inside are built likewise.

    Args:
        values: dicts, lists and scalars. An int is taken for a float, nothing else is converted.
        place: where ``values`` stand in their file, in dotted keys.

    Raises:
        UsageError: an unknown key (with the closest one that exists), a missing key, or a
            value of the wrong type; and whatever the classes' own checks raise.
    """
    assert dataclasses.is_dataclass(cls)
    if not isinstance(values, dict):
        raise _wrong(place or "the whole", values, "named values")
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
            raise UsageError(f"{_join(place, name)} is missing.", remedy="Add it.")
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
    if origin is Literal:
        if value not in args:
            raise _wrong(place, value, "one of " + ", ".join(map(repr, args)))
        return value
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return value if dataclasses.is_dataclass(value) else parse(kind, value, place)
    if origin in (tuple, list):
        return _convert_items(origin, args, value, place)
    if origin is dict or kind is dict:
        if not isinstance(value, dict):
            raise _wrong(place, value, "named values")
        inner = args[1] if args else Any
        return {key: _convert(inner, item, _join(place, key)) for key, item in value.items()}
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        words = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
        raise _wrong(place, value, words[kind])
    return value


def _convert_items(origin: Any, args: tuple[Any, ...], value: Any, place: str) -> Any:
    if not isinstance(value, (list, tuple)):
        raise _wrong(place, value, "a list")
    fixed = origin is tuple and args[-1] is not Ellipsis
    if fixed and len(value) != len(args):
        raise _wrong(place, value, f"a list of {len(args)}")
    kinds = args if fixed else [args[0]] * len(value)
    items = [
        _convert(kind, item, f"{place}.{i}")
        for i, (kind, item) in enumerate(zip(kinds, value, strict=True))
    ]
    return tuple(items) if origin is tuple else items


def _wrong(place: str, value: Any, expected: str) -> UsageError:
    return UsageError(f"{place} is {value!r}; it must be {expected}.")
