"""What the API says of the installation itself, with examples."""

from pydantic import Field

from services.gateway.models.base import Answer


class ServiceAnswer(Answer):
    """A service. What cannot be known (of another machine, without a health port, at the first look) is null or absent."""

    name: str = Field(examples=["recorder"])
    ready: bool | None = Field(examples=[True])
    missing: dict[str, str] = Field(examples=[{}], description="What it waits for")
    version: str | None = Field(examples=["0.1.0"])
    uptime_seconds: float | None = Field(examples=[86_400.0])
    memory_bytes: int | None = Field(examples=[88_000_000], description="Its own share of shared pages")
    restarts: int | None = Field(examples=[0])
    lag_records: int | None = Field(examples=[3], description="Records of its topics that it has not read yet")
    per_second: dict[str, float] = Field(
        examples=[{"records_consumed": 84.2, "rows_written": 410.5}], description="Pace since the look before"
    )


class TableSizeAnswer(Answer):
    """A table with its partitions and indexes."""

    name: str = Field(examples=["agg_trades"])
    size_bytes: int = Field(examples=[1_240_000_000])
    estimated_rows: int = Field(examples=[9_800_000])


class DatabaseAnswer(Answer):
    """The database."""

    version: str = Field(examples=["18.6"])
    revision: str = Field(examples=["0011"], description="Of its schema")
    size_bytes: int = Field(examples=[2_310_000_000])
    connections: int = Field(examples=[14])
    largest: tuple[TableSizeAnswer, ...]


class MachineAnswer(Answer):
    """The machine that the gateway runs on."""

    processors: int = Field(examples=[2])
    load_1m: float = Field(examples=[0.84])
    memory_total_bytes: int = Field(examples=[8_000_000_000])
    memory_available_bytes: int = Field(examples=[5_100_000_000])
    disk_total_bytes: int = Field(examples=[250_000_000_000], description="Where the stack keeps its state")
    disk_free_bytes: int = Field(examples=[180_000_000_000])


class Server(Answer):
    """Everything that runs; `database` null: it does not answer."""

    version: str = Field(examples=["0.1.0"])
    python: str = Field(examples=["3.11.7"])
    venue: str = Field(examples=["simulator"])
    symbols: tuple[str, ...] = Field(examples=[["BTCUSDT", "ETHUSDT"]])
    ready: bool = Field(examples=[True], description="Every service that can be asked is ready")
    kafka_following: bool = Field(examples=[True], description="The broker answers us")
    services: tuple[ServiceAnswer, ...] = Field(description="Empty where nobody has said which there are")
    database: DatabaseAnswer | None
    machine: MachineAnswer
