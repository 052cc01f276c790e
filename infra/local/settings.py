"""What differs between two machines that run the embedded stack: where it caches, where it keeps state, which mirror it asks."""

from pathlib import Path

import platformdirs
from pydantic import Field

from libs.kit.settings import SettingsGroup, load_settings


class StackSettings(SettingsGroup):
    """Places of the embedded stack; read by the command line and by the test fixtures."""

    state_dir: Path = Path(".perpstream")
    cache_dir: Path = Field(default_factory=lambda: platformdirs.user_cache_path("perpstream"))
    maven_mirror: str | None = Field(
        default=None, description="Base URL that serves Maven artifacts instead of Central"
    )
    kafka_home: Path | None = Field(
        default=None, description="An unpacked Kafka (with libs/) to use instead of the jars"
    )
    kafka_heap_mb: int = Field(default=320, ge=128, description="The broker's largest heap, MiB")
    postgres_user: str | None = Field(
        default=None, description="Operating-system user for PostgreSQL when the stack is run by root"
    )


def stack_settings() -> StackSettings:
    """The settings of this process' environment; `ConfigurationError` naming the variable when one is wrong."""
    return load_settings(StackSettings)
