"""What each figure of a report is: its words, its unit, its formula and its source; screens, pages and docs take them here."""

from typing import Literal, get_args

import msgspec

Unit = Literal[
    "quote", "quote_signed", "share", "share_signed", "probability", "ratio", "R", "count", "time", "correlation"
]
Heading = Literal["Result", "Risk", "Trades", "Market", "Is it luck?"]
HEADINGS: tuple[Heading, ...] = get_args(Heading)


class Metric(msgspec.Struct, frozen=True):
    """One figure: `name` as in `Figures`."""

    name: str
    heading: Heading
    label: str
    unit: Unit
    formula: str
    source: str


_DEFINITION = "definition"
_RESULT: tuple[Metric, ...] = (
    Metric("net", "Result", "Net PnL", "quote_signed", "gross − fees − slippage − funding", _DEFINITION),
    Metric(
        "gross",
        "Result",
        "Gross PnL",
        "quote_signed",
        "Σ (exit − entry) × quantity at the prices of the trades met",
        _DEFINITION,
    ),
    Metric("fees", "Result", "Fees", "quote", "Σ fees of entries and exits (a rebate is below 0)", _DEFINITION),
    Metric("slippage", "Result", "Slippage", "quote", "Σ what fills gave away against the trade they met", _DEFINITION),
    Metric("funding", "Result", "Funding", "quote", "Σ funding paid (below 0: received)", _DEFINITION),
    Metric("total_return", "Result", "Return", "share_signed", "last equity / starting balance − 1", _DEFINITION),
    Metric("total_r", "Result", "Net PnL, R", "R", "Σ net / initial risk", "Tharp (1998)"),
    Metric(
        "cagr",
        "Result",
        "CAGR",
        "share_signed",
        "(last equity / starting balance)^(365 / days) − 1, from a day on",
        _DEFINITION,
    ),
)
_RISK: tuple[Metric, ...] = (
    Metric("volatility", "Risk", "Volatility", "share", "sd(r) × √365, r daily returns, n − 1", _DEFINITION),
    Metric("sharpe", "Risk", "Sharpe", "ratio", "mean(r) / sd(r) × √365, riskless rate 0, n − 1", "Sharpe (1994)"),
    Metric("sortino", "Risk", "Sortino", "ratio", "mean(r) / √mean(min(r, 0)²) × √365", "Sortino and Price (1994)"),
    Metric("calmar", "Risk", "Calmar", "ratio", "CAGR / greatest drawdown", "Young (1991)"),
    Metric(
        *("drawdown", "Risk", "Max drawdown", "share"),
        "max (peak − equity) / peak, open positions at market",
        "Magdon-Ismail and Atiya (2004)",
    ),
    Metric("drawdown_amount", "Risk", "Drawdown, amount", "quote", "max (peak − equity)", _DEFINITION),
    Metric(
        *("drawdown_expected", "Risk", "Drawdown, 1 in 20", "share"),
        "95 % quantile of the drawdown of closed trades over bootstrap draws",
        "Politis and Romano (1994)",
    ),
    Metric(
        *("longest_under_water", "Risk", "Longest under water", "time"),
        "longest time from a peak until it is reached again, or the end",
        _DEFINITION,
    ),
    Metric(
        "time_under_water", "Risk", "Time under water", "share", "time below a peak / length of the range", _DEFINITION
    ),
)
_TRADES: tuple[Metric, ...] = (
    Metric("trades", "Trades", "Trades", "count", "closed positions", _DEFINITION),
    Metric("win_rate", "Trades", "Win rate", "share", "trades with net > 0 / trades", _DEFINITION),
    Metric("profit_factor", "Trades", "Profit factor", "ratio", "Σ net wins / |Σ net losses|", _DEFINITION),
    Metric("payoff", "Trades", "Payoff", "ratio", "mean win / |mean loss|", _DEFINITION),
    Metric("expectancy", "Trades", "Expectancy", "quote_signed", "mean net of a trade", "Tharp (1998)"),
    Metric("expectancy_r", "Trades", "Expectancy, R", "R", "mean of net / initial risk", "Tharp (1998)"),
    Metric("best_r", "Trades", "Best trade", "R", "max net / initial risk", _DEFINITION),
    Metric("worst_r", "Trades", "Worst trade", "R", "min net / initial risk", _DEFINITION),
    Metric("win_streak", "Trades", "Win streak", "count", "longest run, in order of exits", _DEFINITION),
    Metric("loss_streak", "Trades", "Loss streak", "count", "longest run, in order of exits", _DEFINITION),
    Metric("median_hold", "Trades", "Median hold", "time", "median (last exit − entry)", _DEFINITION),
    Metric("mean_hold", "Trades", "Mean hold", "time", "mean (last exit − entry)", _DEFINITION),
    Metric(
        *("score_correlation", "Trades", "Score against R", "correlation"),
        "Spearman's rank correlation of score and net R",
        "Spearman (1904)",
    ),
)
_MARKET: tuple[Metric, ...] = (
    Metric(
        "time_in_market",
        "Market",
        "Time in market",
        "share",
        "time with an open position / range",
        _DEFINITION,
    ),
    Metric("mean_exposure", "Market", "Mean exposure", "share", "mean over time of notional / equity", _DEFINITION),
    Metric("greatest_exposure", "Market", "Greatest exposure", "share", "max notional / equity", _DEFINITION),
    Metric("turnover", "Market", "Turnover a day", "ratio", "notional of all fills / mean equity / days", _DEFINITION),
    Metric(
        *("capacity", "Market", "Capacity a trade", "quote"),
        "mean entry notional × ((gross − fees − funding) / slippage)²: there impact eats the edge; best total at 4/9 of it",
        "square-root law: Almgren et al. (2005)",
    ),
)
_LUCK: tuple[Metric, ...] = (
    Metric(
        *("luck", "Is it luck?", "Probability of luck", "probability"),
        "the greater of 1 − deflated Sharpe and luck of trades, of those that are known",
        "this project, to be careful",
    ),
    Metric(
        *("luck_of_trades", "Is it luck?", "Luck, by trades", "probability"),
        "1 − (1 − p)^N, p = Φ(−mean R / its block bootstrap error), N configurations tried",
        "Politis and Romano (1994); Šidák (1967)",
    ),
    Metric(
        *("probabilistic_sharpe", "Is it luck?", "Prob. Sharpe", "probability"),
        "Φ(SR √(n − 1) / √(1 − γ₃ SR + (γ₄ − 1) / 4 SR²)), SR a day; from ten days on",
        "Bailey and López de Prado (2012)",
    ),
    Metric(
        *("deflated_sharpe", "Is it luck?", "Deflated Sharpe", "probability"),
        "the same against SR₀ = √V ((1 − γ) Φ⁻¹(1 − 1/N) + γ Φ⁻¹(1 − 1/(N e)))",
        "Bailey and López de Prado (2014)",
    ),
)
CATALOGUE: tuple[Metric, ...] = (*_RESULT, *_RISK, *_TRADES, *_MARKET, *_LUCK)
"""In the order of screens."""
BY_NAME: dict[str, Metric] = {metric.name: metric for metric in CATALOGUE}


def markdown_table() -> str:
    """The catalogue as the table of docs/backtesting.md."""
    lines = ["| figure | name in the JSON | unit | formula | source |", "|---|---|---|---|---|"]
    lines += [
        f"| {metric.label} | `{metric.name}` | {UNIT_WORDS[metric.unit]} | {metric.formula.replace('|', '¦')} | {metric.source} |"
        for metric in CATALOGUE
    ]
    return "\n".join(lines)


UNIT_WORDS: dict[Unit, str] = {
    "quote": "quote units",
    "quote_signed": "quote units",
    "share": "share",
    "share_signed": "share",
    "probability": "probability",
    "ratio": "ratio",
    "R": "R",
    "count": "number",
    "time": "ms",
    "correlation": "−1 to 1",
}
