"""A sweep's rescoring: ten thousand configurations over 92 hours of evaluations, in processor time of one core, in one table.

Opinions are made of random values of ten factors that wander as they do in a market; weights, thresholds, cooldowns and bands
are random. What is timed is everything between strategies as columns and crossings with score, side and reason, which come some
configurations at a time, as a sweep takes them.
"""

import argparse
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from libs.trading.factors import all_factors
from libs.trading.machine import rescoring as machine
from libs.trading.opinions import Opinions, in_order
from libs.trading.rescoring import Rules, least_totals, rescored_parts

EVALUATION_MS = 15_000
START_MS = 20_000 * 86_400_000


def opinions(rows: int, factors: int) -> Opinions:
    """Random walks of opinions; one minute in fifty is omitted, and the rank changes every five minutes."""
    chance = np.random.default_rng(1)
    names = in_order(list(all_factors())[:factors])
    value = np.tanh(np.cumsum(chance.normal(0, 0.05, (len(names), rows)), axis=1) * 0.3)
    gone = np.repeat(chance.random((len(names), rows // 4 + 1)) < 0.02, 4, axis=1)[:, :rows]
    omission = gone.astype(np.int8) * machine.STALE_INPUT
    ones = np.ones(value.shape)
    return Opinions(
        symbols=("BTCUSDT",),
        price_decimals=(1,),
        factors=names,
        symbol=np.zeros(rows, np.int64),
        time_ms=START_MS + EVALUATION_MS * np.arange(rows),
        value=np.where(omission, 0, np.where([[all_factors()[name].role == "scale"] for name in names], 0.9, value)),
        omission=omission,
        shown_sign=np.sign(value).astype(np.int8),
        share=ones,
        window_share=np.ones((3, rows)),
        unusable=np.zeros(rows, np.int8),
        rank=np.repeat(chance.random(rows // 20 + 1), 20)[:rows],
        price=np.full(rows, 600_000),
        atr=np.full(rows, 800_000),
        interval_ms=EVALUATION_MS,
    )


def rules(table: Opinions, count: int, threshold: float) -> Rules:
    """Random configurations of all factors, thresholds around the one given."""
    chance = np.random.default_rng(2)
    known = all_factors()
    scales = sum(known[name].role == "scale" for name in table.factors)
    votes = len(table.factors) - scales
    raw = chance.random((count, votes)) + 0.01
    weight = np.hstack([raw / raw.sum(axis=1, keepdims=True), np.ones((count, scales))])
    thresholds = np.round(threshold + chance.uniform(-5, 5, count), 2)
    return Rules(
        machine.RuleRows(
            factor=np.tile(np.arange(votes + scales), (count, 1)),
            weight=weight,
            votes=np.full(count, votes),
            scales=np.full(count, scales),
            least=least_totals(thresholds),
            enabled=np.ones(count, np.int8),
            cooldown_ms=chance.choice(np.array([300_000, 600_000, 1_800_000]), count),
            low=np.full(count, 0.05),
            high=np.full(count, 0.97),
            allowed=np.zeros(count, np.int64),
            insisted=np.ones(count, np.int64),
            windows=np.full(count, 7),
            confirmed=np.ones(count, np.int64),
            covered=np.ones((count, 1), np.int8),
        ),
        np.full(count, 0.9),
        np.full(count, EVALUATION_MS),
    )


def measured(table: Opinions, configured: Rules, rounds: int) -> tuple[float, int, int]:
    """The median of processor seconds; crossings and emitted signals of all configurations, counted on the way."""
    taken, crossings, emitted = [], 0, 0
    for _ in range(rounds):
        begun = time.process_time()
        crossings = emitted = 0
        for part in rescored_parts(table, configured):
            crossings += len(part.row)
            emitted += int(np.count_nonzero(part.reason == machine.EMITTED))
        taken.append(time.process_time() - begun)
    return float(np.median(taken)), crossings, emitted


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--configurations", type=int, default=10_000)
    parser.add_argument("--hours", type=int, default=92)
    parser.add_argument("--factors", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    table = opinions(given.hours * 240, given.factors)
    measured(table, rules(table, 2, 60), 1)
    shown = Table(
        title=f"{given.configurations:,} configurations x {len(table):,} evaluations x {given.factors} factors"
    )
    for title in ("threshold", "crossings each", "emitted each", "processor s", "evaluations/s"):
        shown.add_column(title, justify="right")
    for threshold in (60, 45, 30):
        seconds, crossings, emitted = measured(table, rules(table, given.configurations, threshold), given.rounds)
        count = given.configurations
        shown.add_row(
            f"{threshold} ± 5",
            f"{crossings / count:,.0f}",
            f"{emitted / count:,.0f}",
            f"{seconds:.2f}",
            f"{count * len(table) / seconds / 1e6:,.0f} M",
        )
    Console(soft_wrap=True).print(shown)


if __name__ == "__main__":
    main()
