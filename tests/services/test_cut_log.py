"""Who replays a log of which retention has taken the beginning has the strategies that were activated before it."""

from collections.abc import Sequence

import pytest

from libs.contracts.codec import encode
from libs.contracts.control import StrategyAnswered
from libs.contracts.topics import AGGTRADE, STRATEGY_CONTROL
from libs.indicators.settings import KernelSettings
from libs.streaming.admin import ensure_topics
from libs.streaming.records import Record
from services.backtester.sources.timeline import TimelineMarket
from services.paper_trader.accounts import PaperTerms
from services.paper_trader.core import PaperCore
from services.paper_trader.log import PaperLog
from services.signal_engine.core import EngineCore, Output
from services.signal_engine.recovery import RecoveryParts, recover
from tests.libs.streaming.test_aged_out import appended, cut
from tests.services.signal_engine.test_core import one_trade_a_grid
from tests.services.signal_engine.test_recovery import NoSnapshots
from tests.services.signal_engine.timelines import TimelineFactory, activation, bootstrap

pytestmark = pytest.mark.integration
FIRST_KEPT = 2
"""The heartbeat behind the fence and the activation."""


async def written(kafka: str) -> list[Record]:
    """A log whose activation has aged out; returns all of it."""
    await ensure_topics(kafka, 1)
    made = TimelineFactory()
    made.fence()
    made.copy(STRATEGY_CONTROL, activation(50))
    made.beat()
    made.copy(AGGTRADE, bootstrap("BTCUSDT", 1))
    one_trade_a_grid(made, range(6))
    await appended(kafka, made, [activation(50)])
    await cut(kafka, FIRST_KEPT)
    return made.records


async def test_the_engine_signals_as_if_it_had_read_the_whole(empty_kafka: str) -> None:
    """New code has no snapshot, and begins where retention has left the log."""
    records = await written(empty_kafka)
    said, answers = list[Output](), list[StrategyAnswered]()

    async def emit(_: int, core: EngineCore, batch: Sequence[Record]) -> None:
        out = core.process(batch)
        said.extend(out.signals)
        answers.extend(out.answers)

    await recover(RecoveryParts(empty_kafka, KernelSettings(), NoSnapshots()), 0, emit)
    whole = EngineCore(KernelSettings()).process(records)
    assert whole.signals
    assert [output.encoded.value for output in said] == [output.encoded.value for output in whole.signals]
    assert [(answer.taken, answer.partition, answer.offset) for answer in answers] == [(True, 0, FIRST_KEPT)]


async def test_a_backtest_of_the_log_finds_them(empty_kafka: str) -> None:
    await written(empty_kafka)
    found = await TimelineMarket(empty_kafka).activations("BTCUSDT")
    assert [encode(placed.event) for placed in found] == [encode(activation(50))]


async def test_paper_accounts_find_them(empty_kafka: str) -> None:
    await written(empty_kafka)
    core = PaperCore.new(PaperTerms(), [0], 0)
    log = PaperLog(empty_kafka, core)
    await log.start()
    assert await log.fetch(5_000)
    await log.stop()
    assert core.partitions[0].intervals == {"basis_only": 15_000}
