"""What differs between two signal engines: the evaluation grid, the group, and how fast a dead worker's share moves on."""

from pydantic import Field

from libs.kit.settings import KafkaSettings


class EngineSettings(KafkaSettings):
    """Broker, partitions of the market family, and this engine's grid."""

    engine_group: str = "signal_engine"
    engine_instance_id: str | None = Field(
        None,
        description="Static membership: a restart under the same name takes its partitions back without a rebalance",
    )
    engine_evaluation_ms: int = Field(
        15_000, ge=1_000, description="Evaluation grid (ms); 1000 when a strategy asks for one-second evaluations"
    )
    engine_session_timeout_seconds: float = Field(6.0, ge=1, description="A dead worker's partitions pause this long")
    engine_snapshot_seconds: float = Field(60.0, gt=0, description="How often each partition's state is kept")
