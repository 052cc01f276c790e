"""The paper trader's state as bytes: equal states give equal bytes, and those of another version are refused."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from libs.contracts.codec import decode_as, encode_value
from libs.contracts.frames import FrameGate
from libs.contracts.signals import SignalScored
from libs.contracts.timeline import TimelineGate
from libs.kit.errors import BadMessage
from libs.streaming.timeline import TimelineCursor, Watermarks
from libs.trading.mark_prices import Step, WaitingMarks
from libs.trading.market import TradeTape
from libs.trading.simulation_state import ForeignState
from services.paper_trader.accounts import Accounts, PaperTerms
from services.paper_trader.core import PaperCore
from services.paper_trader.partition import Partition
from services.paper_trader.settlements import Settlements
from services.paper_trader.tapes import rescaled

VERSION = 1
_KINDS = ("<i8", "<i8", "<i8", "u1")
_NATIVE = (np.int64, np.int64, np.int64, np.uint8)


class _Tape(msgspec.Struct, frozen=True, array_like=True):
    symbol: str
    price_decimals: int
    quantity_decimals: int
    columns: tuple[bytes, ...]


class _Settlements(msgspec.Struct, frozen=True, array_like=True):
    symbol: str
    resolved_ms: int
    rates: list[tuple[int, Decimal, Decimal | None]]
    announced: list[int]
    estimate: tuple[Decimal, Decimal | None]


class _Marks(msgspec.Struct, frozen=True, array_like=True):
    symbol: str
    newest_ms: int
    steps: list[Step]


class _Partition(msgspec.Struct, frozen=True, array_like=True):
    number: int
    next_offsets: list[int]
    epoch: int
    positions: dict[str, int]
    frame_epochs: dict[str, int]
    last_ids: dict[str, int]
    watermarks: dict[str, int]
    evaluated: dict[str, tuple[int, int]]
    intervals: dict[str, int]
    funding: list[_Settlements]
    tapes: list[_Tape]
    signals: list[bytes]
    gone: list[str] = []
    by_mark: list[str] = []
    marks: list[_Marks] = []


class _State(msgspec.Struct, frozen=True, array_like=True):
    version: int
    now_ms: int
    scales: dict[str, tuple[int, int] | None]
    partitions: list[_Partition]
    idle: bytes
    accounts: dict[str, bytes]


def dump(core: PaperCore) -> bytes:
    """The state after the records taken so far. What was noticed is not in it."""
    return msgspec.msgpack.encode(
        _State(
            VERSION,
            core.now_ms,
            dict(sorted(core.scales.items())),
            [_kept(number, part) for number, part in sorted(core.partitions.items())],
            core.accounts.idle.state(),
            {name: account.state() for name, account in sorted(core.accounts.by_strategy.items())},
        )
    )


def load(data: bytes, terms: PaperTerms) -> PaperCore:
    """The state as it was, going on under these terms. Raises `ForeignState`."""
    try:
        version = msgspec.msgpack.decode(data, type=list[Any])[0]
        if version != VERSION:
            raise ForeignState(f"the state of the paper accounts has version {version!r}, and this one reads {VERSION}")
        kept = msgspec.msgpack.decode(data, type=_State)
        partitions = {each.number: _partition(each) for each in kept.partitions}
    except (msgspec.MsgspecError, BadMessage, IndexError) as error:
        raise ForeignState(f"the state of the paper accounts cannot be read: {error}") from None
    accounts = Accounts(terms, kept.now_ms)
    accounts.restore(kept.idle, kept.accounts)
    return PaperCore(accounts, partitions, kept.now_ms, dict(kept.scales))


def _kept(number: int, part: Partition) -> _Partition:
    gate, frames = part.cursor.gate, part.cursor.frames
    return _Partition(
        number,
        list(part.next_offsets),
        gate.epoch,
        dict(sorted(gate.positions.items())),
        dict(sorted(frames.epochs.items())),
        dict(sorted(frames.last_ids.items())),
        dict(sorted(part.watermarks.by_symbol.items())),
        dict(sorted(part.evaluated.items())),
        dict(sorted(part.intervals.items())),
        [_kept_settlements(symbol, each) for symbol, each in sorted(part.funding.items())],
        [tape for symbol in sorted(part.tapes) for tape in _kept_tapes(part.tapes[symbol])],
        [encode_value(signal) for _, signal in sorted(part.signals.items())],
        sorted(part.gone),
        sorted(part.by_mark),
        [_Marks(symbol, each.newest_ms, each.steps) for symbol, each in sorted(part.marks.items())],
    )


def _partition(kept: _Partition) -> Partition:
    tapes: dict[str, list[TradeTape]] = {}
    for tape in kept.tapes:
        columns = [
            np.frombuffer(column, kind).astype(native)
            for column, kind, native in zip(tape.columns, _KINDS, _NATIVE, strict=True)
        ]
        whole = TradeTape(tape.symbol, tape.price_decimals, tape.quantity_decimals, *columns)
        tapes.setdefault(tape.symbol, []).append(whole)
    signals = [decode_as(SignalScored, value) for value in kept.signals]
    return Partition(
        next_offsets=list(kept.next_offsets),
        cursor=TimelineCursor(TimelineGate(kept.epoch, kept.positions), FrameGate(kept.frame_epochs, kept.last_ids)),
        watermarks=Watermarks(kept.watermarks),
        evaluated=kept.evaluated,
        intervals=kept.intervals,
        funding={each.symbol: _settlements(each) for each in kept.funding},
        tapes=tapes,
        gone=set(kept.gone),
        signals={signal.event_id: signal for signal in signals},
        by_mark=set(kept.by_mark),
        marks={each.symbol: WaitingMarks(each.symbol, list(each.steps), each.newest_ms) for each in kept.marks},
    )


def _kept_settlements(symbol: str, known: Settlements) -> _Settlements:
    rates = [(instant_ms, rate, mark) for instant_ms, (rate, mark) in sorted(known.rates.items())]
    return _Settlements(symbol, known.resolved_ms, rates, sorted(known.announced), known.estimate)


def _settlements(kept: _Settlements) -> Settlements:
    rates = {instant_ms: (rate, mark) for instant_ms, rate, mark in kept.rates}
    return Settlements(kept.resolved_ms, rates, set(kept.announced), kept.estimate)


def _kept_tapes(parts: Sequence[TradeTape]) -> list[_Tape]:
    """Parts of one scale as one tape: how they came does not matter."""
    if len({part.scale for part in parts}) == 1:
        parts = [rescaled(parts, parts[0].scale)]
    return [_tape(part) for part in parts]


def _tape(part: TradeTape) -> _Tape:
    columns = tuple(
        getattr(part, name).astype(kind).tobytes()
        for name, kind in zip(("time_ms", "price", "quantity", "buyer_is_maker"), _KINDS, strict=True)
    )
    return _Tape(part.symbol, part.price_decimals, part.quantity_decimals, columns)
