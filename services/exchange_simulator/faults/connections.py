"""Faults of whole connections, and which connections a fault is about."""

from collections.abc import Callable, Iterable

from services.exchange_simulator.clock import VenueTime
from services.exchange_simulator.faults import plan
from services.exchange_simulator.faults.desk import Armed, FaultDesk
from services.exchange_simulator.sessions import Session

_GOING_AWAY = 1001


class ConnectionFaults:
    """Carries them out when they begin, on the connections that are open then."""

    def __init__(self, desk: FaultDesk, clock: VenueTime, sessions: Callable[[], Iterable[Session]]) -> None:
        self._desk = desk
        self._clock = clock
        self._sessions = sessions
        desk.on_begin.append(self._begin)

    def refuses(self, path: str) -> bool:
        """Whether a new connection on `path` is turned away now, which the ledger tells: a disconnection lasts."""
        for armed in self._desk.faults():
            fault = armed.fault
            if isinstance(fault, plan.Disconnect) and armed.state == "active" and path.startswith(fault.path):
                self._desk.ledger.add(self._clock.now_ms(), armed.number, "refused", path=path, count=1)
                return True
        return False

    def _begin(self, armed: Armed) -> None:
        fault = armed.fault
        if isinstance(fault, plan.StreamFault):
            if fault.connections != "all":
                armed.targets = frozenset(session.serial for session in self._chosen(fault.connections, "/"))
            return
        if not isinstance(fault, plan.ConnectionFault):
            return
        for session in self._chosen(fault.connections, fault.path):
            armed.affected += 1
            self._desk.ledger.add(
                self._clock.now_ms(),
                armed.number,
                fault.kind,
                connection=session.serial,
                path=session.path,
                detail={"told": session.told.spans()},
            )
            if isinstance(fault, plan.HalfOpen):
                session.muted = True
            elif isinstance(fault, plan.Rotation):
                session.close(_GOING_AWAY, "the longest life of a connection is over")
            elif isinstance(fault, plan.Disconnect) and fault.close_code is not None:
                session.close(fault.close_code, "as asked")
            else:
                session.abort()

    def _chosen(self, which: str, path: str) -> list[Session]:
        found = sorted(
            (session for session in self._sessions() if session.path.startswith(path) and not session.gone),
            key=lambda session: session.serial,
        )
        return found if which == "all" else found[:1] if which == "oldest" else found[-1:]
