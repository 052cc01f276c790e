"""Asking a person once more before something is done, with its effect in numbers first; a script says `--yes`."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from libs.kit.errors import ConfigurationError, UserError
from services.console.asking import Asking

if TYPE_CHECKING:
    from decimal import Decimal

    from libs.contracts.trading import LiveTradeChanged
    from libs.trading.execution.config import LiveConfig

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")]
Effect = Callable[[], Sequence[str]]


def require_yes(question: str, *, yes: bool, effect: Effect = tuple) -> None:
    """Return when the person says yes, or has said `--yes`. `effect`: lines that are shown before the question; it is called only
    where somebody is asked. Raises `ConfigurationError` where nobody can be asked, `UserError` for a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigurationError(
            "nothing was sent: a person has to be asked, and here is no terminal", todo="write --yes"
        )
    for line in effect():
        typer.echo(f"  {line}", err=True)
    try:
        sure = typer.confirm(question, err=True)
    except typer.Abort:
        typer.echo(err=True)
        sure = False
    if not sure:
        raise UserError("nothing was sent", todo="answer y, or write --yes, as a script has to")


def entries_again(asking: Asking) -> list[str]:
    """What may be lost once entries are allowed: by what is held now, and by as many positions as are allowed."""
    config, held = _config(asking), _held(asking)
    if config is None:
        return [f"{len(held)} held now; how many may be is not known: the database does not answer"]
    most = config.max_positions
    return [f"{len(held)} → up to {most} positions: worst case −{most} R ({-most_at_risk(config):f} in quote units)"]


def one_more(asking: Asking, symbol: str, risk: str | None) -> list[str]:
    """What one more position may lose, with what is held now."""
    held, config = _held(asking), _config(asking)
    count = len(held) + 1
    own = f"{risk}" if risk is not None else "not known" if config is None else f"{config.risk_of(symbol):f}"
    told = sum(trade.risk_quote for trade in held if trade.risk_quote is not None)
    return [
        f"{len(held)} → {count} positions: worst case −{count} R; this one risks {own} in quote units, those held {told:f}"
    ]


def most_at_risk(config: "LiveConfig") -> "Decimal":
    """What as many positions as are allowed lose at their stops, quote units: each at the largest risk that any symbol has."""
    own = [one.risk_per_trade for one in config.overrides.values() if one.risk_per_trade is not None]
    return config.max_positions * max([config.risk_per_trade, *own])


def _held(asking: Asking) -> "tuple[LiveTradeChanged, ...]":
    from services.console.position_table import held_now

    heard = held_now(asking)
    return () if heard is None else heard.said.held


def _config(asking: Asking) -> "LiveConfig | None":
    """None where the database does not answer: what a person wants does not wait for it."""
    from services.console.live import newest_config

    try:
        return newest_config(asking)[0]
    except UserError:
        return None
