"""What decoded events must also be: numbers that can be calculated with, times of this era, text that can be stored, and symbols
that every id can carry.

Types alone let `NaN`, 10^1000000, the year 40000, a NUL and a symbol with a line break pass; each of them would end some reader,
which would then meet the same record again at its next start. So the codec refuses them for everybody.
"""

import unicodedata
from collections.abc import Callable
from decimal import Decimal
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from libs.kit.errors import BadMessage

LATEST_MS = 4_102_444_800_000  # 2100-01-01
MOST_DECIMALS = 18
"""Decimals of a price or a quantity."""
MOST_MISSING = 10**12
"""Ids of one gap: more than any market has had, and sums of them fit 64 bits."""
LONGEST_SYMBOL = 40
_MOST_DIGITS = 40  # before the point, and zeros after it
_MOST_AMOUNT_DIGITS = 20  # before the point, of what was traded and at which price
_IN_SYMBOLS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_OTHER_LETTERS = ("Lu", "Lo")  # capital letters of other scripts, and letters of scripts without capitals
_INTEGERS = range(-(1 << 63), 1 << 63)
_TIMES = range(-1, LATEST_MS)
_COUNTS = range((1 << 63) - 1)  # PostgreSQL has the end of a range of ids too, which is one more
_COUNTED = frozenset(("first_missing_id", "last_missing_id", "unfilled", "lost", "gaps_open", "gaps_filled"))
_GAP = frozenset(("first_missing_id", "last_missing_id"))

Check = Callable[[Any], str | None]
"""Says what is wrong with a value, or None."""


def check(event: msgspec.Struct) -> None:
    """Raises `BadMessage` "implausible" naming the field."""
    if (what := _wrong_in(event)) is not None:
        raise BadMessage("implausible", f"{type(event).__name__}.{what}")


class _Range(NamedTuple):
    """Integer fields with the same bounds, looked at together: frames have six for each of their symbols."""

    names: tuple[str, ...]
    read: Callable[[Any], tuple[int, ...]]
    allowed: range
    wrong: Check


class _Plan(NamedTuple):
    """How a struct is checked: integers by their bounds, then every other field by itself; then, of a gap, how they agree."""

    ranges: tuple[_Range, ...]
    others: tuple[tuple[str, Check], ...]
    is_gap: bool


def _wrong_in(value: msgspec.Struct) -> str | None:
    """The first field found wrong, and what is wrong with it."""
    plan = _plan(type(value))
    for bounds in plan.ranges:
        numbers = bounds.read(value)
        if min(numbers) not in bounds.allowed or max(numbers) not in bounds.allowed:
            wrong = zip(bounds.names, map(bounds.wrong, numbers), strict=True)
            return next(f"{name} {what}" for name, what in wrong if what is not None)
    for name, check_one in plan.others:
        if (what := check_one(getattr(value, name))) is not None:
            return f"{name} {what}"
    return _wrong_gap(value) if plan.is_gap else None


def _wrong_gap(gap: Any) -> str | None:
    """Missing ids are counted as trades that nobody has: a gap of fewer than none, or with more of it unfilled, would be too."""
    first, last = gap.first_missing_id, gap.last_missing_id
    if last < first:
        return f"last_missing_id {last} is before the first, {first}"
    if last - first >= MOST_MISSING:
        return f"last_missing_id {last} is further from the first than {MOST_MISSING}"
    unfilled = getattr(gap, "unfilled", 0)
    return f"unfilled {unfilled} is more than the gap has" if unfilled > last - first + 1 else None


@cache
def _plan(kind: type[msgspec.Struct]) -> _Plan:
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    positive: frozenset[str] = getattr(kind, "POSITIVE", frozenset())
    found = {
        field.name: _wrong_amount if field.name in positive else _if_set(field, _check_of(field.name, field.type))
        for field in info.fields
    }
    ranges = tuple(
        _Range(names, _reader(names), allowed, wrong)
        for wrong, allowed in ((_wrong_integer, _INTEGERS), (_wrong_time, _TIMES), (_wrong_count, _COUNTS))
        if (names := tuple(name for name, check_one in found.items() if check_one is wrong))
    )
    together = {name for bounds in ranges for name in bounds.names}
    others = tuple((name, one) for name, one in found.items() if one is not None and name not in together)
    return _Plan(ranges, others, found.keys() >= _GAP)


def _if_set(field: msgspec.inspect.Field, wrong: Check | None) -> Check | None:
    """Of a field that was added later, the check of what stands in it; older records have nothing there."""
    # The library shows UNSET, our default of such fields, as no default at all.
    may_be_unset = not field.required and field.default is field.default_factory is msgspec.NODEFAULT
    if wrong is None or not may_be_unset:
        return wrong
    return lambda value: None if value is msgspec.UNSET else wrong(value)


def _reader(names: tuple[str, ...]) -> Callable[[Any], tuple[int, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    only = attrgetter(names[0])
    return lambda value: (only(value),)


def _check_of(name: str, info: msgspec.inspect.Type) -> Check | None:
    inspect = msgspec.inspect
    if isinstance(info, inspect.UnionType):
        return _union(name, info)
    if isinstance(info, inspect.DecimalType):
        return _wrong_price if name.endswith("price") else wrong_decimal
    if isinstance(info, inspect.IntType):
        if name in _COUNTED:
            return _wrong_count
        # An age is a difference of times and may be negative.
        return _wrong_time if name.endswith("_ms") and name != "age_ms" else _wrong_integer
    if isinstance(info, inspect.StrType):
        return wrong_symbol if name == "symbol" else _wrong_text
    if isinstance(info, inspect.DictType):
        return _both(_each(_check_of("", info.key_type), iter), _each(_check_of("", info.value_type), dict.values))
    if isinstance(info, inspect.VarTupleType):
        return _each(_check_of("", info.item_type), iter)
    return _wrong_in if isinstance(info, inspect.StructType) else None


def _union(name: str, info: msgspec.inspect.UnionType) -> Check | None:
    """Of a value or None, and of plain values of several types, each looked at as what it is."""
    inspect = msgspec.inspect
    by_type = {
        plain: found
        for part in info.types
        for kind, plain in ((inspect.StrType, str), (inspect.IntType, int))
        if isinstance(part, kind) and (found := _check_of(name, part)) is not None
    }
    if len(by_type) > 1:
        return lambda value: check_one(value) if (check_one := by_type.get(type(value))) is not None else None
    parts = [found for part in info.types if (found := _check_of(name, part)) is not None]
    return _optional(parts[0]) if parts else None


def _optional(wrong: Check) -> Check:
    return lambda value: None if value is None else wrong(value)


def _each(wrong: Check | None, items: Callable[[Any], Any]) -> Check | None:
    if wrong is None:
        return None

    def first(values: Any) -> str | None:
        for value in items(values):
            if (what := wrong(value)) is not None:
                return what
        return None

    return first


def _both(first: Check | None, second: Check | None) -> Check | None:
    if first is None or second is None:
        return first or second
    return lambda value: first(value) or second(value)


def wrong_decimal(value: Decimal) -> str | None:
    """What is wrong with a number of any event, or None: for those who calculate numbers and want to send them."""
    if not value.is_finite():
        return "is not finite"
    return None if -_MOST_DIGITS <= value.adjusted() <= _MOST_DIGITS else f"has more than {_MOST_DIGITS} digits"


def _wrong_price(value: Decimal) -> str | None:
    return wrong_decimal(value) or ("is negative" if value < 0 else None)


def _wrong_amount(value: Decimal) -> str | None:
    if (what := wrong_decimal(value)) is not None:
        return what
    if value <= 0:
        return "is not positive"
    return None if value.adjusted() < _MOST_AMOUNT_DIGITS else f"is not below 10^{_MOST_AMOUNT_DIGITS}"


def _wrong_text(value: str) -> str | None:
    # The one character of JSON that no text of PostgreSQL can hold: what the engine counts must reach the tables.
    return "contains a NUL" if "\0" in value else None


def _wrong_integer(value: int) -> str | None:
    return None if value in _INTEGERS else "does not fit 64 bits"


def _wrong_count(value: int) -> str | None:
    if value in _COUNTS:
        return None
    return _wrong_integer(value) or ("is negative" if value < 0 else "has no successor of 64 bits")


def _wrong_time(value: int) -> str | None:
    return None if value in _TIMES else f"{value} is no time between 1970 and 2100"


@lru_cache(4096)
def wrong_symbol(value: str) -> str | None:
    """What is wrong with a symbol, or None.

    Capitals, digits and `_`, and letters of other scripts, which the venue has too. Symbols become names of folders and parts of
    ids, so no separator of either may stand in one.
    """
    if 0 < len(value) <= LONGEST_SYMBOL and all(map(_in_symbols, value)):
        return None
    return f"{value[:LONGEST_SYMBOL]!r} is no symbol"


def _in_symbols(character: str) -> bool:
    return character in _IN_SYMBOLS or (not character.isascii() and unicodedata.category(character) in _OTHER_LETTERS)
