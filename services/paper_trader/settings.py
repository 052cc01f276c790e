"""What two installations may want to differ in: how paper accounts trade, with the names and defaults of a backtest's request."""

from decimal import Decimal
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from libs.kit.settings import SettingsGroup
from libs.trading.costs import Costs
from libs.trading.portfolio import PortfolioRules

_RULES, _COSTS = PortfolioRules(), Costs()


class PaperSettings(SettingsGroup):
    """The account of each strategy. A change counts from the next start on, for what is ordered then; the balance for accounts
    that begin."""

    paper_starting_balance: Decimal = Field(
        _RULES.starting_balance,
        gt=0,
        le=1_000_000_000,
        description="Quote units with which each strategy's account begins",
    )
    paper_risk_per_trade: Decimal = Field(_RULES.risk_per_trade, gt=0, le=10_000_000, description="1 R, in quote units")
    paper_max_positions: int = Field(_RULES.max_positions, ge=1, le=1_000, description="Of each account, at once")
    paper_daily_loss_r: Decimal | None = Field(
        _RULES.daily_loss_r, gt=0, le=1000, description="Realised loss in R that ends a UTC day's entries"
    )
    paper_warning_r: Decimal | None = Field(
        _RULES.warning_r, gt=0, le=1000, description="Loss of the day in R, unrealised included, that is a warning"
    )
    paper_circuit_break_r: Decimal | None = Field(
        _RULES.circuit_break_r, gt=0, le=1000, description="The same, that stops entries; not below the warning"
    )
    paper_cooldown_minutes: int = Field(_RULES.cooldown_minutes, ge=1, le=1_440, description="How long it stops them")
    paper_flatten: bool = Field(_RULES.flatten, description="Whether it closes what is open too")
    paper_save_seconds: float = Field(
        5.0, gt=0, le=600, description="How often the accounts are kept while nothing is filled"
    )
    paper_filters: Path | None = Field(
        None, description="A file with the exchange's answer to exchangeInfo; without one, filters are assumed"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        warning, circuit_break = self.paper_warning_r, self.paper_circuit_break_r
        if warning is not None and circuit_break is not None and warning > circuit_break:
            raise ValueError("PERPSTREAM_PAPER_WARNING_R must not be above PERPSTREAM_PAPER_CIRCUIT_BREAK_R")
        return self

    def rules(self) -> PortfolioRules:
        """The rules of every account."""
        return PortfolioRules(
            starting_balance=self.paper_starting_balance,
            risk_per_trade=self.paper_risk_per_trade,
            max_positions=self.paper_max_positions,
            daily_loss_r=self.paper_daily_loss_r,
            warning_r=self.paper_warning_r,
            circuit_break_r=self.paper_circuit_break_r,
            cooldown_minutes=self.paper_cooldown_minutes,
            flatten=self.paper_flatten,
        )


class PaperCostSettings(SettingsGroup):
    """What trading on paper costs; shares of the notional, as in a backtest."""

    paper_taker_fee: Decimal = Field(_COSTS.taker_fee, ge=0, le=Decimal("0.01"))
    paper_maker_fee: Decimal = Field(_COSTS.maker_fee, ge=Decimal("-0.01"), le=Decimal("0.01"))
    paper_half_spread_bps: Decimal = Field(_COSTS.half_spread_bps, ge=0, le=1000)
    paper_impact_coefficient: Decimal = Field(_COSTS.impact_coefficient, ge=0, le=100)
    paper_latency_ms: int = Field(
        _COSTS.latency_ms, ge=0, le=60_000, description="From a decision to the venue: entries, closing orders"
    )
    paper_funding: bool = Field(_COSTS.funding, description="Whether settlements are paid")

    def costs(self) -> Costs:
        """The costs of every account."""
        return Costs(
            taker_fee=self.paper_taker_fee,
            maker_fee=self.paper_maker_fee,
            half_spread_bps=self.paper_half_spread_bps,
            impact_coefficient=self.paper_impact_coefficient,
            latency_ms=self.paper_latency_ms,
            funding=self.paper_funding,
        )
