"""What two installations may want to differ in: where the guard keeps what it knows, its limits, and its own stop."""

from decimal import Decimal
from pathlib import Path

import platformdirs
from pydantic import Field, ValidationError

from libs.kit.errors import ConfigurationError
from libs.kit.settings import SettingsGroup
from libs.trading.risk.limits import RiskLimits


class GuardSettings(SettingsGroup):
    """The risk guard of one account."""

    risk_limits: Path | None = Field(
        None,
        description="A JSON file with the guard's limits, as in docs/risk-rules.md; what it leaves out is as shipped",
    )
    risk_state_dir: Path = Field(
        default_factory=lambda: platformdirs.user_state_path("perpstream") / "risk_guard",
        description="Where the guard keeps its state, one file an account: breaks, baselines, locks, obeyed commands",
    )
    risk_default_stop_percent: Decimal = Field(
        Decimal(3),
        gt=0,
        le=50,
        description="How far from the mark price the guard puts a stop for a position whose own stop nobody knows",
    )

    def limits(self) -> RiskLimits:
        """The limits. Raises `ConfigurationError` for a file that cannot be read, or says something that cannot be meant."""
        if self.risk_limits is None:
            return RiskLimits()
        try:
            return RiskLimits.model_validate_json(self.risk_limits.read_bytes())
        except OSError as error:
            problem = error.strerror or str(error)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            problem = f"{place}: {first['msg']}" if place else str(first["msg"])
        raise ConfigurationError(
            f"the guard's limits cannot be used: {problem}",
            where=f"PERPSTREAM_RISK_LIMITS={self.risk_limits}",
            todo="correct the file; docs/risk-rules.md shows what it may hold",
        )
