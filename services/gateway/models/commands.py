"""What the API hears and says of commands to guard and executor. Prices and amounts are decimal text."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from libs.contracts.commands import CommandName, CommandTarget
from services.gateway.models.base import Answer
from services.gateway.models.people import Asked

Number = Annotated[str, Field(pattern=r"^[0-9]{1,15}(\.[0-9]{1,18})?$", examples=["61250.5"])]
SymbolName = Annotated[str, Field(pattern=r"^[A-Z0-9]{2,24}$", examples=["BTCUSDT"])]
SymbolOrAll = Annotated[
    str, Field(pattern=r"^(all|[A-Z0-9]{2,24})$", examples=["all"], description="A symbol, or all of the account")
]
TradeId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$", examples=["3f9c2a71d0be4c55a8e1"])]
LONGEST_LOCK_SECONDS = 31 * 86_400


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable text")
    return text


class Command(Asked):
    """What every command may have."""

    account: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$", examples=["main"])] | None = Field(
        default=None, description="Whose; null: the one that this installation trades"
    )
    reason: Annotated[str, Field(max_length=200), AfterValidator(_printable)] = Field(
        default="", examples=["news at 14:00"], description="Why, for those who look at it later"
    )


class PauseAsked(Command):
    """No entries until a resume."""

    confirmation: str = Field(max_length=40, examples=["pause"], description="Type: pause")


class FlattenAsked(Command):
    """Close at market."""

    symbol: SymbolOrAll
    confirmation: str = Field(
        max_length=40, examples=["flatten all"], description="Type: flatten SYMBOL, or flatten all"
    )


class LockAsked(Command):
    """No entries in a symbol for a while."""

    symbol: SymbolName
    seconds: int = Field(strict=True, ge=1, le=LONGEST_LOCK_SECONDS, examples=[7200])


class SymbolAsked(Command):
    """About one symbol."""

    symbol: SymbolName


class ResetAsked(Command):
    """End the circuit break of that number."""

    break_number: int = Field(strict=True, ge=0, le=10**9, examples=[3])


class CloseAsked(SymbolAsked):
    """Close a position in whole (neither), by a share above 0 and up to 1, or by a quantity in base units."""

    share: Number | None = Field(default=None, examples=["0.5"])
    quantity: Number | None = Field(default=None, examples=["0.01"])
    trade_id: TradeId | None = Field(default=None, description="Only if it is that trade's; null: the one held now")

    @model_validator(mode="after")
    def _one(self) -> "CloseAsked":
        if self.share is not None and self.quantity is not None:
            raise ValueError("give share or quantity, not both")
        return self


class MoveStopAsked(SymbolAsked):
    """Another price for the stop of a position."""

    price: Number
    trade_id: TradeId | None = Field(default=None, description="Only if it is that trade's; null: the one held now")


class EnterAsked(SymbolAsked):
    """Enter by hand, sized from the stop and checked like a signal."""

    direction: Literal["long", "short"]
    stop: Number = Field(examples=["60500"])
    take_profit_1: Number | None = Field(default=None, examples=["62000"])
    take_profit_2: Number | None = Field(default=None, examples=["63500"])
    risk: Number | None = Field(
        default=None, examples=["10"], description="1 R in quote units, at most as configured; null: as configured"
    )


SettingName = Annotated[str, Field(pattern=r"^[a-z_]{1,40}(\.[A-Z0-9]{2,24}\.[a-z_]{1,40})?$")]
SettingText = Annotated[str, Field(max_length=4000), AfterValidator(_printable)]


class ConfigChange(Command):
    """Changes from one version to the next: all of them or none. Lists with commas; `none` takes a symbol's own value away."""

    base_version: int = Field(strict=True, ge=0, le=10**12, examples=[7], description="The version that you looked at")
    changes: dict[SettingName, SettingText] = Field(
        min_length=1, max_length=100, examples=[{"risk_per_trade": "5", "overrides.BTCUSDT.leverage": "3"}]
    )


class CommandState(Answer):
    """A command and what became of it. `unknown`: no answer is there yet, and it may be obeyed until `expires_ms`."""

    command_id: str = Field(examples=["b1946ac92492d2347c62"])
    account: str = Field(examples=["main"])
    target: CommandTarget
    command: CommandName
    arguments: dict[str, str] = Field(examples=[{"symbol": "BTCUSDT"}])
    reason: str = Field(examples=["anna: news at 14:00"])
    issued_by: str = Field(examples=["gateway"])
    issued_ms: int = Field(examples=[1_796_000_000_000])
    expires_ms: int = Field(examples=[1_796_000_600_000])
    state: Literal["accepted", "refused", "unknown"]
    result: str | None = Field(examples=["no entries until a resume"])
    details: dict[str, str] = Field(examples=[{}])


class SettingDifference(Answer):
    """A setting that differs."""

    name: str = Field(examples=["risk_per_trade"])
    before: str = Field(examples=["10"])
    after: str = Field(examples=["5"])


class ConfigFigures(Answer):
    """The most that a configuration allows, in quote units, with every position open."""

    most_risk: str = Field(examples=["30"], description="Lost when every stop is met")
    most_notional: str = Field(examples=["30000"])
    most_margin: str = Field(examples=["6000"])


class ConfigPreview(Answer):
    """What the change would do. What is open stays open: it counts for entries."""

    account: str = Field(examples=["main"])
    base_version: int = Field(examples=[7])
    changes: tuple[SettingDifference, ...]
    before: ConfigFigures
    after: ConfigFigures
    raises_risk: bool
    held: int = Field(examples=[2], description="Trades that are open now")
    over_count: int = Field(examples=[0], description="So many more than would be allowed")
    over_notional: tuple[str, ...] = Field(examples=[["BTCUSDT"]], description="Held with more than would be allowed")
