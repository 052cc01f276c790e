"""The guard's settings: every rule's thresholds as shipped or changed, and how it acts on what it cannot see."""

from collections.abc import Iterator
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from libs.trading.risk.inputs import GuardInputs
from libs.trading.risk.rule import Rule, Verdict, judge
from libs.trading.risk.rules import all_rules
from libs.trading.risk.thresholds import Thresholds


class RiskLimits(BaseModel):
    """What a guard is told. `rules` replaces the thresholds of the rules that it names; the others keep the shipped ones."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    rules: dict[str, Thresholds] = Field(default_factory=dict, description="Thresholds by rule, of those that differ")
    stale_ms: int = Field(default=10_000, ge=1_000, le=60_000, description="Inputs that are older count as missing")
    account_missing_ms: int = Field(
        default=60_000, ge=10_000, le=3_600_000, description="Silence of the account after which everything is closed"
    )
    flatten_without_account: bool = Field(default=True, description="Whether that silence closes everything")
    bare_close_ms: int = Field(
        default=4_500, ge=1_000, le=60_000, description="Time without a stop after which a position is closed"
    )
    cooldown_minutes: int = Field(
        default=60, ge=1, le=1_440, description="Looked at without a break before an automatic resume"
    )
    auto_resumes: int = Field(
        default=2, ge=0, le=24, description="Automatic resumes a UTC day; then a person must reset"
    )

    @model_validator(mode="after")
    def _fits_the_rules(self) -> Self:
        known = {rule.name: rule for rule in all_rules()}
        for name, thresholds in self.rules.items():
            if name not in known:
                raise ValueError(f"there is no risk rule {name}; there are {', '.join(sorted(known))}")
            if not thresholds.are_ordered(known[name].is_floor):
                raise ValueError(f"{name} would break before it warns")
        return self

    def of(self, rule: Rule) -> Thresholds:
        """The rule's thresholds here."""
        return self.rules.get(rule.name, rule.defaults)

    def verdicts(self, inputs: GuardInputs) -> tuple[Verdict, ...]:
        """What every rule says, in their order."""
        return tuple(self._verdicts(inputs))

    def _verdicts(self, inputs: GuardInputs) -> Iterator[Verdict]:
        for rule in all_rules():
            yield from judge(rule, inputs, self.of(rule), self.stale_ms)
