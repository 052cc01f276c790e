"""Scoring: a strategy's verdict on a situation, with every contribution, in a fixed order of floating-point operations.

An omitted factor contributes 0 and is shown; the other weights are not inflated, so a score of 75 always means the same
amount of evidence (docs/decisions/0009-scoring.md).
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec
from msgspec import UNSET, UnsetType

from libs.contracts.identity import signal_id
from libs.contracts.signals import (
    Direction,
    FactorContribution,
    RefusalReason,
    SignalScored,
    StrategyScore,
)
from libs.trading.explanation import explain, spoken_number
from libs.trading.factor import (
    WARMED_WINDOWS,
    Coverage,
    Factor,
    Omitted,
    Situation,
    coverage_of,
    opinion,
    spoken_age,
    without_limits,
)
from libs.trading.factors import all_factors
from libs.trading.inputs import TRADE_FEED
from libs.trading.strategy import Strategy

SCORE_DECIMALS = 2
VALUE_DECIMALS = 6
MINUTE_MS = 60_000


class Memory(msgspec.Struct, frozen=True, array_like=True):
    """What a strategy remembers of one symbol: its last emitted signal (ms; -1 none) and that signal's direction."""

    emitted_ms: int = -1
    direction: Direction = "none"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A strategy's score (0 to 100) of one situation and its direction; `omitted` by factor name.

    `ungated_score` and `ungated_direction` are what they would be without a gate: see `judge`. `crossed`: one of the two scores
    reached the threshold, so that the evaluation ends in a state: emitted, or refused with `reason` and `why` in words.
    `held_back`: only the second one did; then there is always a reason.
    """

    score: float
    direction: Direction
    contributions: tuple[FactorContribution, ...]
    omitted: dict[str, Omitted]
    crossed: bool
    reason: RefusalReason | None
    why: str
    ungated_score: float
    ungated_direction: Direction
    held_back: bool

    @property
    def emitted(self) -> bool:
        return self.crossed and self.reason is None

    @property
    def signal_direction(self) -> Direction:
        """Where the signal points, also one that was held back."""
        return self.ungated_direction if self.held_back else self.direction


@dataclass(frozen=True, slots=True)
class _Sum:
    """The contributions, which add up to `total`; `ungated` is the sum without a gate."""

    contributions: tuple[FactorContribution, ...]
    omitted: dict[str, Omitted]
    total: float
    ungated: float


def judge(strategy: Strategy, situation: Situation, memory: Memory, *, enabled: bool = True) -> Verdict:
    """Score a situation and, if the threshold is reached, decide between emitted and refused. Pure and bit-deterministic.

    `enabled` is false when the strategy has been withdrawn. The score without a gate is the sum of the votes before scales, in
    which a factor that the strategy insists on and that lacks coverage or has too old an input votes with what is there. Where
    it alone reaches the threshold, a gate has held the signal back, which is refused: the first gate that was shut says why.
    """
    found = _contributions(strategy, situation)
    score, direction = _said(found.total)
    ungated_score, ungated_direction = _said(found.ungated)
    reached = score >= strategy.threshold
    held_back = not reached and ungated_score >= strategy.threshold
    refusal: tuple[RefusalReason, str] | None = None
    if reached or held_back:
        refusal = (
            _refused_switch(strategy, enabled)
            or _refused_feed(situation)
            or _refused_data(strategy, situation, found.omitted)
            or _refused_coverage(strategy, situation)
            or _refused_regime(strategy, situation)
        )
        if reached:
            refusal = (
                refusal
                or _refused_direction(strategy, direction, found.contributions)
                or _refused_cooldown(strategy, situation, memory)
            )
        else:  # nothing was missing, so that nothing but a scale can have lowered the score
            refusal = refusal or ("atr_regime", _lowered(situation, found, ungated_score, score))
    reason, why = refusal if refusal else (None, "")
    return Verdict(
        score=score,
        direction=direction,
        contributions=found.contributions,
        omitted=found.omitted,
        crossed=reached or held_back,
        reason=reason,
        why=why,
        ungated_score=ungated_score,
        ungated_direction=ungated_direction,
        held_back=held_back,
    )


def _said(total: float) -> tuple[float, Direction]:
    """A sum of contributions as a score, on the decimals that are compared and published, and its direction."""
    score = round(min(100.0, abs(total) * 100), SCORE_DECIMALS)
    return score, "none" if score == 0 else "long" if total > 0 else "short"


def remember(memory: Memory, verdict: Verdict, evaluation_time_ms: int) -> Memory:
    """The memory after a verdict."""
    return Memory(evaluation_time_ms, verdict.direction) if verdict.emitted else memory


def short_score(strategy: Strategy, verdict: Verdict) -> StrategyScore:
    """The verdict as it stands in every indicator event; `contributions` of the factors that were not omitted."""
    return StrategyScore(
        strategy=strategy.name,
        version=strategy.version,
        score=verdict.score,
        threshold=strategy.threshold,
        direction=verdict.direction,
        contributions={part.factor: part.contribution for part in verdict.contributions if part.omitted is None},
    )


def _contributions(strategy: Strategy, situation: Situation) -> _Sum:
    """Votes in name order, then scales: each takes away its share of the sum so far. Contributions add up to the total."""
    known = all_factors()
    names = sorted(strategy.factors, key=lambda name: (known[name].role == "scale", name))
    total = ungated = 0.0
    parts: list[FactorContribution] = []
    omitted: dict[str, Omitted] = {}
    for name in names:
        factor, weight = known[name], strategy.factors[name].weight
        coverage = coverage_of(factor, situation)
        value = opinion(factor, situation)
        if not isinstance(value, Omitted) and coverage.share < strategy.min_coverage:
            value = Omitted("coverage", coverage.short_of(strategy.min_coverage))
        effect = 0.0
        if isinstance(value, Omitted):
            omitted[name] = value
            ungated += _withheld(strategy, factor, situation)
        else:
            effect = _effect(factor, value, weight, total)
            ungated += effect if factor.role == "vote" else 0.0
        total += effect
        parts.append(
            FactorContribution(
                factor=name,
                value=0.0 if isinstance(value, Omitted) else _shown(value),
                weight=weight,
                contribution=_shown(effect),
                omitted=value.why if isinstance(value, Omitted) else None,
                coverage=_shown(coverage.share),
            )
        )
    return _Sum(tuple(parts), omitted, total, ungated)


def _withheld(strategy: Strategy, factor: Factor, situation: Situation) -> float:
    """What an omitted factor would have added if the strategy did not insist on its coverage and on the age of its inputs. A
    strategy that does without it (`omit`) has no gate there, and a scale is one itself."""
    use = strategy.factors[factor.name]
    if factor.role != "vote" or use.when_missing != "refuse":
        return 0.0
    value = without_limits(factor, situation)
    return 0.0 if isinstance(value, Omitted) else value * use.weight


def _lowered(situation: Situation, found: _Sum, ungated_score: float, score: float) -> str:
    """Which scales kept the score below the threshold, in words."""
    known = all_factors()
    words = [
        known[part.factor].words(situation, part.value)
        for part in found.contributions
        if known[part.factor].role == "scale" and part.omitted is None and part.value < 1
    ]
    what = " and ".join(words) or "a scale"
    return f"{what} lowered the score from {spoken_number(ungated_score)} to {spoken_number(score)}"


def _effect(factor: Factor, value: float, weight: float, total: float) -> float:
    if factor.role == "vote":
        return value * weight
    return -total * weight * (1.0 - value)


def _shown(value: float) -> float:
    """Fixed decimals for events; adding 0.0 turns a negative zero into zero."""
    return round(value, VALUE_DECIMALS) + 0.0


def _refused_switch(strategy: Strategy, enabled: bool) -> tuple[RefusalReason, str] | None:
    if strategy.enabled and enabled:
        return None
    return "disabled", "the strategy is disabled"


def _refused_feed(situation: Situation) -> tuple[RefusalReason, str] | None:
    """Trades that nobody brings make no signal, however complete the windows look. A feed that has never said how it is (a log
    from before feeds did) is judged by its watermarks alone."""
    feed = situation.feeds.get(TRADE_FEED)
    if feed is None or feed.live:
        return None
    age_ms = max(0, situation.row.evaluation_time_ms - feed.as_of_ms)
    return "feed_not_live", f"the trade feed had been {feed.state} for {spoken_age(age_ms)}"


def _refused_data(
    strategy: Strategy, situation: Situation, omitted: dict[str, Omitted]
) -> tuple[RefusalReason, str] | None:
    """No price or ATR: no bracket. A factor that the strategy insists on is missing: no signal."""
    if situation.row.price is None or not situation.row.atr or situation.row.atr_percentile is None:
        return "warm_up", "price or ATR is not known yet"
    for name, omission in omitted.items():
        if strategy.factors[name].when_missing == "refuse":
            return omission.code, omission.why
    return None


def _refused_coverage(strategy: Strategy, situation: Situation) -> tuple[RefusalReason, str] | None:
    """A window that the strategy's factors read, whether they count this time or not, is less known than it accepts."""
    known = all_factors()
    for name in sorted(strategy.factors):
        for window in known[name].needs_coverage:
            share = situation.coverage[window]
            if window in WARMED_WINDOWS and share < strategy.min_coverage:
                return "coverage", Coverage(share, window).short_of(strategy.min_coverage)
    return None


def _refused_regime(strategy: Strategy, situation: Situation) -> tuple[RefusalReason, str] | None:
    band, rank = strategy.atr_percentile_band, situation.row.atr_percentile
    if rank is None or band.low <= rank <= band.high:
        return None
    return "atr_regime", f"ATR percentile was {rank * 100:.0f}, allowed {band.low * 100:.0f} to {band.high * 100:.0f}"


def _refused_direction(
    strategy: Strategy, direction: Direction, contributions: tuple[FactorContribution, ...]
) -> tuple[RefusalReason, str] | None:
    rule = strategy.direction
    if rule.allow not in ("both", direction):
        return "direction_conflict", f"only {rule.allow} signals are allowed"
    sign = 1 if direction == "long" else -1
    for part in contributions:
        if part.factor in rule.confirmed_by and part.value * sign <= 0:
            return "direction_conflict", f"{part.factor.replace('_', ' ')} did not confirm"
    return None


def _refused_cooldown(strategy: Strategy, situation: Situation, memory: Memory) -> tuple[RefusalReason, str] | None:
    since_ms = situation.row.evaluation_time_ms - memory.emitted_ms
    if memory.emitted_ms < 0 or since_ms >= strategy.cooldown_seconds * 1_000:
        return None
    return "cooldown", f"the last signal was {since_ms // 1_000} of {strategy.cooldown_seconds} seconds ago"


def signal_event(strategy: Strategy, situation: Situation, verdict: Verdict) -> SignalScored:
    """The event of a verdict that crossed its threshold, or was held back. Bracket prices have the price's decimals.

    Raises `ValueError` when the verdict did not cross, because then there is no signal.
    """
    if not verdict.crossed:
        raise ValueError("a score below its threshold is no signal")
    row = situation.row
    exits = _bracket(strategy, situation, verdict.signal_direction)
    rules = strategy.bracket
    return SignalScored(
        event_id=signal_id(strategy.name, strategy.version, row.symbol, row.evaluation_time_ms),
        event_time_ms=row.evaluation_time_ms,
        strategy=strategy.name,
        version=strategy.version,
        symbol=row.symbol,
        score=verdict.score,
        threshold=strategy.threshold,
        direction=verdict.signal_direction,
        state="emitted" if verdict.emitted else "refused",
        reason=verdict.reason,
        sentence=explain(strategy, situation, verdict),
        price=row.price if row.price is not None else Decimal(0),
        atr=row.atr,
        take_profit_1=exits[0] if exits else None,
        take_profit_2=exits[1] if exits else None,
        stop_loss=exits[2] if exits else None,
        hold_until_ms=row.evaluation_time_ms + strategy.hold_minutes * MINUTE_MS if verdict.emitted else None,
        contributions=verdict.contributions,
        inputs=_inputs(situation),
        coverage=row.coverage()
        | {part.factor: part.coverage for part in verdict.contributions if part.coverage is not UNSET},
        ungated_score=verdict.ungated_score if verdict.held_back else UNSET,
        take_profit_type=rules.take_profit_type if exits and rules.take_profit_type != "limit" else UNSET,
        on_opposite_signal=rules.on_opposite_signal if exits and rules.on_opposite_signal != "ignore" else UNSET,
        trailing_distance=_trailing_distance(strategy, situation) if exits else UNSET,
        working_type=rules.working_type if exits and rules.working_type != "last" else UNSET,
    )


def _bracket(strategy: Strategy, situation: Situation, direction: Direction) -> tuple[Decimal, Decimal, Decimal] | None:
    """Take-profits and stop in quote units, on the price's last decimal; None without price or ATR."""
    price, atr = situation.row.price, situation.row.atr
    if price is None or not atr or direction == "none":
        return None
    away = atr if direction == "long" else -atr
    bracket = strategy.bracket
    multiples = (bracket.take_profit_1_atr, bracket.take_profit_2_atr, -bracket.stop_loss_atr)
    first, second, stop = (
        max(Decimal(0), price + away * Decimal(str(multiple))).quantize(price, ROUND_HALF_EVEN)
        for multiple in multiples
    )
    return first, second, stop


def _trailing_distance(strategy: Strategy, situation: Situation) -> Decimal | UnsetType:
    """How far a trailing stop follows, in quote units on the price's last decimal."""
    price, atr, multiple = situation.row.price, situation.row.atr, strategy.bracket.trailing_atr
    if price is None or atr is None or multiple is None:
        return UNSET
    return (atr * Decimal(str(multiple))).quantize(price, ROUND_HALF_EVEN)


def _inputs(situation: Situation) -> dict[str, Decimal | None]:
    """What was looked at: features by name, slow inputs with their ages in ms."""
    row = situation.row
    named: dict[str, Decimal | None] = {"price": row.price, "atr": row.atr}
    named["atr_percentile"] = (
        None if row.atr_percentile is None else Decimal(str(round(row.atr_percentile, VALUE_DECIMALS)))
    )
    for window in row.windows:
        named[f"cvd_{window.window}"] = window.cvd
        named[f"volume_{window.window}"] = window.volume
        named[f"vwap_{window.window}"] = window.vwap
    named |= {
        "large_p95": row.large_p95,
        "large_p99": row.large_p99,
        "large_buy_p95": row.large_buy_p95,
        "large_sell_p95": row.large_sell_p95,
        "large_buy_p99": row.large_buy_p99,
        "large_sell_p99": row.large_sell_p99,
    }
    for name in sorted(situation.inputs):
        named[name] = situation.inputs[name].value
        named[f"{name}_age_ms"] = Decimal(situation.age_ms(name))
    return named
