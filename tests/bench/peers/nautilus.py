"""NautilusTrader: the same deques in a strategy's `on_trade_tick`, run by its backtest engine."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.config import LoggingConfig, RiskEngineConfig
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import TradeTick
from nautilus_trader.model.enums import AccountType, AggressorSide, OmsType
from nautilus_trader.model.objects import Money
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

from libs.indicators.kernel import LogRows
from tests.bench.bench_kernel import EVALUATION_MS, WINDOWS_MS, TradeWindow
from tests.bench.peers.contender import (
    PRICE_DECIMALS,
    QUANTITY_DECIMALS,
    Contender,
    Reading,
    first_edge,
    floats_of,
)

NS = 1_000_000
SELLER = AggressorSide.SELLER


class Windows(Strategy):  # type: ignore[misc]
    """Keeps the windows and reads them each 15 s; never trades."""

    def __init__(self, instrument_id: Any, edge_ms: int) -> None:
        super().__init__()
        self.instrument_id, self.edge_ms = instrument_id, edge_ms
        self.windows = [TradeWindow(length) for length in WINDOWS_MS]
        self.last: Reading = []

    def on_start(self) -> None:
        self.subscribe_trade_ticks(self.instrument_id)

    def on_trade_tick(self, tick: Any) -> None:
        time_ms = tick.ts_event // NS
        while time_ms >= self.edge_ms:
            self.read()
        price, quantity, sold = tick.price.as_double(), tick.size.as_double(), tick.aggressor_side == SELLER
        for window in self.windows:
            window.add(time_ms, price, quantity, sold)

    def read(self) -> None:
        for window in self.windows:
            window.trim(self.edge_ms)
        self.last = [window.read() for window in self.windows]
        self.edge_ms += EVALUATION_MS


def contender(rows: LogRows) -> Contender:
    """One engine for all rounds, reset between them with a new strategy."""
    instrument = TestInstrumentProvider.btcusdt_perp_binance()
    engine = _engine(instrument)
    engine.add_data(_ticks(rows, instrument.id), sort=False)

    def prepare() -> Callable[[], Reading]:
        engine.reset()
        engine.clear_strategies()
        strategy = Windows(instrument.id, first_edge(rows))
        engine.add_strategy(strategy)

        def work() -> Reading:
            engine.run()
            return strategy.last

        return work

    return Contender(f"NautilusTrader {version('nautilus_trader')}", len(rows.time), prepare, goal=1_000)


def _engine(instrument: Any) -> Any:
    """With all switched off that a strategy which never trades can do without."""
    config = BacktestEngineConfig(
        logging=LoggingConfig(bypass_logging=True),
        risk_engine=RiskEngineConfig(bypass=True),
        run_analysis=False,
    )
    engine = BacktestEngine(config)
    engine.add_venue(instrument.id.venue, OmsType.NETTING, AccountType.MARGIN, [Money(1_000_000, USDT)])
    engine.add_instrument(instrument)
    return engine


def _ticks(rows: LogRows, instrument_id: Any) -> list[Any]:
    trades = floats_of(rows)
    time_ns = (trades.time_ms * NS).astype(np.uint64)
    side = np.where(trades.sold, SELLER, AggressorSide.BUYER).astype(np.uint8)
    found: list[Any] = TradeTick.from_raw_arrays_to_list(
        instrument_id,
        PRICE_DECIMALS,
        QUANTITY_DECIMALS,
        trades.price,
        trades.quantity,
        side,
        list(map(str, rows.agg_id.tolist())),
        time_ns,
        time_ns,
    )
    return found
