"""A simulation's state as bytes: equal states give equal bytes, and bytes that another version kept are refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from libs.contracts.codec import decode_as, encode_value
from libs.contracts.signals import SignalScored
from libs.kit.errors import BadMessage
from libs.trading.machine import layout as at
from libs.trading.market import TradeTape

VERSION = 3
"""Another one as soon as a column of `machine.layout` or a field here means something else; a test remembers the columns."""
_FIRST, _SECOND = 1, 2
"""The version before positions had columns behind their fills, and the one before stops knew mark prices: both are read."""
_COLUMNS_OF_SECOND = at.BY_MARK
_COLUMNS = (("time_ms", "<i8"), ("price", "<i8"), ("quantity", "<i8"), ("buyer_is_maker", "u1"))


class ForeignState(ValueError):
    """The bytes are no state of this version."""


@dataclass(frozen=True, slots=True)
class SymbolState:
    """The end of a symbol's tape, and its position's row."""

    tail: TradeTape
    position: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SimulationState:
    """All that the next slice's results depend on, beside the setup. `signals`: those of orders and positions, by number."""

    now_ms: int
    equity_ms: int
    finished: bool
    account: NDArray[np.int64]
    numbered: int
    symbols: Sequence[SymbolState]
    signals: dict[int, SignalScored]


class _KeptSymbol(msgspec.Struct, frozen=True, array_like=True):
    symbol: str
    price_decimals: int
    quantity_decimals: int
    columns: tuple[bytes, ...]
    position: bytes


class _Kept(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: int
    now_ms: int
    equity_ms: int
    finished: bool
    account: bytes
    numbered: int
    symbols: list[_KeptSymbol]
    signals: list[tuple[int, bytes]]


def dump(state: SimulationState) -> bytes:
    """The state as bytes."""
    return msgspec.msgpack.encode(
        _Kept(
            VERSION,
            state.now_ms,
            state.equity_ms,
            state.finished,
            _bytes(state.account),
            state.numbered,
            [_kept(each) for each in state.symbols],
            [(number, encode_value(signal)) for number, signal in state.signals.items()],
        )
    )


def load(data: bytes) -> SimulationState:
    """The state as it was. Raises `ForeignState`."""
    try:
        version = msgspec.msgpack.decode(data, type=list[Any])[0]
        if version not in (_FIRST, _SECOND, VERSION):
            raise ForeignState(f"the state of a simulation has version {version!r}, and this one reads {VERSION}")
        kept = msgspec.msgpack.decode(data, type=_Kept)
        return SimulationState(
            kept.now_ms,
            kept.equity_ms,
            kept.finished,
            _row(kept.account, at.ACCOUNT_COLUMNS),
            kept.numbered,
            [_symbol(each, kept.version) for each in kept.symbols],
            {number: decode_as(SignalScored, value) for number, value in kept.signals},
        )
    except (msgspec.MsgspecError, BadMessage, IndexError) as error:
        raise ForeignState(f"the state of a simulation cannot be read: {error}") from None


def _kept(state: SymbolState) -> _KeptSymbol:
    tail, position = state.tail, state.position.copy()
    # What a slice finds out at its beginning: places in arrays that are gone.
    position[[at.CURSOR, at.EVENT_AT, at.EVENT_KIND, at.MARK_CURSOR]] = 0
    position[at.EVENT_MS] = at.NEVER
    columns = tuple(_bytes(getattr(tail, name), kind) for name, kind in _COLUMNS)
    return _KeptSymbol(tail.symbol, tail.price_decimals, tail.quantity_decimals, columns, _bytes(position))


def _symbol(kept: _KeptSymbol, version: int) -> SymbolState:
    if len(kept.columns) != len(_COLUMNS):
        raise ForeignState(f"{kept.symbol}: the kept tape has {len(kept.columns)} columns")
    native = (np.int64, np.int64, np.int64, np.uint8)
    columns = [
        np.frombuffer(column, kind).astype(own)
        for column, (_, kind), own in zip(kept.columns, _COLUMNS, native, strict=True)
    ]
    tail = TradeTape(kept.symbol, kept.price_decimals, kept.quantity_decimals, *columns)
    return SymbolState(tail, _position(kept.position, version))


def _position(data: bytes, version: int) -> NDArray[np.int64]:
    """A position of any version that is read: what its columns do not tell works as it does by default."""
    if version == VERSION:
        return _row(data, at.POSITION_COLUMNS)
    row = np.zeros(at.POSITION_COLUMNS, np.int64)
    if version == _SECOND:
        row[:_COLUMNS_OF_SECOND] = _row(data, _COLUMNS_OF_SECOND)
        return row
    row[: at.FILLS_END] = _row(data, at.FILLS_END)
    if row[at.STATE] == at.CLOSING:
        row[at.TRIGGERED] = row[at.CLOSE_WHY]
    row[at.BEST] = row[at.TARGET_1] if row[at.REDUCED] else 0
    return row


def _bytes(column: NDArray[Any], kind: str = "<i8") -> bytes:
    return column.astype(kind).tobytes()


def _row(data: bytes, columns: int) -> NDArray[np.int64]:
    row = np.frombuffer(data, "<i8").astype(np.int64)
    if len(row) != columns:
        raise ForeignState(f"a row of the kept state has {len(row)} columns, not {columns}")
    return row
