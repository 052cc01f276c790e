"""Forced orders of a synthetic symbol: rare in quiet minutes, cascades when price runs, sampled to one a second."""

import numpy as np

from services.exchange_simulator.payloads import Liquidation, decimal_text
from services.exchange_simulator.synthetic.noise import key_of, lattice
from services.exchange_simulator.synthetic.positioning import SlowFacts
from services.exchange_simulator.synthetic.skeleton import DAY_MINUTES, MINUTE_MS, Skeleton

_MOST_PER_MINUTE = 240


class Liquidations:
    """The largest forced order of each second, as the stream samples them."""

    def __init__(self, seed: int, skeleton: Skeleton, facts: SlowFacts) -> None:
        self._skeleton = skeleton
        self._facts = facts
        self._rules = skeleton.profile.rules
        self._key = key_of(seed, self._rules.symbol, "liquidations")
        self._minutes: dict[int, dict[int, Liquidation]] = {}

    def of_second(self, second: int) -> Liquidation | None:
        """The order that the stream tells at the end of `second` (seconds since the epoch), if there was one."""
        minute = second // 60
        orders = self._minutes.get(minute)
        if orders is None:
            if len(self._minutes) > 3:
                self._minutes.clear()
            orders = self._minutes[minute] = self._of_minute(minute)
        return orders.get(second)

    def _of_minute(self, minute: int) -> dict[int, Liquidation]:
        day, offset = divmod(minute, DAY_MINUTES)
        drift = float(self._skeleton.day(day).drift[offset])
        expected = min(0.25 + 6.0 * max(0.0, abs(drift) - 0.6) ** 2, float(_MOST_PER_MINUTE))
        draws = (
            lattice(self._key, np.arange(minute * 4 * _MOST_PER_MINUTE, (minute + 1) * 4 * _MOST_PER_MINUTE)) / 2 + 0.5
        )
        count = int(expected + draws[0])
        largest: dict[int, tuple[float, Liquidation]] = {}
        for place in range(1, min(count, _MOST_PER_MINUTE - 1) + 1):
            time_part, size_part, side_part, fill_part = draws[place * 4 : place * 4 + 4]
            time_ms = minute * MINUTE_MS + int(time_part * MINUTE_MS)
            notional = 900.0 * min(float(1.0 - size_part) ** -1.1, 1500.0)
            long_hit = side_part < (0.9 if drift < 0 else 0.1)
            order = self._order(time_ms, notional, long_hit, float(fill_part))
            second = time_ms // 1000
            if second not in largest or notional > largest[second][0]:
                largest[second] = (notional, order)
        return {second: order for second, (_, order) in largest.items()}

    def _order(self, time_ms: int, notional: float, long_hit: bool, fill: float) -> Liquidation:
        rules, fair = self._rules, self._facts.fair(time_ms)
        average = round(fair * rules.price_scale / rules.tick) * rules.tick
        # A forced sell may fill down to the bankruptcy price, a forced buy up to it.
        bankruptcy = round(average * (0.996 if long_hit else 1.004) / rules.tick) * rules.tick
        steps = max(1, int(notional / fair * rules.quantity_scale / rules.step)) * rules.step
        last = steps if fill < 0.45 else max(rules.step, int(steps * fill / rules.step) * rules.step)
        return Liquidation(
            symbol=rules.symbol,
            pair=rules.symbol,
            side="SELL" if long_hit else "BUY",
            quantity=decimal_text(steps, rules.quantity_decimals),
            price=decimal_text(bankruptcy, rules.price_decimals),
            average=decimal_text(average, rules.price_decimals),
            last_filled=decimal_text(last, rules.quantity_decimals),
            time_ms=time_ms,
        )


def coin_margined_twin(order: Liquidation, base_asset: str) -> Liquidation:
    """The same squeeze seen on the COIN-M perpetual (quantity in contracts): all-market streams carry both markets."""
    pair = f"{base_asset}USD"
    contracts = str(max(1, int(float(order.quantity) * float(order.average) / 100)))
    symbol = f"{pair}_PERP"
    return Liquidation(
        symbol, pair, order.side, contracts, order.price, order.average, contracts, order.time_ms, market=2
    )
