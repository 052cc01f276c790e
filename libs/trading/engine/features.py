"""An evaluation as the event that carries its features."""

from libs.contracts.identity import indicator_id
from libs.contracts.signals import IndicatorComputed
from libs.trading.engine.core import Evaluation
from libs.trading.engine.slow_inputs import as_events


def indicator_event(evaluation: Evaluation, interval_ms: int) -> IndicatorComputed:
    """The event of one evaluation on a grid of `interval_ms`."""
    row = evaluation.situation.row
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
        slow_inputs=as_events(evaluation.situation.inputs, row.evaluation_time_ms),
        scores=evaluation.scores,
        last_agg_id=row.last_agg_id,
        trades_late=row.trades_late,
        trades_missing=row.trades_missing,
    )
