"""A feature row as the event that carries it."""

from libs.contracts.identity import indicator_id
from libs.contracts.signals import IndicatorComputed, SlowInput, StrategyScore
from libs.indicators.features import FeatureRow


def indicator_event(
    row: FeatureRow, interval_ms: int, slow_inputs: tuple[SlowInput, ...], scores: tuple[StrategyScore, ...]
) -> IndicatorComputed:
    """The event of one evaluation on a grid of `interval_ms`."""
    return IndicatorComputed(
        event_id=indicator_id(row.symbol, row.evaluation_time_ms),
        event_time_ms=row.evaluation_time_ms,
        symbol=row.symbol,
        interval_ms=interval_ms,
        effective_at_ms=row.effective_at_ms,
        price=row.price,
        windows=row.windows,
        large_p95=row.large_p95,
        large_p99=row.large_p99,
        large_buy_p95=row.large_buy_p95,
        large_sell_p95=row.large_sell_p95,
        large_buy_p99=row.large_buy_p99,
        large_sell_p99=row.large_sell_p99,
        size_coverage=row.size_coverage,
        atr=row.atr,
        atr_percentile=row.atr_percentile,
        slow_inputs=slow_inputs,
        scores=scores,
        last_agg_id=row.last_agg_id,
        trades_late=row.trades_late,
        trades_missing=row.trades_missing,
    )
