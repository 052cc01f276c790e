"""Who hears what an account is told: the private connections with a living listen key of that account."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from services.exchange_simulator.clock import VenueTime
from services.exchange_simulator.faults.plan import UserEvent
from services.exchange_simulator.faults.wire import Message
from services.exchange_simulator.hub import Hub
from services.exchange_simulator.payloads import encode_json
from services.exchange_simulator.private.ledger import TradingLedger
from services.exchange_simulator.private.listen_keys import ListenKeys
from services.exchange_simulator.sessions import Session
from services.exchange_simulator.trading.events import Payload, Told


@dataclass(slots=True)
class UserStreams:
    """Hands events over through the faults of the wire; the ledger names the connections."""

    hub: Hub
    keys: ListenKeys
    clock: VenueTime
    ledger: TradingLedger
    # Whether only listen keys in addresses with names of events count.
    strict: bool = False

    def tell(self, told: Iterable[Told]) -> None:
        """One event after the other. Between types the venue keeps no order: at odd milliseconds balances come first."""
        for at, group in groupby(told, key=lambda one: one.time_ms):
            events = list(group)
            if at % 2:
                events.sort(key=lambda one: one.payload["e"] != "ACCOUNT_UPDATE")
            for event in events:
                self._tell(event)

    def _tell(self, event: Told) -> None:
        kind = str(event.payload["e"])
        heard: list[int] = []
        for session in self.hub.sessions():
            key = self._key_of(session, event.account.name)
            if key is not None and not session.gone and session.wants(kind):
                heard.append(session.serial)
                self._deliver(session, key, event.payload)
        facts = {"event": event.payload, "connections": heard}
        self.ledger.add(self.clock.now_ms(), "event", event.account.name, facts)

    def _deliver(self, session: Session, key: str, payload: Payload) -> None:
        kind: UserEvent = payload["e"]  # type: ignore[assignment]
        moment = payload["E"]
        assert isinstance(moment, int), "event times are ms"
        message = Message(key, symbol_of(payload), kind, encode_json(payload), event_ms=moment)
        self.hub.wire.deliver(session, [message], self.clock.now_ms())

    def _key_of(self, session: Session, account: str) -> str | None:
        if session.route != "private":
            return None
        if self.strict:
            stated = session.listen_key if session.events is not None else ""
            return stated if self.keys.account_of(stated) == account else None
        return next((text for text in session.listen_keys() if self.keys.account_of(text) == account), None)

    def expire(self, keys: Sequence[str]) -> dict[str, list[int]]:
        """Tell those who hold them that keys are over; their connections stay open. Returns serial numbers by key."""
        found: dict[str, list[int]] = {}
        for key in keys:
            payload: Payload = {"e": "listenKeyExpired", "E": self.clock.now_ms(), "listenKey": key}
            concerned = [one for one in self.hub.sessions() if one.route == "private" and key in one.listen_keys()]
            for session in concerned:
                self._deliver(session, key, payload)
            found[key] = [session.serial for session in concerned]
        return found


def symbol_of(payload: Payload) -> str:
    """The symbol that an event is about, "" for one of the whole account."""
    for part in (payload, payload.get("o"), payload.get("ac"), payload.get("a")):
        if not isinstance(part, dict):
            continue
        if isinstance(found := part.get("s") or part.get("S"), str) and found:
            return found
        held = part.get("P")
        if isinstance(held, list) and held:
            return str(held[0]["s"])
    return ""
