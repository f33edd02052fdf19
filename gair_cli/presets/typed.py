"""Typed settings: `--set` texts and TOML tables become frozen dataclasses, every key checked.

The rule callers break: a table knows no key that its dataclass does not, so a misspelt setting is
an error that lists the legal ones, never silence.
"""

from __future__ import annotations

import dataclasses
import tomllib
import types
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from gair_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

_WANTED = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def parse_settings(texts: Iterable[str]) -> dict[str, Any]:
    """Return `--set` texts as nested tables.

    Args:
        texts: Each `key.inner=value`; a value is TOML (`3`, `1e-3`, `true`, `[1, 16]`), and what is
            not TOML is taken as text, so that `model.query=mean` needs no quotes.

    Returns:
        Nested dictionaries: `{"model": {"query": "mean"}}`. A later text wins.

    Raises:
        UsageError: If a text has no `=` or an empty key.
    """
    tables: dict[str, Any] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        parts = [part.strip() for part in key.split(".")]
        if not separator or not all(parts):
            raise UsageError(f"--set {text!r} is not KEY=VALUE", hint="like --set model.rs.depth=2")
        nested: dict[str, Any] = {parts[-1]: _parse_value(value.strip())}
        for part in reversed(parts[:-1]):
            nested = {part: nested}
        tables = merge_tables(tables, nested)
    return tables


def _parse_value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def merge_tables(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the keys of `over` on top, table by table; neither is changed."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = merge_tables(old, value) if both else value  # type: ignore[arg-type]
    return merged


def build(cls: type[T], table: object, where: str) -> T:
    """Return a dataclass made from a table, with every key and type checked.

    Args:
        cls: A dataclass whose fields are numbers, texts, `Literal`, `tuple`, optional ones, or
            dataclasses again.
        table: Keys are field names; the word `none` stands for None, which TOML has not.
        where: The table's name in messages, such as `model.rs`.

    Returns:
        An instance of `cls`; a key that is absent takes the field's default.

    Raises:
        UsageError: If a key is unknown or missing, or a value has the wrong type.
    """
    if not isinstance(table, Mapping):
        raise UsageError(f"{where} is {table!r}, wanted a table of settings")
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = [key for key in table if key not in fields]
    if unknown:
        near = get_close_matches(str(unknown[0]), fields, n=1)
        asks = f"did you mean {where}.{near[0]}? " if near else ""
        raise UsageError(
            f"unknown setting {where}.{unknown[0]}", hint=f"{asks}known there: {', '.join(fields)}"
        )
    missing = [name for name, field in fields.items() if name not in table and _required(field)]
    if missing:
        raise UsageError(f"{where} has no {missing[0]}", hint=f"set {where}.{missing[0]}")
    hints = get_type_hints(cls)
    return cls(
        **{key: _convert(value, hints[key], f"{where}.{key}") for key, value in table.items()}
    )


def _required(field: dataclasses.Field[Any]) -> bool:
    none = dataclasses.MISSING
    return field.default is none and field.default_factory is none


def _convert(value: object, hint: Any, where: str) -> object:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _convert_optional(value, hint, where)
    if origin is Literal:
        return _convert_choice(value, get_args(hint), where)
    if origin is tuple:
        return _convert_tuple(value, get_args(hint), where)
    if dataclasses.is_dataclass(hint):
        return build(hint, value, where)  # type: ignore[arg-type]
    return _convert_scalar(value, hint, where)


def _convert_optional(value: object, hint: Any, where: str) -> object:
    if value is None or value == "none":
        return None
    (inner,) = (arg for arg in get_args(hint) if arg is not types.NoneType)
    return _convert(value, inner, where)


def _convert_choice(value: object, choices: tuple[Any, ...], where: str) -> object:
    if value not in choices:
        raise UsageError(f"{where} is {value!r}", hint=f"one of {', '.join(map(str, choices))}")
    return value


def _convert_tuple(value: object, inner: tuple[Any, ...], where: str) -> object:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise UsageError(f"{where} is {value!r}, wanted a list", hint="like [1, 16, 256]")
    hints = [inner[0]] * len(value) if inner[-1] is Ellipsis else list(inner)
    if len(hints) != len(value):
        raise UsageError(f"{where} has {len(value)} items, wanted {len(hints)}")
    return tuple(_convert(item, hint, where) for item, hint in zip(value, hints, strict=True))


def _convert_scalar(value: object, hint: Any, where: str) -> object:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if hint is float and (whole or isinstance(value, float)):
        return float(value)  # type: ignore[arg-type]
    if (hint is int and whole) or (hint in (bool, str) and isinstance(value, hint)):
        return value
    raise UsageError(f"{where} is {value!r}, wanted {_WANTED.get(hint, hint)}")


def to_table(value: object) -> Any:
    """Return a dataclass as plain tables and lists for TOML or JSON; None fields are left out."""
    if dataclasses.is_dataclass(value):
        pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: to_table(item) for name, item in pairs if item is not None}
    if isinstance(value, tuple):
        return [to_table(item) for item in value]
    return value
