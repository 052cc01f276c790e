"""The simulator's knobs (PERPSTREAM_SIM_*), read once by `app.main`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from libs.kit.settings import DEFAULT_SYMBOLS, SettingsGroup
from services.exchange_simulator.symbols import generated_symbols, profile_of


class ServerSettings(SettingsGroup):
    """Where the simulated venue listens and how strict it is."""

    model_config = SettingsConfigDict(env_prefix="PERPSTREAM_SIM_", frozen=True, extra="ignore")

    host: str = "127.0.0.1"
    port: int = Field(default=9000, ge=0, le=65535, description="REST and WebSocket; 0 picks a free port")
    weight_limit: int = Field(default=2400, gt=0, description="Request weight per minute and address")
    history_hours: float = Field(
        default=48.0, gt=0, description="How far back aggTrades are answered; 24 in the older documents"
    )
    connection_hours: float = Field(
        default=24.0, gt=0, description="Longest life of a WebSocket connection, in venue time"
    )
    readers: int = Field(
        default=1, ge=1, description="A fresh recording begins when so many connections have subscribed"
    )
    accounts: Path | None = Field(
        default=None,
        description="Accounts with their API keys: a JSON list; unset: one account, made in the state folder",
    )
    faults: Path | None = Field(default=None, description="A script of faults: a JSON list, see docs/simulator.md")
    write_log: Path | None = Field(
        default=None, description="For measurements: a JSON line for each hand-over of trades to the network"
    )
    buffer_megabytes: float = Field(
        default=32.0, gt=0, description="A client with more unsent bytes than this is disconnected"
    )


class MarketSettings(SettingsGroup):
    """What is simulated. A state folder belongs to one choice of these."""

    model_config = SettingsConfigDict(env_prefix="PERPSTREAM_SIM_", frozen=True, extra="ignore")

    state_dir: Path = Path(".perpstream/exchange_simulator")
    recording: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(), description="Files, comma separated; empty: synthetic"
    )
    rebase: bool = Field(default=False, description="Shift a recording so that it starts now")
    speed: float | Literal["max"] = Field(
        default=1.0, description="How fast venue time runs; max: as fast as clients read"
    )
    seed: int = Field(default=7, ge=0)
    symbols: Annotated[tuple[str, ...], NoDecode] = Field(default=DEFAULT_SYMBOLS, description="Names, or how many")
    listed: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Further perpetuals that the synthetic market has, each traded like one of the symbols: names, or how many. "
        "`perpstream up` gives it 10, the well-known ones",
    )
    rate: float = Field(
        default=60.0, gt=0, le=2_000_000, description="Synthetic aggregate trades a second over all symbols"
    )
    start_time: int | None = Field(
        default=None, ge=1_400_000_000_000, description="Venue time of the first start, ms; default now"
    )

    @field_validator("recording", mode="before")
    @classmethod
    def _split_files(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("symbols", "listed", mode="before")
    @classmethod
    def _split_symbols(cls, value: object) -> object:
        if isinstance(value, str) and value.strip().isdigit():
            return generated_symbols(int(value))
        if isinstance(value, str):
            return tuple(part.strip().upper() for part in value.split(",") if part.strip())
        return value

    @field_validator("symbols", "listed")
    @classmethod
    def _known(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if (not value and info.field_name == "symbols") or len(set(value)) != len(value):
            raise ValueError("name each symbol once, at least one")
        for symbol in value:
            profile_of(symbol)
        return value

    @field_validator("speed")
    @classmethod
    def _positive(cls, value: float | str) -> float | str:
        if isinstance(value, float) and not 0 < value <= 100_000:
            raise ValueError("a speed is a positive number, or max")
        return value
