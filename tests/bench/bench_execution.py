"""How fast money moves: from a signal on its topic to a protected position, and from a break to a flat account.

python -m tests.bench.bench_execution [--signals 200] [--flattenings 5] [--market-rate 2000]

Broker, database, simulated venue, executor and guard are processes of their own and share the machine. Ten symbols, no cooldown:
a signal for each, until all ten have their stop and both targets at the venue; then all are closed by command, and so on.
Signals come one by one, then ten in the same moment, then so while ingest, sequencer and recorder carry a market beside them.
Everything is taken from the broker's append times and the venue's ledger, which share the machine's clock; what the venue needs
to answer is included. In between the executor is killed with ten positions open, and the guard closes them alone.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from libs.contracts.codec import decode
from libs.contracts.signals import SignalScored
from libs.contracts.topics import COMMAND, RISK_STATE, SIGNAL_SCORED
from libs.contracts.trading import RiskStateChanged
from libs.kit.clock import SystemClock
from libs.streaming.tail import read_tail
from tests.bench.money_house import ACCOUNT, MARKET_SERVICES, MoneyHouse, money_house, servers, start
from tests.services.processes import eventually
from tests.support.signals import emitted

SYMBOLS = (
    "BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT", "DOGEUSDT", "ADAUSDT", "LINKUSDT", "AVAXUSDT", "LTCUSDT",
)  # fmt: skip
STRATEGY, HOUR_MS = "bench_strategy", 3_600_000
CONFIG = {
    "strategies": STRATEGY,
    "risk_per_trade": "10",
    "max_positions": "10",
    "cooldown_seconds": "0",
    "max_price_gap_bps": "200",
}
QUIET_RATE = 60.0
APART_SECONDS = 0.2
ROUND_SECONDS = 4.0
"""A round sends some fifty orders; what the executor may use of the venue's limit is 960 a minute."""
LEFT_AFTER_BREAK = Decimal(95)
"""Below the floor of the balance, and above what ten small positions need."""
PROTECTED = "(state = 'open' AND targets_time IS NOT NULL)"
PATIENCE_SECONDS = 60.0


class Goal(NamedTuple):
    """The percentile that counts, and its limit in ms."""

    percentile: int
    most_ms: float


class Delays(NamedTuple):
    """One step of many signals, ms."""

    case: str
    step: str
    goal: Goal | None
    values: Sequence[float]


@dataclass(slots=True)
class Case:
    """One way for signals to come; `trades`: their ids, `busy`: share of the machine that was used meanwhile, percent."""

    name: str
    apart_seconds: float = 0.0
    trades: list[str] = field(default_factory=list)
    busy: float = 0.0


@dataclass(slots=True)
class Signals:
    """Makes signals, and closes what they opened. `closes`: by the trade's id, that of the command."""

    house: MoneyHouse
    number: int = 0
    closes: dict[str, str] = field(default_factory=dict)

    async def rounds(self, case: Case, signals: int) -> Case:
        """As many as give so many signals."""
        psutil.cpu_percent()
        while len(case.trades) < signals:
            began = time.monotonic()
            case.trades += await self._round(case)
            await asyncio.sleep(max(0.0, ROUND_SECONDS - (time.monotonic() - began)))
        case.busy = psutil.cpu_percent()
        return case

    async def _round(self, case: Case) -> list[str]:
        trades = await self.enter(case.apart_seconds)
        for symbol, trade_id in zip(SYMBOLS, trades, strict=True):
            self.closes[trade_id] = await self.house.command("executor", "close", symbol=symbol, share="1")
        await self.house.until_trades(trades, "state = 'closed'")
        return trades

    async def enter(self, apart_seconds: float = 0.0) -> list[str]:
        """A protected position in each symbol; their ids."""
        prices = await self.house.marks()
        trades, together = [], []
        for symbol in SYMBOLS:
            self.number += 1
            trades.append(f"signal-{self.number}")
            together.append(_signal(trades[-1], symbol, prices[symbol], 1 if self.number % 2 else -1))
            if apart_seconds:
                await self.house.say([together.pop()])
                await asyncio.sleep(apart_seconds)
        await self.house.say(together)
        await self.house.until_trades(trades, PROTECTED)
        return trades


def _signal(event_id: str, symbol: str, price: Decimal, sign: int) -> SignalScored:
    """Of now, with a stop and targets that are not reached meanwhile."""
    return emitted(event_id, symbol, price, SystemClock().now_ms(), sign, strategy=STRATEGY)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Times in ms by the trade's id, and by its id and the order's leg: what broker and venue have written down."""

    said: dict[str, int]
    commanded: dict[str, int]
    read: dict[str, int]
    filled: dict[str, int]
    placed: dict[tuple[str, str], int]

    def delays(self, case: Case, closes: Mapping[str, str]) -> list[Delays]:
        """Each step of the case's trades."""
        entry, stop, close = (self._placed(case, leg) for leg in ("entry", "stop", "close"))
        first, second = (self._placed(case, f"take_profit_{number}") for number in (1, 2))
        targets = {one: max(first[one], second[one]) for one in case.trades}
        told = {one: self.commanded[closes[one]] for one in case.trades}
        steps: list[tuple[str, Mapping[str, int], Mapping[str, int], Goal | None]] = [
            ("signal on its topic → read by the executor", self.said, self.read, None),
            ("signal on its topic → entry at the venue", self.said, entry, Goal(99, 50)),
            ("entry filled → stop at the venue", self.filled, stop, Goal(95, 150)),
            ("entry filled → both targets at the venue", self.filled, targets, Goal(95, 300)),
            ("close on its topic → order at the venue", told, close, None),
        ]
        return [
            Delays(case.name, step, goal, [then[one] - since[one] for one in case.trades])
            for step, since, then, goal in steps
        ]

    def _placed(self, case: Case, leg: str) -> dict[str, int]:
        return {one: self.placed[one, leg] for one in case.trades}


async def evidence(house: MoneyHouse) -> Evidence:
    """Of everything that has happened in this house."""
    at_venue: dict[str, int] = {}
    for entry in house.ledger():
        if entry["kind"] == "command" and "request" in entry["facts"]:
            at_venue.setdefault(entry["facts"]["request"]["client_id"], entry["at"])
    orders = await house.rows("SELECT trade_id, leg, client_order_id FROM live_orders WHERE generation = 0")
    in_ms = "(extract(epoch FROM {}) * 1000)::bigint"
    read = await house.rows(f"SELECT trade_id, {in_ms.format('readable_time')} FROM live_trades")
    fills = await house.rows(
        f"SELECT trade_id, {in_ms.format('min(fill_time)')} FROM live_fills WHERE leg = 'entry' GROUP BY trade_id"
    )
    return Evidence(
        said=await house.appended(SIGNAL_SCORED.name),
        commanded=await house.appended(COMMAND.name),
        read=dict(read),
        filled=dict(fills),
        placed={(trade_id, leg): at_venue[name] for trade_id, leg, name in orders if name in at_venue},
    )


@dataclass(slots=True)
class Flattening:
    """Ten positions, the executor killed, and the guard alone with them."""

    signals: Signals
    after_break_ms: list[float] = field(default_factory=list)
    after_command_ms: list[float] = field(default_factory=list)

    async def by_break(self) -> None:
        """Money goes, until the balance is below its floor."""
        house, trades = self.signals.house, await self._left_alone()
        balance = Decimal(str((await self._truth())["balances"]["USDT"]))
        await house.transfer(LEFT_AFTER_BREAK - balance)
        [*_, at] = [one["at"] for one in house.ledger() if one["facts"].get("type") == "Transfer"]
        self.after_break_ms.append(await self._flat_ms() - at)
        await house.transfer(balance - LEFT_AFTER_BREAK)
        await house.command("risk_guard", "reset", break_number=str((await self._state()).break_number))
        await self._again(trades)

    async def by_command(self) -> None:
        """A person says so."""
        house, trades = self.signals.house, await self._left_alone()
        command = await house.command("risk_guard", "flatten", symbol="all")
        flat_ms = await self._flat_ms()
        self.after_command_ms.append(flat_ms - (await house.appended(COMMAND.name))[command])
        await self._again(trades)

    async def _left_alone(self) -> list[str]:
        trades = await self.signals.enter()
        self.signals.house.services["executor"].kill()
        return trades

    async def _again(self, trades: Sequence[str]) -> None:
        """The executor comes back, and books what the guard has done."""
        house = self.signals.house
        await house.command("risk_guard", "resume")
        await start(house, ("executor",))
        await house.until_trades(trades, "state = 'closed' AND exit_reason = 'risk_guard'")
        await house.until_entries()

    async def _truth(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.signals.house.get(f"/sim/trading/accounts/{ACCOUNT}")
        return found

    async def _flat_ms(self) -> int:
        """When the last fill was, once nothing is held any more."""

        async def flat() -> bool:
            return not (await self._truth())["positions"]

        await eventually(flat, PATIENCE_SECONDS, self.signals.house.logs)
        return max(int(one["time"]) for one in (await self._truth())["trades"])

    async def _state(self) -> RiskStateChanged:
        [*_, newest] = await read_tail(self.signals.house.bootstrap, RISK_STATE.name, 0, 1)
        state = decode(newest.value, newest.headers, RISK_STATE.events)
        assert isinstance(state, RiskStateChanged)
        return state


@contextmanager
def folders() -> Iterator[tuple[Path, Path]]:
    """One for servers, one for an installation."""
    with tempfile.TemporaryDirectory(prefix="perpstream-bench-") as name:
        found = (Path(name) / "servers", Path(name) / "house")
        for one in found:
            one.mkdir()
        yield found


async def quiet(where: tuple[str, str], folder: Path, given: argparse.Namespace) -> tuple[list[Delays], list[str]]:
    """Nothing else runs on the machine."""
    async with money_house(where, folder, SYMBOLS, QUIET_RATE) as house:
        signals = await begun(house)
        cases = [
            await signals.rounds(Case("one by one", APART_SECONDS), given.signals),
            await signals.rounds(Case("ten at once"), given.signals),
        ]
        found = await evidence(house)
        flattening = Flattening(signals)
        for _ in range(given.flattenings):
            await flattening.by_break()
            await flattening.by_command()
    delays = [one for case in cases for one in found.delays(case, signals.closes)]
    flat = Goal(100, 3000)
    delays.append(
        Delays("guard alone", "balance below its floor → ten positions flat", flat, flattening.after_break_ms)
    )
    delays.append(Delays("guard alone", "flatten on its topic → ten positions flat", flat, flattening.after_command_ms))
    return delays, [f"{case.name}: {case.busy:.0f} % of the machine busy" for case in cases]


async def loaded(where: tuple[str, str], folder: Path, given: argparse.Namespace) -> tuple[list[Delays], list[str]]:
    """A market is carried beside."""
    async with money_house(where, folder, SYMBOLS, given.market_rate) as house:
        await start(house, MARKET_SERVICES)
        signals = await begun(house)
        case = await signals.rounds(Case(f"ten at once, {given.market_rate:,.0f} trades/s"), given.signals)
        return (await evidence(house)).delays(case, signals.closes), [
            f"{case.name}: {case.busy:.0f} % of the machine busy"
        ]


async def begun(house: MoneyHouse) -> Signals:
    """A first round is not measured: leverage is set, and connections are opened."""
    await house.command("executor", "change_config", base_version="0", **CONFIG)
    await house.until_entries()
    signals = Signals(house)
    await signals.rounds(Case("not measured"), 1)
    return signals


def table_of(delays: Sequence[Delays]) -> Table:
    """For people."""
    table = Table(
        "signals", "step", "p50", "p95", "p99", "most", "goal", title="how fast money moves, ms", caption_justify="left"
    )
    for case, step, goal, values in delays:
        if not values:
            continue
        figures = [f"{np.percentile(values, one):.0f}" for one in (50, 95, 99, 100)]
        table.add_row(f"{case} ({len(values)})", step, *figures, _verdict(goal, values))
    return table


def _verdict(goal: Goal | None, values: Sequence[float]) -> str:
    if goal is None:
        return ""
    name = "most" if goal.percentile == 100 else f"p{goal.percentile}"
    met = np.percentile(values, goal.percentile) <= goal.most_ms
    return f"{name} ≤ {goal.most_ms:.0f}: {'met' if met else 'missed'}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int, default=200)
    parser.add_argument("--flattenings", type=int, default=5)
    parser.add_argument("--market-rate", type=float, default=2000.0)
    given = parser.parse_args()
    delays: list[Delays] = []
    notes = [f"load average of the machine before: {psutil.getloadavg()[0]:.1f}"]
    for run in (quiet, loaded):
        with folders() as (for_servers, for_house), servers(for_servers) as where:
            found, said = asyncio.run(run(where, for_house, given))
            delays += found
            notes += said
    screen = Console(width=120)
    screen.print(table_of(delays))
    screen.print("\n".join(notes))


if __name__ == "__main__":
    main()
