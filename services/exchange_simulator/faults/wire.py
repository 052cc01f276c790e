"""Faults of messages: what becomes of each message on its way to one connection."""

import heapq
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec

from services.exchange_simulator.faults import plan
from services.exchange_simulator.faults.desk import Armed, FaultDesk
from services.exchange_simulator.faults.ledger import ranges
from services.exchange_simulator.frames import enveloped, text_frame
from services.exchange_simulator.market import StreamKind
from services.exchange_simulator.sessions import Session

# A message that waits for followers of its stream comes after this time even when fewer came.
_LONGEST_REORDER_MS = 1000
_SURPRISE = {"zz": {"new": [1, "two", None]}, "xq": "0.00", "ia": True}


@dataclass(frozen=True, slots=True)
class Message:
    """One message of one stream: its payload without envelope, and how its text is spoilt at the end.

    `trade`: the symbol's index and the aggregate id, of a trade; `event_ms`: the event time of anything else.
    """

    stream: str
    symbol: str
    kind: StreamKind | plan.UserEvent
    payload: bytes
    trade: tuple[int, int] | None = None
    event_ms: int = 0
    spoilt: Literal["", "malformed", "truncated"] = ""

    def frame(self, combined: bool) -> bytes:
        """The WebSocket frame for a connection."""
        text = enveloped(self.stream, self.payload) if combined else self.payload
        if self.spoilt == "malformed":
            text = text.replace(b'":', b'"=', 1)
        elif self.spoilt == "truncated":
            text = text[: len(text) // 2]
        return text_frame(text)


@dataclass(order=True, slots=True)
class _Held:
    release_ms: int
    order: int
    session: Session = field(compare=False)
    message: Message = field(compare=False)


@dataclass(slots=True)
class _Overtaken:
    message: Message
    left: int
    until_ms: int


class _Account:
    """What one fault did to one symbol of one stream of one connection."""

    __slots__ = ("count", "ids", "stream", "symbol", "times")

    def __init__(self, first: Message) -> None:
        self.stream, self.symbol = first.stream, first.symbol
        self.count = 0
        self.ids = array("q")
        self.times = array("q")

    def add(self, message: Message) -> None:
        self.count += 1
        if message.trade is not None:
            self.ids.append(message.trade[1])
        else:
            self.times.append(message.event_ms)


class Wire:
    """Carries messages to connections through the active faults. `busy`: the hub must hand over single messages."""

    def __init__(self, desk: FaultDesk) -> None:
        self._desk = desk
        self._held: list[_Held] = []
        self._order = 0
        self._overtaken: dict[tuple[int, Session, str], list[_Overtaken]] = {}
        # A skewed clock touches every message, so that its account is written once, at its end.
        self._skewed: dict[tuple[int, int, str, str], _Account] = {}

    @property
    def busy(self) -> bool:
        """Whether any message may be affected now."""
        return bool(self._desk.stream_faults or self._held or self._overtaken)

    def deliver(self, session: Session, messages: Iterable[Message], now_ms: int) -> None:
        """Send messages to one connection, or what the faults make of them."""
        travelling = list(messages)
        for armed in self._desk.stream_faults:
            if armed.targets is None or session.serial in armed.targets:
                travelling = self._through(armed, session, travelling, now_ms)
        _send(session, travelling)

    def release(self, now_ms: int) -> None:
        """Send what was held back until now."""
        while self._held and self._held[0].release_ms <= now_ms:
            held = heapq.heappop(self._held)
            _send(held.session, [held.message])
        for key, waiting in list(self._overtaken.items()):
            for one in [one for one in waiting if one.until_ms <= now_ms]:
                _send(key[1], [one.message])
                waiting.remove(one)
            if not waiting:
                del self._overtaken[key]

    def end(self, armed: Armed, now_ms: int) -> None:
        """A fault is over: a burst comes now, as do those that wait to be overtaken."""
        if isinstance(armed.fault, plan.LateBurst):
            for held in self._held:
                held.release_ms = min(held.release_ms, now_ms) if held.release_ms == armed.end_ms else held.release_ms
            heapq.heapify(self._held)
        for key, waiting in self._overtaken.items():
            for one in waiting if key[0] == armed.number else ():
                one.until_ms = now_ms
        self.release(now_ms)
        for skewed in [key for key in self._skewed if key[0] == armed.number]:
            self._write_down(armed, skewed[1], self._skewed.pop(skewed), now_ms)

    def _through(self, armed: Armed, session: Session, messages: list[Message], now_ms: int) -> list[Message]:
        fault = armed.fault
        if isinstance(fault, plan.ClockSkew):
            armed.affected += len(messages)
            for message in messages:
                key = (armed.number, session.serial, message.stream, message.symbol)
                self._skewed.setdefault(key, _Account(message)).add(message)
            return [_with_time(message, "E", fault.by_ms) for message in messages]
        assert isinstance(fault, plan.StreamFault)
        out: list[Message] = []
        hit: list[Message] = []
        for message in messages:
            if _concerned(fault, message) and armed.lot(fault.probability, fault.most):
                hit.append(message)
                out += self._fate(armed, session, message, now_ms)
            else:
                out.append(message)
            if isinstance(fault, plan.Reorder):
                out += self._overtake(armed, session, message)
        self._note(armed, session, hit, now_ms)
        return out

    def _fate(self, armed: Armed, session: Session, message: Message, now_ms: int) -> list[Message]:
        """What goes on of an affected message."""
        match armed.fault:
            case plan.Silent() | plan.Drop():
                return []
            case plan.Duplicate(copies=copies):
                return [message] * (1 + copies)
            case plan.Delay(by_ms=by_ms):
                self._hold(session, message, now_ms + by_ms)
                return []
            case plan.LateBurst():
                self._hold(session, message, armed.end_ms or now_ms)
                return []
            case plan.Reorder(behind=behind):
                waiting = self._overtaken.setdefault((armed.number, session, message.stream), [])
                # One more than `behind`: the message itself passes `_overtake` first.
                waiting.append(_Overtaken(message, behind + 1, now_ms + _LONGEST_REORDER_MS))
                return []
            case plan.WrongTime(by_ms=by_ms, field=name):
                return [_with_time(message, name, by_ms)]
            case plan.Malformed():
                return [replace(message, spoilt="malformed")]
            case plan.Truncated():
                return [replace(message, spoilt="truncated")]
            case plan.UnknownFields():
                return [_changed(message, lambda fields: fields | _SURPRISE)]
            case plan.MissingFields(fields=names):
                return [_changed(message, lambda fields: {k: v for k, v in fields.items() if k not in names})]
        return [message]

    def _hold(self, session: Session, message: Message, release_ms: int) -> None:
        self._order += 1
        heapq.heappush(self._held, _Held(release_ms, self._order, session, message))

    def _overtake(self, armed: Armed, session: Session, message: Message) -> list[Message]:
        """A message of the stream has passed: those that it was the last to overtake come now."""
        key = (armed.number, session, message.stream)
        waiting = self._overtaken.get(key)
        if not waiting:
            return []
        for one in waiting:
            one.left -= 1
        come = [one.message for one in waiting if one.left == 0]
        self._overtaken[key] = [one for one in waiting if one.left > 0]
        if not self._overtaken[key]:
            del self._overtaken[key]
        return come

    def _note(self, armed: Armed, session: Session, hit: list[Message], now_ms: int) -> None:
        # The streams of all symbols carry several in one batch.
        accounts: dict[tuple[str, str], _Account] = {}
        for message in hit:
            accounts.setdefault((message.stream, message.symbol), _Account(message)).add(message)
        for account in accounts.values():
            self._write_down(armed, session.serial, account, now_ms)

    def _write_down(self, armed: Armed, serial: int, account: "_Account", now_ms: int) -> None:
        self._desk.ledger.add(
            now_ms,
            armed.number,
            armed.fault.kind,
            connection=serial,
            symbol=account.symbol,
            stream=account.stream,
            ids=ranges(account.ids),
            times=account.times.tolist(),
            count=account.count,
            detail=_particulars(armed, now_ms),
        )


def _send(session: Session, messages: Iterable[Message]) -> None:
    messages = list(messages)
    if session.write(b"".join(message.frame(session.combined) for message in messages)):
        for message in messages:
            if message.trade is not None:
                session.told.note_one(*message.trade)


def _particulars(armed: Armed, now_ms: int) -> dict[str, object]:
    """What a test must know beside the ids: when what was held back is due (where that is a time), and how wrong a time is."""
    match armed.fault:
        case plan.Delay(by_ms=by_ms):
            return {"release_ms": now_ms + by_ms}
        case plan.LateBurst():
            return {"release_ms": armed.end_ms}
        case plan.WrongTime(by_ms=by_ms, field=name):
            return {"field": name, "by_ms": by_ms}
        case plan.ClockSkew(by_ms=by_ms):
            return {"field": "E", "by_ms": by_ms}
        case plan.MissingFields(fields=names):
            return {"fields": list(names)}
    return {}


def _concerned(fault: plan.StreamFault, message: Message) -> bool:
    return message.kind in fault.streams and (not fault.symbols or message.symbol in fault.symbols)


def _changed(message: Message, change: Any) -> Message:
    """The message with other fields; a list (all-market mark prices) has each of its objects changed."""
    content = msgspec.json.decode(message.payload)
    changed = [change(item) for item in content] if isinstance(content, list) else change(content)
    return replace(message, payload=msgspec.json.encode(changed))


def _with_time(message: Message, name: str, by_ms: int) -> Message:
    return _changed(message, lambda fields: fields | {name: fields[name] + by_ms} if name in fields else fields)
