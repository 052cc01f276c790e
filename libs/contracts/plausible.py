"""What decoded events must also be: numbers that can be calculated with, times of this era, text that can be stored, and symbols
that every id can carry.

Types alone let `NaN`, 10^1000000, the year 40000, a NUL and a symbol with a line break pass; each of them would end some reader,
which would then meet the same record again at its next start. So the codec refuses them for everybody.
"""

from collections.abc import Callable
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any

import msgspec

from libs.kit.errors import BadMessage

LATEST_MS = 4_102_444_800_000  # 2100-01-01
MOST_DECIMALS = 18
"""Decimals of a price or a quantity."""
LONGEST_SYMBOL = 40
_MOST_DIGITS = 40  # before the point, and zeros after it
_FORBIDDEN = frozenset("|:")  # separators of ids and of places
_INT64 = 1 << 63

Check = Callable[[Any], str | None]
"""Says what is wrong with a value, or None."""


def check(event: msgspec.Struct) -> None:
    """Raises `BadMessage` "implausible" naming the field."""
    for name, wrong in _checks(type(event)):
        if (what := wrong(getattr(event, name))) is not None:
            raise BadMessage("implausible", f"{type(event).__name__}.{name} {what}")


@cache
def _checks(kind: type[msgspec.Struct]) -> tuple[tuple[str, Check], ...]:
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    positive: frozenset[str] = getattr(kind, "POSITIVE", frozenset())
    found = (
        (field.name, _wrong_amount if field.name in positive else _check_of(field.name, field.type))
        for field in info.fields
    )
    return tuple((name, wrong) for name, wrong in found if wrong is not None)


def _check_of(name: str, info: msgspec.inspect.Type) -> Check | None:
    inspect = msgspec.inspect
    if isinstance(info, inspect.UnionType):
        parts = [found for part in info.types if (found := _check_of(name, part)) is not None]
        return _optional(parts[0]) if parts else None
    if isinstance(info, inspect.DecimalType):
        return _wrong_price if name.endswith("price") else wrong_decimal
    if isinstance(info, inspect.IntType):
        # An age is a difference of times and may be negative.
        return _wrong_time if name.endswith("_ms") and name != "age_ms" else _wrong_integer
    if isinstance(info, inspect.StrType):
        return _wrong_symbol if name == "symbol" else _wrong_text
    if isinstance(info, inspect.DictType):
        return _both(_each(_check_of("", info.key_type), iter), _each(_check_of("", info.value_type), dict.values))
    if isinstance(info, inspect.VarTupleType):
        return _each(_check_of("", info.item_type), iter)
    return _nested if isinstance(info, inspect.StructType) else None


def _optional(wrong: Check) -> Check:
    return lambda value: None if value is None else wrong(value)


def _each(wrong: Check | None, items: Callable[[Any], Any]) -> Check | None:
    if wrong is None:
        return None
    return lambda values: next((what for value in items(values) if (what := wrong(value)) is not None), None)


def _both(first: Check | None, second: Check | None) -> Check | None:
    if first is None or second is None:
        return first or second
    return lambda value: first(value) or second(value)


def _nested(value: msgspec.Struct) -> str | None:
    for name, wrong in _checks(type(value)):
        if (what := wrong(getattr(value, name))) is not None:
            return f"{name} {what}"
    return None


def wrong_decimal(value: Decimal) -> str | None:
    """What is wrong with a number of any event, or None: for those who calculate numbers and want to send them."""
    if not value.is_finite():
        return "is not finite"
    return None if -_MOST_DIGITS <= value.adjusted() <= _MOST_DIGITS else f"has more than {_MOST_DIGITS} digits"


def _wrong_price(value: Decimal) -> str | None:
    return wrong_decimal(value) or ("is negative" if value < 0 else None)


def _wrong_amount(value: Decimal) -> str | None:
    return wrong_decimal(value) or (None if value > 0 else "is not positive")


def _wrong_text(value: str) -> str | None:
    # The one character of JSON that no text of PostgreSQL can hold: what the engine counts must reach the tables.
    return "contains a NUL" if "\0" in value else None


def _wrong_integer(value: int) -> str | None:
    return None if -_INT64 <= value < _INT64 else "does not fit 64 bits"


def _wrong_time(value: int) -> str | None:
    return None if -1 <= value < LATEST_MS else f"{value} is no time between 1970 and 2100"


@lru_cache(4096)
def _wrong_symbol(value: str) -> str | None:
    if 0 < len(value) <= LONGEST_SYMBOL and value.isprintable() and " " not in value and not _FORBIDDEN & set(value):
        return None
    return f"{value[:LONGEST_SYMBOL]!r} is no symbol"
