"""The table of topics: topic creation, the AsyncAPI document, golden-message tests and the docs' list all follow from it."""

from dataclasses import dataclass
from typing import Literal

from libs.contracts.commands import CommandAnswered, CommandIssued
from libs.contracts.control import StrategyActivated, StrategyAnswered, SymbolFollowed
from libs.contracts.event import Event
from libs.contracts.market import (
    AggTradeFrame,
    FeedStatusChanged,
    IndicatorHistoryCompleted,
    LiquidationObserved,
    MarketIndicatorObserved,
    MarkPriceObserved,
    TradeGapChanged,
    TradesBootstrapped,
)
from libs.contracts.signals import IndicatorComputed, SignalScored
from libs.contracts.timeline import TimelineFenced, TimelineHeartbeat
from libs.contracts.trading import (
    AlertRaised,
    ExecutorReported,
    LiveTradeChanged,
    OrderChanged,
    PaperTradeChanged,
    PositionChanged,
    RiskStateChanged,
)
from libs.kit.durations import DAY_MS

KEEP_FOREVER = -1
Family = Literal["market", "single"]


@dataclass(frozen=True, slots=True)
class Topic:
    """One row. `family` "market" means one partition number per symbol group (a setting, equal for the whole family);
    "single" means one partition. `retention_ms` -1 keeps for ever. `tables` are the PostgreSQL tables that hold it."""

    name: str
    meaning: str
    key: str
    events: tuple[type[Event], ...]
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    family: Family
    retention_ms: int
    cleanup: Literal["delete", "compact"] = "delete"
    tables: tuple[str, ...] = ()

    @property
    def dead_letter(self) -> str:
        """Where records of this topic go that nobody can read, with the original bytes and the reason."""
        return f"{self.name}.dlq"

    def partitions(self, market_partitions: int) -> int:
        """The number of partitions in an installation whose market family has `market_partitions`."""
        return market_partitions if self.family == "market" else 1


AGGTRADE = Topic(
    name="market.aggtrade.v1",
    meaning="Aggregate trades as frames per partition, with holes and watermarks in band; bootstrap bars before the first.",
    key="partition",
    events=(AggTradeFrame, TradesBootstrapped),
    producers=("trade_ingest", "console"),
    consumers=("sequencer", "console", "gateway"),
    family="market",
    retention_ms=3 * DAY_MS,
)
LIQUIDATION = Topic(
    name="market.liquidation.v1",
    meaning="Forced orders as the venue samples them (at most the largest per symbol and second): a lower bound.",
    key="symbol",
    events=(LiquidationObserved,),
    producers=("liquidation_ingest", "console"),
    consumers=("sequencer", "gateway"),
    family="market",
    retention_ms=7 * DAY_MS,
)
INDICATOR = Topic(
    name="market.indicator.v1",
    meaning="Slow inputs: open interest, long/short ratios, Coinbase premium, settled funding; also fetched history, marked so.",
    key="symbol",
    events=(MarketIndicatorObserved,),
    producers=("indicator_ingest", "console"),
    consumers=("sequencer",),
    family="market",
    retention_ms=7 * DAY_MS,
)
INDICATOR_HISTORY = Topic(
    name="market.indicatorhistory.v1",
    meaning="How far each slow input is complete on market.indicator.v1, so that a back-fill goes on where it was.",
    key="symbol:kind:period",
    events=(IndicatorHistoryCompleted,),
    producers=("indicator_ingest",),
    consumers=("indicator_ingest",),
    family="single",
    retention_ms=KEEP_FOREVER,
    cleanup="compact",
)
MARKPRICE = Topic(
    name="market.markprice.v1",
    meaning="Mark and index price, basis and the running funding estimate, every two seconds of venue time.",
    key="symbol",
    events=(MarkPriceObserved,),
    producers=("indicator_ingest", "console"),
    consumers=("sequencer", "console", "gateway"),
    family="market",
    retention_ms=3 * DAY_MS,
)
FEEDSTATUS = Topic(
    name="market.feedstatus.v1",
    meaning="The health of every feed and symbol, with figures, decided by the venue clock; and every gap, found and closed.",
    key="symbol",
    events=(FeedStatusChanged, TradeGapChanged),
    producers=("trade_ingest", "liquidation_ingest", "indicator_ingest"),
    consumers=("sequencer", "trade_ingest", "console", "risk_guard", "gateway", "notifier"),
    family="market",
    retention_ms=7 * DAY_MS,
)
STRATEGY_CONTROL = Topic(
    name="control.strategy.v1",
    meaning="Activations of strategy configurations; never compacted, kept for ever.",
    key="strategy",
    events=(StrategyActivated,),
    producers=("console", "gateway"),
    consumers=("sequencer", "console", "gateway"),
    family="single",
    retention_ms=KEEP_FOREVER,
)
STRATEGY_ANSWER = Topic(
    name="control.answer.v1",
    meaning="What engines made of activations: taken or refused, at which place; the newest of a partition counts.",
    key="strategy",
    events=(StrategyAnswered,),
    producers=("signal_engine",),
    consumers=("console", "gateway"),
    family="single",
    retention_ms=KEEP_FOREVER,
)
SYMBOL_CONTROL = Topic(
    name="control.symbol.v1",
    meaning="Symbols that were added or removed while running, by whom and when; never compacted, kept for ever.",
    key="symbol",
    events=(SymbolFollowed,),
    producers=("console",),
    consumers=("trade_ingest", "liquidation_ingest", "indicator_ingest", "gateway", "console", "executor"),
    family="single",
    retention_ms=KEEP_FOREVER,
)
TIMELINE = Topic(
    name="market.timeline.v1",
    meaning="One total order per partition of everything that decides: trades, slow inputs, holes, configuration.",
    key="partition",
    events=(
        AggTradeFrame,
        TradesBootstrapped,
        LiquidationObserved,
        MarketIndicatorObserved,
        MarkPriceObserved,
        FeedStatusChanged,
        TradeGapChanged,
        StrategyActivated,
        TimelineFenced,
        TimelineHeartbeat,
    ),
    producers=("sequencer",),
    consumers=("signal_engine", "recorder", "trade_ingest", "console", "backtester", "paper_trader"),
    family="market",
    retention_ms=7 * DAY_MS,
    tables=(
        "agg_trades",
        "agg_trades_meta",
        "trade_bars",
        "market_indicators",
        "liquidation_events",
        "liquidation_agg",
        "rate_snapshots",
        "market_data_gaps",
        "feed_status",
        "feed_health",
        "strategy_activations",
        "trade_bootstraps",
    ),
)
SIGNAL_INDICATOR = Topic(
    name="signal.indicator.v1",
    meaning="The features and scores of each symbol at each evaluation.",
    key="symbol",
    events=(IndicatorComputed,),
    producers=("signal_engine",),
    consumers=("recorder", "console", "signal_engine", "paper_trader", "risk_guard", "gateway"),
    family="market",
    retention_ms=7 * DAY_MS,
    tables=("signal_indicators",),
)
SIGNAL_SCORED = Topic(
    name="signal.scored.v1",
    meaning="Evaluations that crossed their threshold, or would have without a gate: emitted, or refused with a reason.",
    key="symbol",
    events=(SignalScored,),
    producers=("signal_engine",),
    consumers=("recorder", "console", "paper_trader", "executor", "notifier", "gateway"),
    family="market",
    retention_ms=90 * DAY_MS,
    tables=("signal_logs",),
)
PAPER = Topic(
    name="trading.paper.v1",
    meaning="Paper positions as they open, are reduced and close.",
    key="position",
    events=(PaperTradeChanged,),
    producers=("paper_trader",),
    consumers=("notifier", "console", "gateway"),
    family="single",
    retention_ms=90 * DAY_MS,
    tables=("paper_trades",),
)
ORDER = Topic(
    name="trading.order.v1",
    meaning="The life of every order that the executor sends.",
    key="client_order_id",
    events=(OrderChanged,),
    producers=("executor",),
    consumers=("console", "notifier", "gateway"),
    family="single",
    retention_ms=90 * DAY_MS,
)
TRADE = Topic(
    name="trading.trade.v1",
    meaning="Live trades as they are entered, opened, closed or refused; each signal ends here in exactly one state.",
    key="trade",
    events=(LiveTradeChanged,),
    producers=("executor",),
    consumers=("risk_guard", "notifier", "gateway"),
    family="single",
    retention_ms=90 * DAY_MS,
    tables=("live_trades",),
)
EXECUTOR = Topic(
    name="trading.executor.v1",
    meaning="The executor's heartbeat with what it holds and what keeps it from entering.",
    key="account",
    events=(ExecutorReported,),
    producers=("executor",),
    consumers=("risk_guard", "console", "gateway", "notifier"),
    family="single",
    retention_ms=KEEP_FOREVER,
    cleanup="compact",
)
POSITION = Topic(
    name="trading.position.v1",
    meaning="The latest state of every position of the account.",
    key="account:symbol",
    events=(PositionChanged,),
    producers=("executor",),
    consumers=("trade_ingest", "gateway", "notifier"),
    family="single",
    retention_ms=KEEP_FOREVER,
    cleanup="compact",
)
RISK_STATE = Topic(
    name="risk.state.v1",
    meaning="The risk guard's state with its heartbeat; no fresh record means no entries.",
    key="account",
    events=(RiskStateChanged,),
    producers=("risk_guard",),
    consumers=("executor", "console", "gateway", "notifier"),
    family="single",
    retention_ms=KEEP_FOREVER,
    cleanup="compact",
)
ALERT = Topic(
    name="ops.alert.v1",
    meaning="What a person should know now.",
    key="alert",
    events=(AlertRaised,),
    producers=("recorder", "console", "backtester", "risk_guard", "executor"),
    consumers=("gateway", "notifier"),
    family="single",
    retention_ms=30 * DAY_MS,
)
COMMAND = Topic(
    name="control.command.v1",
    meaning="Commands of people to executor and risk guard, each signed, with a nonce and an expiry.",
    key="target",
    events=(CommandIssued,),
    producers=("console", "notifier", "gateway"),
    consumers=("executor", "risk_guard", "console", "gateway"),
    family="single",
    retention_ms=90 * DAY_MS,
)
COMMAND_RESULT = Topic(
    name="control.result.v1",
    meaning="What executor and risk guard made of each command: obeyed or refused, in a sentence.",
    key="command",
    events=(CommandAnswered,),
    producers=("executor", "risk_guard"),
    consumers=("console", "gateway", "notifier"),
    family="single",
    retention_ms=90 * DAY_MS,
)

TOPICS: tuple[Topic, ...] = (
    AGGTRADE,
    LIQUIDATION,
    INDICATOR,
    INDICATOR_HISTORY,
    MARKPRICE,
    FEEDSTATUS,
    STRATEGY_CONTROL,
    STRATEGY_ANSWER,
    SYMBOL_CONTROL,
    TIMELINE,
    SIGNAL_INDICATOR,
    SIGNAL_SCORED,
    PAPER,
    ORDER,
    TRADE,
    EXECUTOR,
    POSITION,
    RISK_STATE,
    ALERT,
    COMMAND,
    COMMAND_RESULT,
)
SEQUENCED: tuple[Topic, ...] = (AGGTRADE, LIQUIDATION, INDICATOR, MARKPRICE, FEEDSTATUS)
DEAD_LETTER_RETENTION_MS = 30 * DAY_MS


def topic_named(name: str) -> Topic:
    """The row of that name; `KeyError` when the table has none."""
    for topic in TOPICS:
        if topic.name == name:
            return topic
    raise KeyError(name)
