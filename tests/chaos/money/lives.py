"""Lives of positions from entry to exit, written by hand, in which a process is killed at one await after the other."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np
from msgspec import UNSET

from libs.contracts.signals import SignalScored
from libs.trading.execution.config import ForeignPolicy
from services.exchange_simulator.faults.plan import FAULT
from services.exchange_simulator.market import MarkPrice, TradeColumns
from services.exchange_simulator.symbols import profile_of
from tests.chaos.money.market import BEFORE_MS, SYMBOLS, JumpyMarket, Stage
from tests.chaos.money.parties import RealParty
from tests.chaos.money.plan import STRATEGY, Blow, Given, Plan, Role
from tests.chaos.money.processes import Place
from tests.chaos.money.run import START_MS, Verdict, run_plan, stage_of
from tests.support.signals import emitted

ENTRY_MS, CALM_MS = 4_000, 22_000
NEAR_MS, REPEATS = 400, 3
"""An answer of the venue takes a tenth of that, and what follows from a fill, its stop and its targets, less than all of it."""
SYMBOL = "SOLUSDT"
DISTANCE = Decimal("0.004")
"""Of the stop, and of the first target, as a share of the price; the second target is twice as far."""
_TRADE_EVERY_MS, _LARGE = 150, 100_000


@dataclass(frozen=True)
class Life:
    """`path`: where the price of `SYMBOL` is at which time (ms of the run), as a share of its first; straight in between.
    `direction`: of the signal, None: there is none. `ends`: how the trade is over when nobody dies. `marks`: where its mark price
    is, which triggers the stop then; without them it is the last price, which does."""

    name: str
    path: Sequence[tuple[int, str]]
    direction: str | None = "long"
    faults: tuple[dict[str, object], ...] = ()
    policy: ForeignPolicy = "pause"
    ends: str | None = None
    seed: int = field(default=1, kw_only=True)
    marks: Sequence[tuple[int, str]] = field(default=(), kw_only=True)


class MarkedMarket(JumpyMarket):
    """A market whose mark price of one symbol goes its own way: `shares` of the first price, at ms of the run."""

    def __init__(self, stage: Stage, given: Mapping[str, TradeColumns], shares: Sequence[tuple[int, str]]) -> None:
        super().__init__(stage, given)
        self._begun_ms, self._shares = stage.start_ms, shares

    def mark_price(self, symbol: str, now_ms: int) -> MarkPrice:
        told = super().mark_price(symbol, now_ms)
        if symbol != SYMBOL:
            return told
        first = self.price(symbol, self._begun_ms)
        times, shares = zip(*self._shares, strict=True)
        share = np.interp(now_ms - self._begun_ms, times, [float(one) for one in shares])
        return replace(told, mark=f"{first * Decimal(str(share)):.4f}")


_STOPS = ("/fapi/v1/algoOrder",)
_OUTSIDE: dict[str, object] = {"kind": "outside_order", "symbol": SYMBOL, "side": "BUY", "quantity": "4"}
LIVES = (
    Life("targets", ((6_000, "1"), (9_000, "1.005"), (14_000, "1.0095")), ends="take_profit_2"),
    Life("break_even", ((6_000, "1"), (9_000, "1.0055"), (14_000, "0.998")), ends="break_even_stop"),
    Life("stopped", ((6_000, "1"), (9_000, "1.006")), "short", ends="stop_loss"),
    Life(
        "adoption",
        ((6_000, "1"), (12_000, "1"), (14_000, "0.98")),
        None,
        ({**_OUTSIDE, "at_ms": ENTRY_MS},),
        "adopt",
        "stop_loss",
    ),
    Life(
        "guards_stop",
        ((6_000, "1"), (12_000, "1"), (14_000, "0.95")),
        None,
        ({**_OUTSIDE, "at_ms": ENTRY_MS},),
    ),
    Life(
        "break",
        ((6_050, "1"), (6_100, "0.97")),
        # While the venue hangs over the new stop, the guard hears what the position is worth.
        faults=(
            {"kind": "outside_cancel", "symbol": SYMBOL, "at_ms": 6_040},
            {
                "kind": "no_answer",
                "executed": "no",
                "seconds": 4.0,
                "paths": _STOPS,
                "methods": ("POST",),
                "at_ms": 6_000,
                "for_ms": 200,
            },
        ),
        ends="risk_guard",
    ),
    # The last price falls through the stop for a moment, and the mark price does not.
    Life(
        "last_spike",
        ((8_000, "1"), (8_300, "0.994"), (8_900, "0.994"), (9_200, "1"), (12_000, "1.005"), (16_000, "1.0095")),
        ends="take_profit_2",
        marks=((8_000, "1"), (12_000, "1.002"), (16_000, "1.004")),
    ),
    # The other way round.
    Life("mark_alone", ((6_000, "1"),), ends="stop_loss", marks=((8_000, "1"), (9_000, "0.9955"))),
)


@dataclass(frozen=True, slots=True)
class Death:
    """Of a role's first process, right before so many of its awaits have returned; 0: it lives."""

    life: str
    role: Role = "executor"
    awaits: int = 0

    @property
    def words(self) -> str:
        """What tells it again."""
        return f"--life {self.life} --role {self.role} --awaits {self.awaits}"


def live(death: Death, *, listens: bool = False) -> Verdict:
    """One life with one death."""
    life = next(one for one in LIVES if one.name == death.life)
    market = _market(life)
    plan = _plan(life, market)
    if death.awaits:
        plan = replace(plan, blows=(Blow(0, "kill", death.role, awaits=death.awaits),))
    return replace(run_plan(plan, market, RealParty, listens=listens), words=death.words)


def deaths(role: Role) -> list[Death]:
    """Those that are worth trying, of all lives; see `tried`."""
    return [
        Death(life.name, role, number) for life in LIVES for number in tried(role, live(Death(life.name), listens=True))
    ]


def tried(role: Role, lived: Verdict) -> list[int]:
    """Before which awaits of a life without a death the role dies. The executor does before each. While nothing happens the guard
    comes by the same few places again and again: farther than `NEAR_MS` from each change of the account, before it or after, it
    dies the first `REPEATS` times at each place, until the next change."""
    found: list[int] = []
    seen = Counter[tuple[Place, int]]()
    for number, one in enumerate(lived.awaits[role], 1):
        following = bisect_right(lived.changes_ms, one.at_ms)
        near = any(
            abs(at_ms - one.at_ms) <= NEAR_MS for at_ms in lived.changes_ms[max(0, following - 1) : following + 1]
        )
        seen[one.place, following] += not near
        if role == "executor" or near or seen[one.place, following] <= REPEATS:
            found.append(number)
    return found


def _market(life: Life) -> JumpyMarket:
    stage, given = stage_of(life.seed), {symbol: _path(life, symbol) for symbol in SYMBOLS}
    return MarkedMarket(stage, given, life.marks) if life.marks else JumpyMarket(stage, given)


def _plan(life: Life, market: JumpyMarket) -> Plan:
    faults = [FAULT.validate_python({**one, "at_ms": START_MS + int(str(one["at_ms"]))}) for one in life.faults]
    given = (Given(ENTRY_MS + 20, _signal(life, market)),) if life.direction is not None else ()
    return Plan(life.seed, START_MS, given, tuple(faults), (), CALM_MS, life.policy)


def _signal(life: Life, market: JumpyMarket) -> SignalScored:
    at_ms = START_MS + ENTRY_MS
    price = market.price(SYMBOL, at_ms)
    away = price * DISTANCE * (1 if life.direction == "long" else -1)
    return emitted(
        f"{STRATEGY}-1-{SYMBOL}-{at_ms}",
        SYMBOL,
        price,
        at_ms,
        strategy=STRATEGY,
        direction="long" if life.direction == "long" else "short",
        atr=abs(away),
        take_profit_1=price + away,
        take_profit_2=price + away * 2,
        stop_loss=price - away,
        hold_until_ms=at_ms + 50_000,
        working_type="mark" if life.marks else UNSET,
    )


def _path(life: Life, symbol: str) -> TradeColumns:
    """A trade every moment, of more than anybody here wants; other symbols stand still."""
    profile = profile_of(symbol)
    rules, stage = profile.rules, stage_of(life.seed)
    times = np.arange(stage.start_ms - BEFORE_MS, stage.end_ms, _TRADE_EVERY_MS, dtype=np.int64)
    points = life.path if symbol == SYMBOL else ((0, "1"),)
    shares = np.interp(times - stage.start_ms, [at for at, _ in points], [float(share) for _, share in points])
    prices = np.round(profile.base_price * shares * rules.price_scale / rules.tick).astype(np.int64) * rules.tick
    quantities = np.full(len(times), _LARGE * rules.step, np.int64)
    ids = np.arange(1, len(times) + 1, dtype=np.int64)
    return TradeColumns(ids, prices, quantities, quantities, ids, ids, times, times, ids % 2 == 0)
