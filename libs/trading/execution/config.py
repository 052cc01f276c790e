"""What may trade on an account, and how much: one document with a version, changed by signed commands only."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SymbolName = Annotated[str, Field(pattern=r"^[A-Z0-9]{2,24}$")]
StrategyName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
MarginType = Literal["CROSSED", "ISOLATED"]
ForeignPolicy = Literal["pause", "adopt", "ignore"]
Leverage = Annotated[int, Field(ge=1, le=125)]
Money = Annotated[Decimal, Field(gt=0, le=10_000_000)]


class SymbolOverride(BaseModel):
    """Where one symbol differs; None: as all."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    risk_per_trade: Money | None = None
    leverage: Leverage | None = None
    margin_type: MarginType | None = None
    max_notional: Money | None = None


class LiveConfig(BaseModel):
    """What the executor may do. As shipped, no strategy trades: an owner says which do (`perpstream live set`).

    Amounts in quote units. `version` counts changes of this account; `symbols` empty: all that are followed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    version: int = Field(default=0, ge=0)
    strategies: tuple[StrategyName, ...] = Field(default=(), description="Whose signals are traded")
    symbols: tuple[SymbolName, ...] = Field(default=(), description="Only these; empty: every followed symbol")
    blacklist: tuple[SymbolName, ...] = Field(default=(), description="Never these")
    overrides: dict[SymbolName, SymbolOverride] = Field(default_factory=dict, description="Where a symbol differs")
    risk_per_trade: Money = Field(default=Decimal(10), description="1 R, in quote units")
    max_positions: int = Field(default=3, ge=1, le=100, description="Open or being entered, at once")
    max_notional: Money = Field(default=Decimal(10_000), description="Of one position, in quote units")
    leverage: Leverage = Field(default=5, description="Set at the venue before an entry")
    margin_type: MarginType = Field(default="CROSSED", description="CROSSED or ISOLATED, set like the leverage")
    cooldown_seconds: int = Field(default=300, ge=0, le=86_400, description="After a trade's end, per symbol")
    signal_valid_seconds: int = Field(default=15, ge=1, le=600, description="An older signal is not entered any more")
    hold_minutes: int = Field(default=70, ge=1, le=10_080, description="Longest hold, whatever a strategy says")
    max_price_gap_bps: Decimal = Field(
        default=Decimal(50), gt=0, le=1_000, description="Signal's price against the order venue's, for entries"
    )
    min_liquidation_gap: Decimal = Field(
        default=Decimal("1.5"), ge=1, le=100, description="Liquidation is at least so many stop distances away"
    )
    foreign_policy: ForeignPolicy = Field(default="pause", description="Orders or positions that are not ours")

    def leverage_of(self, symbol: str) -> int:
        """The leverage that the symbol is to have."""
        found = self.overrides.get(symbol)
        return self.leverage if found is None or found.leverage is None else found.leverage

    def margin_type_of(self, symbol: str) -> MarginType:
        """The margin type that the symbol is to have."""
        found = self.overrides.get(symbol)
        return self.margin_type if found is None or found.margin_type is None else found.margin_type

    def risk_of(self, symbol: str) -> Decimal:
        """1 R of that symbol, quote units."""
        found = self.overrides.get(symbol)
        return self.risk_per_trade if found is None or found.risk_per_trade is None else found.risk_per_trade

    def max_notional_of(self, symbol: str) -> Decimal:
        """The largest position of that symbol, quote units."""
        found = self.overrides.get(symbol)
        return self.max_notional if found is None or found.max_notional is None else found.max_notional

    def may_trade(self, symbol: str) -> bool:
        """Whether the symbol may be entered."""
        return symbol not in self.blacklist and (not self.symbols or symbol in self.symbols)
