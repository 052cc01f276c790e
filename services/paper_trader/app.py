"""Wiring: settings, database, producer, the accounts as they were kept or anew, and the loop."""

import asyncio
import gzip
from collections.abc import Mapping
from pathlib import Path

from libs.contracts.topics import TIMELINE
from libs.exchanges.filters import filters_of_answer
from libs.kit.errors import BadMessage, ConfigurationError
from libs.kit.logging import get_logger
from libs.kit.service import ServiceContext
from libs.kit.settings import DatabaseSettings, KafkaSettings, load_settings
from libs.store.engine import Engine, check_reachable, create_engine
from libs.store.paper import load_paper
from libs.store.schema_version import require_current
from libs.streaming.producer import EventProducer
from libs.streaming.records import LogReader
from libs.trading.filters import SymbolFilters
from libs.trading.simulation_state import ForeignState
from libs.trading.warm_up import warm_up
from services.paper_trader.accounts import PaperTerms
from services.paper_trader.beginning import first_minute
from services.paper_trader.core import PaperCore
from services.paper_trader.keeping import WRITING, Keeper
from services.paper_trader.log import PaperLog, generation_of
from services.paper_trader.settings import PaperCostSettings, PaperSettings
from services.paper_trader.state import load
from services.paper_trader.trader import CAUGHT_UP, Trader

NAME = "paper_trader"
_LOOK_SECONDS = 1.0


async def main(context: ServiceContext) -> None:
    """Trade on paper until told to stop. Raises `UnreachableError` or `ConfigurationError` when it cannot begin."""
    kafka, database = load_settings(KafkaSettings), load_settings(DatabaseSettings)
    settings, costs = load_settings(PaperSettings), load_settings(PaperCostSettings)
    context.expect(CAUGHT_UP, WRITING)
    terms = PaperTerms(settings.rules(), costs.costs(), _filters(settings.paper_filters))
    engine = create_engine(database, application="perpstream paper_trader")
    producer = EventProducer(kafka.kafka_bootstrap, service=NAME)
    try:
        await check_reachable(engine)
        await require_current(engine)
        await producer.start()
        await asyncio.to_thread(warm_up)
        generation = await generation_of(kafka.kafka_bootstrap)
        found = await _restored(engine, generation, terms)
        number, core = found if found is not None else (None, None)
        if core is None:
            core = await _begun(context, kafka.kafka_bootstrap, terms)
        if core is None:
            return
        log = PaperLog(kafka.kafka_bootstrap, core)
        await log.start()
        try:
            keeper = Keeper(context, engine)
            await Trader(context, keeper, producer, log, core, generation, number, settings.paper_save_seconds).run()
        finally:
            await log.stop()
    finally:
        await producer.stop()
        await engine.dispose()


async def _restored(engine: Engine, generation: str, terms: PaperTerms) -> tuple[int, PaperCore | None] | None:
    """The number and the accounts that were kept, without accounts when they belong to another log; None without any.

    Raises `ConfigurationError` for a state that another version kept: nobody forgets accounts by starting another version.
    """
    kept = await load_paper(engine)
    if kept is None:
        return None
    if kept.generation != generation:
        get_logger(NAME).warning("the log is another one: accounts begin anew", kept=kept.generation, now=generation)
        return kept.number, None
    try:
        core = load(kept.state, terms)
    except (ForeignState, ValueError) as problem:
        raise ConfigurationError(
            str(problem),
            where="table paper_state",
            todo="start the version that kept it, or delete the row: accounts then begin anew from the log",
        ) from None
    get_logger(NAME).info("accounts restored", number=kept.number, market_time=kept.market_time.isoformat())
    return kept.number, core


async def _begun(context: ServiceContext, bootstrap: str, terms: PaperTerms) -> PaperCore | None:
    """Accounts that begin with the log; None when the service is stopped before there are trades."""
    context.fulfil(WRITING)
    async with LogReader(bootstrap) as log:
        numbers = await log.partitions(TIMELINE.name)
        while (start_ms := await first_minute(log)) is None:
            context.miss(CAUGHT_UP, "the timeline has no trades yet")
            try:
                await asyncio.wait_for(context.stopping.wait(), _LOOK_SECONDS)
            except TimeoutError:
                continue
            return None
    get_logger(NAME).info("accounts begin", start_ms=start_ms)
    return PaperCore.new(terms, numbers, start_ms)


def _filters(file: Path | None) -> Mapping[str, SymbolFilters] | None:
    if file is None:
        return None
    try:
        content = file.read_bytes()
        return filters_of_answer(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
    except (OSError, EOFError, BadMessage) as error:
        raise ConfigurationError(
            f"the exchange's filters cannot be read: {error}",
            where=f"PERPSTREAM_PAPER_FILTERS={file}",
            todo="fetch /fapi/v1/exchangeInfo into that file",
        ) from None
