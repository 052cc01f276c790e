"""A strategy as a file says it: which factors, how much each counts, when a signal is made and how it is bracketed."""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from libs.contracts.signals import OppositeSignal, TakeProfitType, WorkingType
from libs.kit.errors import ConfigurationError
from libs.kit.wording import what_is_wrong
from libs.trading.factors import all_factors

WEIGHT_TOLERANCE = 1e-9
# A hole of one bucket of 15 s, which can touch two of them, leaves 0.9 of the shortest window; the factors that need more say so.
DEFAULT_MIN_COVERAGE = 0.9
SymbolName = Annotated[str, Field(pattern=r"^[A-Z0-9]{2,24}$")]
AtrMultiple = Annotated[float, Field(gt=0, le=50)]
_INTERVALS = {"15s": 15_000, "1s": 1_000}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class FactorUse(_Part):
    """How a strategy uses a factor. A scale's weight is how far it may shrink the votes (1: all the way to its value)."""

    weight: float = Field(gt=0, le=1, description="Share of the score; the weights of voting factors add up to 1.")
    when_missing: Literal["omit", "refuse"] = Field(
        default="omit", description="Without its data: contribute 0 and say so, or refuse the signal."
    )


class DirectionRule(_Part):
    """Which directions may be signalled, and which factors must point the same way."""

    allow: Literal["both", "long", "short"] = "both"
    confirmed_by: tuple[str, ...] = Field(
        default=(), description="Factors whose sign must equal the direction.", strict=False
    )


class AtrBand(_Part):
    """ATR percentile (0 to 1) in which signals are made."""

    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low must be below high")
        return self


class Bracket(_Part):
    """Exits in multiples of ATR(14) from the signal's price, and how they work."""

    take_profit_1_atr: AtrMultiple
    take_profit_2_atr: AtrMultiple
    stop_loss_atr: AtrMultiple
    trailing_atr: AtrMultiple | None = Field(
        default=None,
        description="After the first take-profit the stop follows the best price since at this distance; null: it stays.",
    )
    take_profit_type: TakeProfitType = Field(
        default="limit", description="Take-profits rest in the book, or are triggered and filled at market."
    )
    on_opposite_signal: OppositeSignal = Field(
        default="ignore", description="What a signal does to a position that the strategy holds the other way."
    )
    working_type: WorkingType = Field(
        default="last",
        description="The price that triggers stops: the last trade's, or the venue's mark price, of which archives have none.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.take_profit_1_atr >= self.take_profit_2_atr:
            raise ValueError("take_profit_1_atr must be below take_profit_2_atr")
        return self


class Strategy(_Part):
    """One strategy file."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    version: int = Field(
        ge=1, le=1_000_000, description="Raise it with every change: name and version are in every signal id."
    )
    description: str = Field(default="", max_length=500)
    enabled: bool = Field(default=True, description="false: scores are made, every signal is refused as disabled.")
    symbols: Literal["*"] | Annotated[tuple[SymbolName, ...], Field(min_length=1, strict=False)] = "*"
    evaluation_interval: Literal["15s", "1s"] = "15s"
    threshold: float = Field(gt=0, le=100, description="Score from which a signal is made.")
    cooldown_seconds: int = Field(
        ge=0, le=86_400, description="Shortest time between two emitted signals of one symbol."
    )
    min_coverage: float = Field(
        default=DEFAULT_MIN_COVERAGE,
        ge=0,
        le=1,
        description="Least share known (0 to 1) of each window of trades that its factors read, else the signal is refused; "
        "a factor below it counts as missing.",
    )
    direction: DirectionRule = DirectionRule()
    atr_percentile_band: AtrBand
    bracket: Bracket
    hold_minutes: int = Field(default=70, ge=1, le=10_080)
    factors: Annotated[dict[str, FactorUse], Field(min_length=1)]

    @model_validator(mode="after")
    def _known_factors(self) -> Self:
        known = all_factors()
        names = [*self.factors, *self.direction.confirmed_by]
        unknown = sorted({name for name in names if name not in known})
        if unknown:
            raise ValueError(f"unknown factor {', '.join(unknown)}; known are {', '.join(known)}")
        missing = [
            name for name in self.direction.confirmed_by if name not in self.factors or known[name].role != "vote"
        ]
        if missing:
            raise ValueError(f"direction.confirmed_by names {', '.join(missing)}, which does not vote in this strategy")
        total = sum(use.weight for name, use in sorted(self.factors.items()) if known[name].role == "vote")
        if abs(total - 1) > WEIGHT_TOLERANCE:
            raise ValueError(f"the weights of the voting factors add up to {total:g}; they must add up to 1")
        return self

    @property
    def interval_ms(self) -> int:
        return _INTERVALS[self.evaluation_interval]

    def covers(self, symbol: str) -> bool:
        """Whether the strategy looks at this symbol."""
        return self.symbols == "*" or symbol in self.symbols


class StrategyInvalid(ConfigurationError):
    """A strategy file is wrong. `problems`: one line each with file, place, what is wrong and what is allowed."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(
            "\n".join([*problems, "What to do"]), todo="mend the file; strategies/schema.json says what is allowed"
        )
        self.problems = problems


def read_strategy(text: str | bytes, file: str) -> Strategy:
    """The strategy in a JSON text; `file` is its name for messages. Raises `StrategyInvalid` with one line per problem."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise StrategyInvalid([f"{file}: $: not JSON: {error}"]) from None
    except RecursionError:
        raise StrategyInvalid([f"{file}: $: nested too deeply to be read"]) from None
    try:
        return Strategy.model_validate(data)
    except ValidationError as error:
        problems = [_line(file, detail) for detail in error.errors(include_url=False) if not _other_branch(detail)]
        raise StrategyInvalid(list(dict.fromkeys(problems))) from None


def _other_branch(detail: ErrorDetails) -> bool:
    """`symbols` is "*" or a list, and what is wrong with one of them is told twice: as no "*" and as no list."""
    if detail["loc"][:1] != ("symbols",) or len(detail["loc"]) < 2:
        return False
    kind, found = detail["type"], detail["input"]
    return (
        kind == "tuple_type"
        or (kind == "literal_error" and isinstance(found, list))
        or (kind == "too_short" and bool(found))
    )


def _line(file: str, detail: ErrorDetails) -> str:
    """One problem: where in the JSON, what is wrong, and what was found."""
    # A place inside a union names the branch ("tuple[...]"), which means nothing to whoever wrote the file.
    parts = [part for part in detail["loc"] if isinstance(part, int) or "[" not in part]
    place = "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    what = what_is_wrong(detail)
    if detail["type"] == "extra_forbidden":
        what = "is not a field of a strategy; see strategies/schema.json for those that are"
    elif place == "$.symbols" and detail["type"] == "literal_error":
        what = 'must be "*" or a list of symbols'
    found = detail["input"]
    shown = f" (found {json.dumps(found, default=str)})" if isinstance(found, str | int | float | bool | None) else ""
    return f"{file}: {place}: {what}{shown}"


def strategy_schema() -> dict[str, Any]:
    """The JSON Schema of strategy files, with the factors that exist."""
    schema = Strategy.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Perpstream strategy"
    schema["properties"]["factors"]["propertyNames"] = {"enum": list(all_factors())}
    schema["$defs"]["DirectionRule"]["properties"]["confirmed_by"]["items"]["enum"] = [
        name for name, factor in all_factors().items() if factor.role == "vote"
    ]
    return schema
