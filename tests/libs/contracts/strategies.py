"""Hypothesis strategies for events: any event type of the table, and trade frames that are consistent as ingest makes them."""

from collections.abc import Container, Sequence
from typing import Any

import msgspec
import numpy as np
from hypothesis import strategies as st

from libs.contracts.event import Event
from libs.contracts.market import AggTradeFrame, Hole, SymbolSlice
from libs.contracts.plausible import LATEST_MS, MOST_MISSING

Row = tuple[str, int, int]  # symbol, aggregate id, price; enough to recognise a trade
INTEGERS = st.integers(-(2**63), 2**63 - 1)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**12), max_value=10**12)
PRICES = DECIMALS.map(abs)
COUNTS = st.integers(0, 2**63 - 2)
TIMES_MS = st.integers(-1, LATEST_MS - 1)
AMOUNTS = PRICES.filter(bool)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
SYMBOLS = st.text("ABCXYZ0189_币", min_size=1, max_size=12)
RAW_DEFINITIONS = st.dictionaries(st.text(max_size=5), st.integers(0, 9), max_size=3).map(
    lambda value: msgspec.Raw(msgspec.json.encode(value))
)


def event_of(kind: type[Event]) -> st.SearchStrategy[Event]:
    """Any event of one type, from its annotations."""
    return _struct(kind)


def _struct(kind: type[Any]) -> st.SearchStrategy[Any]:
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    fields = {field.name: _field(kind, field) for field in info.fields}
    if "first_missing_id" not in fields:
        return st.builds(kind, **fields)
    ends = st.tuples(COUNTS, st.integers(0, MOST_MISSING - 1)).filter(lambda gap: sum(gap) < 2**63 - 1)
    return ends.flatmap(lambda gap: st.builds(kind, **fields | _of_gap(gap, fields)))


def _of_gap(gap: tuple[int, int], fields: Container[str]) -> dict[str, st.SearchStrategy[int]]:
    """The fields that depend on each other, from a gap's first id and how many there are behind it."""
    unfilled = {"unfilled": st.integers(0, gap[1])} if "unfilled" in fields else {}
    return {"first_missing_id": st.just(gap[0]), "last_missing_id": st.just(sum(gap))} | unfilled


def _field(kind: type[Any], field: Any) -> st.SearchStrategy[Any]:
    return AMOUNTS if field.name in getattr(kind, "POSITIVE", ()) else _from_info(field.type, field.name)


def _plausible(info: Any, name: str) -> st.SearchStrategy[Any] | None:
    """Fields whose values the codec restricts further than their type does."""
    inspect = msgspec.inspect
    if isinstance(info, inspect.IntType) and name.endswith("_ms"):
        return TIMES_MS
    if isinstance(info, inspect.IntType) and name in ("lost", "gaps_open", "gaps_filled"):
        return COUNTS
    if isinstance(info, inspect.DecimalType) and name.endswith("price"):
        return PRICES
    return SYMBOLS if isinstance(info, inspect.StrType) and name == "symbol" else None


def _from_info(info: Any, name: str = "") -> st.SearchStrategy[Any]:
    inspect = msgspec.inspect
    if (restricted := _plausible(info, name)) is not None:
        return restricted
    simple: dict[type[Any], st.SearchStrategy[Any]] = {
        inspect.StrType: TEXTS,
        inspect.IntType: INTEGERS,
        inspect.BoolType: st.booleans(),
        inspect.FloatType: st.floats(allow_nan=False, allow_infinity=False),
        inspect.BytesType: st.binary(max_size=32),
        inspect.DecimalType: DECIMALS,
        inspect.NoneType: st.none(),
        inspect.RawType: RAW_DEFINITIONS,
    }
    if type(info) in simple:
        return simple[type(info)]
    if isinstance(info, inspect.LiteralType):
        return st.sampled_from(info.values)
    if isinstance(info, inspect.UnionType):
        return st.one_of([_from_info(part, name) for part in info.types])
    if isinstance(info, inspect.VarTupleType):
        return st.lists(_from_info(info.item_type), max_size=3).map(tuple)
    if isinstance(info, inspect.DictType):
        return st.dictionaries(_from_info(info.key_type), _from_info(info.value_type), max_size=3)
    if isinstance(info, inspect.StructType):
        return _struct(info.cls)
    raise TypeError(f"no strategy for {info}: extend tests/libs/contracts/strategies.py")


def frame_of(
    rows: Sequence[Row], *, producer: str = "p", epoch: int = 0, sequence: int = 0, holes: Sequence[Hole] = ()
) -> AggTradeFrame:
    """A consistent frame of rows in the given order; late rows none, times equal ids."""
    symbols = list(dict.fromkeys([*(symbol for symbol, _, _ in rows), *(hole.symbol for hole in holes)]))
    ids = {symbol: [i for name, i, _ in rows if name == symbol] for symbol in symbols}
    wide = np.array([i for _, i, _ in rows], "<i8").tobytes()
    return AggTradeFrame(
        event_id=f"{producer}:{epoch}:{sequence}",
        event_time_ms=0,
        partition=0,
        producer=producer,
        epoch=epoch,
        sequence=sequence,
        received_us=0,
        slices=tuple(
            SymbolSlice(name, 1, 3, len(ids[name]), *((ids[name][0], ids[name][-1]) if ids[name] else (-1, -1)), -1)
            for name in symbols
        ),
        holes=tuple(holes),
        symbol_index=np.array([symbols.index(symbol) for symbol, _, _ in rows], "<u2").tobytes(),
        agg_id=wide,
        price=np.array([price for _, _, price in rows], "<i8").tobytes(),
        quantity=wide,
        first_trade_id=wide,
        last_trade_id=wide,
        trade_time=wide,
        buyer_is_maker=bytes(len(rows)),
    )
