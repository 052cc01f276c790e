"""What a dead Discord costs the money path: delays of signals while it answers, while it is dead, and what it hears afterwards.

python -m tests.bench.bench_notifications [--signals 100] [--rounds 1] [--outage 600] [--alerts 200]

The money house of bench_execution with a notifier beside it that tells everything it hears. Rounds with a Discord that answers
and rounds with none alternate, so that both meet the same machine; --outage is for how many seconds it is dead in each of them,
while signals go on and critical alerts are raised. At the end Discord comes back, and every alert must be told.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from libs.contracts.topics import ALERT
from libs.contracts.trading import AlertRaised
from libs.kit.clock import SystemClock
from tests.bench.bench_execution import SYMBOLS, Case, Delays, begun, evidence, folders
from tests.bench.money_house import MoneyHouse, money_house, servers, start
from tests.services.processes import eventually
from tests.support.discord import DiscordStandIn

EVERYTHING = [{"name": kind, "on": kind} for kind in ("alert", "order", "trade", "position", "risk", "signal")]
ALERTS = "bench alert"
_QUIET_RATE = 60.0
_TOLD_SECONDS = 900.0


async def measured(where: tuple[str, str], folder: Path, given: argparse.Namespace) -> tuple[list[Delays], list[str]]:
    """Both kinds of rounds in turn."""
    discord = DiscordStandIn()
    await discord.start()
    async with money_house(where, folder, SYMBOLS, _QUIET_RATE) as house:
        await _notifier(house, discord)
        signals = await begun(house)
        answering, dead = Case("Discord answers"), Case("Discord is dead")
        raised = 0
        for number in range(given.rounds):
            most = given.signals * (number + 1) // given.rounds
            await signals.rounds(answering, most)
            await discord.stop()
            back = time.monotonic() + given.outage
            raised = await _raise_alerts(house, raised, given.alerts // given.rounds)
            await signals.rounds(dead, most)
            while time.monotonic() < back:
                await signals.rounds(dead, len(dead.trades) + 1)
            await discord.start()
        await signals.rounds(answering, 2 * given.signals)
        lost = await _lost(house, discord, raised)
        found = await evidence(house)
    await discord.stop()
    delays = [one for case in (answering, dead) for one in found.delays(case, signals.closes)]
    notes = [f"{raised} critical alerts were raised while Discord was dead: {lost} of them were not told"]
    return delays, [*notes, *(f"{case.name}: {case.busy:.0f} % of the machine busy" for case in (answering, dead))]


async def _notifier(house: MoneyHouse, discord: DiscordStandIn) -> None:
    channels, rules = house.folder / "channels", house.folder / "rules.json"
    channels.mkdir()
    (channels / "desk.url").touch(mode=0o600)
    (channels / "desk.url").write_text(discord.webhook())
    rules.write_text(json.dumps({"rules": EVERYTHING, "limits": {"*": {"per_minute": 1000}}}))
    files = {"PERPSTREAM_CHANNELS_DIR": str(channels), "PERPSTREAM_NOTIFIER_RULES": str(rules)}
    bot = {"PERPSTREAM_DISCORD_BOT_FILE": str(house.folder / "no-bot.json")}
    await start(house, ("notifier",), house.services["executor"].environment | files | bot)


async def _raise_alerts(house: MoneyHouse, first: int, count: int) -> int:
    """So many critical ones; how many there have been now."""
    for number in range(first, first + count):
        alert = AlertRaised(
            event_id=f"bench-{number}",
            event_time_ms=SystemClock().now_ms(),
            severity="critical",
            source="bench",
            title=f"{ALERTS} {number}.",
            detail="",
            runbook=None,
        )
        await (await house.producer.send(ALERT, alert, key=alert.event_id, partition=0))
    return first + count


async def _lost(house: MoneyHouse, discord: DiscordStandIn, raised: int) -> int:
    """How many of them Discord has not heard once nothing critical waits any more."""
    waiting = "SELECT count(*) FROM notices WHERE severity = 'critical' AND state <> 'sent'"

    async def all_told() -> bool:
        ((left,),) = await house.rows(waiting)
        return int(left) == 0

    await eventually(all_told, _TOLD_SECONDS, house.logs)
    said = "\n".join(f"{one.embed['title']}\n{one.embed.get('description', '')}" for one in discord.posted)
    return sum(f"{ALERTS} {number}." not in said for number in range(raised))


def table_of(delays: Sequence[Delays]) -> Table:
    """For people."""
    table = Table("Discord", "step", "p50", "p95", "p99", "most", title="the money path beside a notifier, ms")
    for case, step, _, values in delays:
        if values:
            figures = [f"{np.percentile(values, one):.0f}" for one in (50, 95, 99, 100)]
            table.add_row(f"{case} ({len(values)})", step, *figures)
    return table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--outage", type=float, default=600.0)
    parser.add_argument("--alerts", type=int, default=200)
    given = parser.parse_args()
    screen = Console(width=120)
    screen.print(f"load average of the machine before: {psutil.getloadavg()[0]:.1f}")
    with folders() as (for_servers, for_house), servers(for_servers) as where:
        delays, notes = asyncio.run(measured(where, for_house, given))
    screen.print(table_of(delays))
    screen.print("\n".join(notes))


if __name__ == "__main__":
    main()
