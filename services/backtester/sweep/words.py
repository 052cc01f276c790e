"""Figures and parameters of rows as people read them."""

from services.backtester.report.words import UNKNOWN, money, number, percent
from services.backtester.sweep.space import Value

LABELS = {
    "net_r": "net R",
    "profit_factor": "profit factor",
    "win_rate": "win rate %",
    "expectancy_r": "expectancy R",
    "sharpe": "Sharpe",
    "drawdown": "drawdown %",
}


def label(figure: str) -> str:
    """A figure's name."""
    return LABELS.get(figure, figure)


def short(parameter: str) -> str:
    """A parameter without the table that it stands in: "vwap_distance weight", "stop_loss_atr"."""
    parts = parameter.split(".")
    return " ".join(parts[1:]) if len(parts) > 1 else parameter


def figure_text(figure: str, value: float | None) -> str:
    """A figure with the decimals and the sign that it needs."""
    if value is None:
        return UNKNOWN
    if figure in ("crossings", "signals", "trades"):
        return number(value, 0)
    if figure in ("drawdown", "win_rate"):
        return percent(value)
    if figure in ("net", "expectancy"):
        return money(value, signed=True)
    return number(value, 2, signed=figure != "profit_factor")


def value_text(value: Value) -> str:
    """A parameter's value."""
    return f"{value:g}" if isinstance(value, float) else str(value)
