"""What must be done between the start of the servers and of the services: schema, topics, strategies.

Runs as a process of its own (`python -m services.console.preparation`) with the services' environment.
"""

import asyncio
import sys
import time

from libs.kit.gate import wait_at_gate
from libs.kit.settings import DatabaseSettings, KafkaSettings, MarketSourceSettings, load_settings
from libs.store.engine import create_engine, write_session
from libs.store.market_source import claim_source
from libs.store.migrate import upgrade
from libs.store.partitions import create_partitions, months_ahead
from libs.streaming.admin import ensure_topics
from libs.streaming.strategies.activation import By, activate_folder
from libs.streaming.strategies.files import strategies_dir
from libs.streaming.strategies.log import AT_START
from services.console.output import guarded


async def _migrate(settings: DatabaseSettings, market: str | None) -> str:
    engine = create_engine(settings, application="perpstream-prepare", connections=1)
    try:
        revision = await upgrade(engine)
        if market is not None:
            await claim_source(engine, market)
        async with write_session(engine) as session:
            await create_partitions(session, months_ahead(time.time_ns() // 1_000_000))
    finally:
        await engine.dispose()
    return f"database schema at {revision}"


async def _create_topics(settings: KafkaSettings) -> str:
    states = await ensure_topics(settings.kafka_bootstrap, settings.market_partitions)
    return f"{len(states)} topics, {sum(state.created for state in states)} of them new"


async def _activate(bootstrap: str) -> str:
    """Before the first trade, so that every window begins on the grid that the strategies ask for. What the watcher would refuse
    is left as it is in force: it says so again, and a wrong version number must not keep the stack from starting."""
    plan = await activate_folder(bootstrap, strategies_dir(), By(AT_START))
    lines = [*plan.changes, *plan.notes, *(f"not activated: {problem}" for problem in plan.problems)]
    return "\n".join(f"strategies: {line}" for line in lines or ["as in force"])


async def prepare() -> None:
    """Database and topics side by side, then the strategies; every step may be repeated."""
    kafka, database = load_settings(KafkaSettings), load_settings(DatabaseSettings)
    market = load_settings(MarketSourceSettings).market_source
    wait_at_gate()
    for line in await asyncio.gather(_migrate(database, market), _create_topics(kafka)):
        print(line, flush=True)
    print(await _activate(kafka.kafka_bootstrap), flush=True)


def main() -> None:
    """Run the preparations once."""
    sys.exit(guarded(lambda: asyncio.run(prepare())))


if __name__ == "__main__":
    main()
