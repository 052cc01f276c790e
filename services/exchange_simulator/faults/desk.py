"""The faults that were asked for: numbered, begun and ended by venue time, remembered in the state folder."""

import os
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from libs.kit.errors import ConfigurationError
from libs.kit.logging import get_logger
from services.exchange_simulator.faults.base import RestFault
from services.exchange_simulator.faults.ledger import Ledger
from services.exchange_simulator.faults.plan import FAULT, AnyFault, ClockSkew, MarketFault, StreamFault
from services.exchange_simulator.faults.trading import AccountFault

PLAN_FILE = "faults.json"
State = Literal["scheduled", "active", "ended"]
_INSTANT = ("disconnect", "rotation", "half_open", "listen_key_expiry")
_log = get_logger("faults")


@dataclass(slots=True, eq=False)
class Armed:
    """A fault with its number and its time on the venue's clock; `end_ms` None: until it is deleted."""

    number: int
    fault: AnyFault
    begin_ms: int
    end_ms: int | None
    state: State = "scheduled"
    affected: int = 0
    # Serial numbers of the connections it is about; None: all.
    targets: frozenset[int] | None = None
    chance: random.Random = field(default_factory=random.Random)

    def lot(self, probability: float, most: int | None) -> bool:
        """Whether the next candidate is affected; the same candidates give the same answers. Counts it."""
        if most is not None and self.affected >= most:
            return False
        if probability < 1.0 and self.chance.random() >= probability:
            return False
        self.affected += 1
        return True

    def described(self) -> dict[str, object]:
        """The fault as the API shows it."""
        return {
            "number": self.number,
            "state": self.state,
            "begin_ms": self.begin_ms,
            "end_ms": self.end_ms,
            "affected": self.affected,
            "fault": self.fault.model_dump(mode="json", exclude_none=True),
        }


class _Kept(msgspec.Struct):
    number: int
    fault: dict[str, object]
    begin_ms: int
    end_ms: int | None
    state: State
    affected: int


class _Plan(msgspec.Struct):
    scripted: bool
    faults: list[_Kept]


class FaultDesk:
    """Knows what is wrong now. `on_begin` and `on_end` are called at the first tick at or after a fault's time."""

    def __init__(self, folder: Path | None = None, seed: int = 0) -> None:
        self.ledger = Ledger(folder)
        self.on_begin: list[Callable[[Armed], None]] = []
        self.on_end: list[Callable[[Armed], None]] = []
        self.stream_faults: tuple[Armed, ...] = ()
        self.rest_faults: tuple[Armed, ...] = ()
        self.market_faults: tuple[Armed, ...] = ()
        self.skew_ms = 0
        self.scripted = False
        self._seed = seed
        self._folder = folder
        self._faults: dict[int, Armed] = {}
        self._open = False
        if folder is not None and (folder / PLAN_FILE).exists():
            self._load(folder / PLAN_FILE)

    @property
    def used(self) -> bool:
        """Whether any fault was ever asked for; before that nothing is written down."""
        return bool(self._faults)

    def faults(self) -> list[Armed]:
        """All of them, the ended ones too, by number."""
        return list(self._faults.values())

    def add(self, fault: AnyFault, now_ms: int) -> Armed:
        """Arm a fault. Raises `ValueError` for a beginning in the past: what has been told cannot be changed.

        Trades of this millisecond may have been told already, so a market fault begins in the next one at the earliest.
        """
        begin = fault.at_ms if fault.at_ms is not None else now_ms + (fault.after_ms or 0)
        if begin < now_ms:
            raise ValueError(f"at_ms {begin} is in the past: the venue's clock says {now_ms}")
        if isinstance(fault, MarketFault):
            begin = max(begin, now_ms + 1)
        instant = (fault.kind in _INSTANT or isinstance(fault, AccountFault)) and fault.for_ms is None
        end = begin if instant else None if fault.for_ms is None else begin + fault.for_ms
        armed = Armed(1 + len(self._faults), fault, begin, end)
        armed.chance.seed(f"{self._seed}/{armed.number}")
        self._faults[armed.number] = armed
        self._open = True
        self._sort()
        self._save()
        return armed

    def remove(self, number: int, now_ms: int) -> Armed | None:
        """End a fault now; None when there is none of that number. An ended one stays as it is."""
        armed = self._faults.get(number)
        if armed is None or armed.state == "ended":
            return armed
        if armed.state == "scheduled":
            armed.begin_ms = armed.end_ms = now_ms
            armed.state = "ended"
        else:
            armed.end_ms = now_ms
        self.tick(now_ms)
        self._sort()
        self._save()
        return armed

    def tick(self, now_ms: int) -> None:
        """Begin and end what is due. Cheap while nothing waits."""
        if not self._open:
            return
        due = [armed for armed in self._faults.values() if _due(armed, now_ms)]
        if not due:
            return
        for armed in sorted(due, key=lambda one: one.begin_ms if one.state == "scheduled" else one.end_ms or 0):
            self._turn(armed, now_ms)
        self._save()

    def _turn(self, armed: Armed, now_ms: int) -> None:
        if armed.state == "scheduled":
            armed.state = "active"
            _log.warning("a fault begins", number=armed.number, kind=armed.fault.kind, until_ms=armed.end_ms)
            self.ledger.add(armed.begin_ms, armed.number, "begin", detail={"kind": armed.fault.kind})
            self._sort()
            for hook in self.on_begin:
                hook(armed)
        if armed.end_ms is not None and armed.end_ms <= now_ms:
            armed.state = "ended"
            self._sort()
            for hook in self.on_end:
                hook(armed)
            self.ledger.add(armed.end_ms, armed.number, "end", count=armed.affected)
            _log.info("a fault ends", number=armed.number, kind=armed.fault.kind, affected=armed.affected)

    def _sort(self) -> None:
        active = [armed for armed in self._faults.values() if armed.state == "active"]
        self.stream_faults = tuple(armed for armed in active if isinstance(armed.fault, StreamFault | ClockSkew))
        self.rest_faults = tuple(armed for armed in active if isinstance(armed.fault, RestFault))
        # The market keeps what has happened to it: a halt that is over is part of its history.
        self.market_faults = tuple(armed for armed in self._faults.values() if isinstance(armed.fault, MarketFault))
        self.skew_ms = sum(armed.fault.by_ms for armed in active if isinstance(armed.fault, ClockSkew))
        self._open = any(armed.state != "ended" for armed in self._faults.values())

    def _save(self) -> None:
        if self._folder is None:
            return
        kept = [
            _Kept(one.number, one.fault.model_dump(mode="json"), one.begin_ms, one.end_ms, one.state, one.affected)
            for one in self._faults.values()
        ]
        new = self._folder / f"{PLAN_FILE}.new"
        with new.open("wb") as file:
            file.write(msgspec.json.encode(_Plan(self.scripted, kept)))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._folder / PLAN_FILE)

    def _load(self, path: Path) -> None:
        try:
            plan = msgspec.json.decode(path.read_bytes(), type=_Plan)
            faults = [(kept, FAULT.validate_python(kept.fault)) for kept in plan.faults]
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"the faults of the last run cannot be read: {error}", where=str(path), todo="remove the file"
            ) from None
        self.scripted = plan.scripted
        for kept, fault in faults:
            armed = Armed(kept.number, fault, kept.begin_ms, kept.end_ms, kept.state, kept.affected)
            armed.chance.seed(f"{self._seed}/{armed.number}/{armed.affected}")
            self._faults[armed.number] = armed
        self._sort()

    def script(self, faults: Iterable[AnyFault], start_ms: int, now_ms: int) -> None:
        """Arm a script's faults, once in the life of a state folder; those of the past are left out with a warning."""
        if self.scripted:
            return
        self.scripted = True
        for fault in faults:
            at = fault.at_ms if fault.at_ms is not None else start_ms + (fault.after_ms or 0)
            if at < now_ms:
                _log.warning("a scripted fault lies in the past", kind=fault.kind, at_ms=at, now_ms=now_ms)
                continue
            self.add(fault.model_copy(update={"at_ms": at, "after_ms": None}), now_ms)
        self._save()


def _due(armed: Armed, now_ms: int) -> bool:
    if armed.state == "scheduled":
        return armed.begin_ms <= now_ms
    return armed.state == "active" and armed.end_ms is not None and armed.end_ms <= now_ms
