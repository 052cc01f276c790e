"""All connections together: what is wanted of the market, and who gets which bytes."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from libs.kit.clock import wall_us
from libs.kit.metrics import gauge
from services.exchange_simulator.faults.desk import FaultDesk
from services.exchange_simulator.faults.wire import Message, Wire
from services.exchange_simulator.frames import AggTradeEncoder, enveloped, payloads_of, text_frame
from services.exchange_simulator.market import MarketSource, SideEvent, TradeWindow
from services.exchange_simulator.sessions import Session
from services.exchange_simulator.streams import parse_stream
from services.exchange_simulator.told import Told
from services.exchange_simulator.write_log import WriteLog

_WARM_UP_MS = 1000
_clients = gauge("perpstream_simulator_clients")


@dataclass(frozen=True, slots=True)
class Demand:
    """What all sessions want: how many have subscribed, symbol indexes for aggTrade, names of the other streams, and sessions by
    what they get."""

    readers: int
    trade_symbols: tuple[int, ...]
    side_names: frozenset[str]
    trade_groups: tuple[tuple[NDArray[np.bool_], bool, tuple[Session, ...]], ...]
    side_readers: dict[str, tuple[Session, ...]]


class Hub:
    """Knows the sessions; the plan of who gets what is rebuilt only when a subscription changes."""

    def __init__(self, source: MarketSource, desk: FaultDesk) -> None:
        self.told_ms = 0
        self.write_log: WriteLog | None = None
        self.wire = Wire(desk)
        self._source = source
        self._desk = desk
        self._index = {symbol: index for index, symbol in enumerate(source.symbols)}
        self._encoders: dict[bool, AggTradeEncoder] = {}
        self.use_rules()
        self._serial = 0
        self._sessions: dict[Session, str] = {}
        self._demand = Demand(0, (), frozenset(), (), {})
        self._changes = 0
        self._versions: tuple[int, ...] = ()

    def use_rules(self) -> None:
        """Encode with the market's present rules: a tick size may have changed."""
        rules = [self._source.rules[symbol] for symbol in self._source.symbols]
        self._encoders = {combined: AggTradeEncoder(rules, combined) for combined in (False, True)}

    def warm_up(self, source: MarketSource) -> None:
        """Compile or load what the first window would otherwise wait for."""
        moment = source.first_ms(source.symbols[0]) + _WARM_UP_MS
        window = source.window(moment - _WARM_UP_MS, moment, (0,))
        for encoder in self._encoders.values():
            encoder.frames(window, np.ones(len(self._index), np.bool_))
        source.bars(source.symbols[0], "1m", [moment // 60_000 * 60_000], moment)

    def add(self, session: Session, path: str) -> None:
        """A connection was opened."""
        self._serial += 1
        session.serial, session.path, session.told = self._serial, path, Told(self._source.symbols)
        self._sessions[session] = path
        if self._desk.used:
            self._desk.ledger.add(self.told_ms, 0, "connected", connection=session.serial, path=path)
        self._changes += 1
        _clients.labels(path).inc()

    def remove(self, session: Session) -> None:
        """A connection has ended."""
        path = self._sessions.pop(session, None)
        self._changes += 1
        if path is not None:
            _clients.labels(path).dec()
            if self._desk.used:
                facts = {"connection": session.serial, "path": path, "told_ms": self.told_ms}
                detail = {"told": session.told.spans(), "unsent_bytes": session.unsent_at_end}
                self._desk.ledger.add(self.told_ms, 0, "disconnected", **facts, detail=detail)

    def sessions(self) -> Iterable[Session]:
        """Open connections."""
        return list(self._sessions)

    def clients(self) -> dict[str, int]:
        """Open connections by path."""
        counts: dict[str, int] = {}
        for path in self._sessions.values():
            counts[path] = counts.get(path, 0) + 1
        return counts

    def demand(self) -> Demand:
        """What is wanted now."""
        versions = (self._changes, *(session.version for session in self._sessions))
        if versions != self._versions:
            self._versions = versions
            self._demand = self._plan()
        return self._demand

    def _plan(self) -> Demand:
        groups: dict[tuple[bytes, bool], list[Session]] = {}
        readers: dict[str, list[Session]] = {}
        for session in self._sessions:
            mask = np.zeros(len(self._index), np.bool_)
            for stream in session.streams():
                if stream.kind == "aggTrade" and stream.symbol in self._index:
                    mask[self._index[stream.symbol]] = True
                elif stream.kind != "aggTrade":
                    readers.setdefault(stream.name, []).append(session)
            if mask.any():
                groups.setdefault((mask.tobytes(), session.combined), []).append(session)
        masks = [(np.frombuffer(mask, np.bool_), combined, tuple(found)) for (mask, combined), found in groups.items()]
        wanted = np.zeros(len(self._index), np.bool_)
        for mask, _, _ in masks:
            wanted |= mask
        return Demand(
            readers=sum(bool(session.streams()) for session in self._sessions),
            trade_symbols=tuple(int(index) for index in np.flatnonzero(wanted)),
            side_names=frozenset(readers),
            trade_groups=tuple(masks),
            side_readers={name: tuple(found) for name, found in readers.items()},
        )

    def misbehave(self, now_ms: int) -> None:
        """Begin and end the faults that are due, and send what they have held back until now."""
        self._desk.tick(now_ms)
        if self.wire.busy:
            self.wire.release(now_ms)

    def publish_trades(self, window: TradeWindow, demand: Demand) -> None:
        """Send a window of trades: one encoding for all sessions that want the same symbols in the same mode."""
        if self.write_log is not None and len(window.trades.ids):
            self.write_log.note(wall_us(), window.symbol_index, window.trades.ids)
        for mask, combined, sessions in demand.trade_groups:
            if self.wire.busy:
                messages = self._messages(window, mask)
                for session in sessions:
                    self.wire.deliver(session, messages, self.told_ms)
                continue
            frames = self._encoders[combined].frames(window, mask)
            rows = np.flatnonzero(mask[window.symbol_index])
            index, ids = window.symbol_index[rows], window.trades.ids[rows]
            for session in sessions:
                if session.write(frames):
                    session.told.note(index, ids)

    def _messages(self, window: TradeWindow, mask: NDArray[np.bool_]) -> list[Message]:
        rows = np.flatnonzero(mask[window.symbol_index])
        indexes = window.symbol_index[rows].tolist()
        trades = list(zip(indexes, window.trades.ids[rows].tolist(), strict=True))
        payloads = payloads_of(self._encoders[False].frames(window, mask))
        return [
            Message(
                f"{self._source.symbols[index].lower()}@aggTrade",
                self._source.symbols[index],
                "aggTrade",
                payload,
                trade,
            )
            for index, payload, trade in zip(indexes, payloads, trades, strict=True)
        ]

    def publish_side(self, events: Iterable[SideEvent], demand: Demand) -> None:
        """Send low-rate events to those who asked for one of their streams."""
        if self.wire.busy:
            self._publish_side_singly(events, demand)
            return
        batches: dict[Session, list[bytes]] = {}
        for event in events:
            for name in event.streams:
                for session in demand.side_readers.get(name, ()):
                    payload = enveloped(name, event.payload) if session.combined else event.payload
                    batches.setdefault(session, []).append(text_frame(payload))
        for session, frames in batches.items():
            session.write(b"".join(frames))

    def _publish_side_singly(self, events: Iterable[SideEvent], demand: Demand) -> None:
        batches: dict[Session, list[Message]] = {}
        for event in events:
            for name in event.streams:
                stream = parse_stream(name)
                assert stream is not None, "nobody can have subscribed to it"
                message = Message(name, event.symbol, stream.kind, event.payload, event_ms=event.event_ms)
                for session in demand.side_readers.get(name, ()):
                    batches.setdefault(session, []).append(message)
        for session, messages in batches.items():
            self.wire.deliver(session, messages, self.told_ms)
