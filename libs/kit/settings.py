"""Settings groups: frozen, read from PERPSTREAM_* variables once, by a service's `__main__` and nowhere else."""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from libs.kit.addresses import broker_addresses
from libs.kit.errors import ConfigurationError

DEFAULT_SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT")


class SettingsGroup(BaseSettings):
    """Base of every settings class: environment prefix, immutable, unknown variables ignored."""

    model_config = SettingsConfigDict(env_prefix="PERPSTREAM_", frozen=True, extra="ignore")


class ProcessSettings(SettingsGroup):
    """What each process has: where it answers health questions and how it logs."""

    health_host: str = Field(default="127.0.0.1", description="Address of /healthz, /readyz and /metrics")
    health_port: int = Field(default=0, ge=0, le=65535, description="0 picks a free port")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Quietest level shown")
    log_format: Literal["console", "json"] = Field(default="console", description="Text for people or JSON lines")
    stop_deadline_seconds: float = Field(
        default=8.0, gt=0, description="After this long a stopping process exits whatever hangs"
    )


class KafkaSettings(SettingsGroup):
    """The broker and the size of the market topics' family."""

    kafka_bootstrap: str = Field(default="127.0.0.1:9092", description="HOST:PORT of a broker, or of several by commas")
    market_partitions: int = Field(
        default=4, ge=1, le=1024, description="Partitions of market.* and signal.* topics, equal in number"
    )

    @field_validator("kafka_bootstrap")
    @classmethod
    def _addresses(cls, value: str) -> str:
        broker_addresses(value)
        return value


class DatabaseSettings(SettingsGroup):
    """PostgreSQL. The password is taken from a file, so that it stands in no URL, process list or log."""

    database_url: str = Field(
        default="postgresql+asyncpg://perpstream@127.0.0.1:5432/perpstream", description="Without a password"
    )
    database_password_file: Path | None = Field(default=None, description="A file that holds the password")

    def password(self, variable: str = "PERPSTREAM_DATABASE_PASSWORD_FILE") -> SecretStr | None:
        """The content of the password file without its line end; `ConfigurationError`, which names `variable`, when it cannot
        be read."""
        if self.database_password_file is None:
            return None
        try:
            return SecretStr(self.database_password_file.read_text().rstrip("\n"))
        except OSError as error:
            raise ConfigurationError(
                f"the database password file cannot be read: {error.strerror}",
                where=str(self.database_password_file),
                todo=f"set {variable} to a readable file",
            ) from None


class MarketSourceSettings(SettingsGroup):
    """Which market the facts come from: read by the preparation of a stack, and by the mirror for its own database."""

    market_source: str | None = Field(
        default=None, description="The market in words; a database that holds another one is refused"
    )


class MirrorSettings(SettingsGroup):
    """A second database that gets the recorder's rows too; without a URL there is none."""

    mirror_database_url: SecretStr | None = Field(
        default=None, description="A second PostgreSQL for the recorder's rows; never logged"
    )
    mirror_database_password_file: Path | None = Field(
        default=None, description="A file that holds the mirror's password"
    )

    @field_validator("mirror_database_url", "mirror_database_password_file", mode="before")
    @classmethod
    def _none_when_empty(cls, value: object) -> object:
        return value or None

    @field_validator("mirror_database_url")
    @classmethod
    def _postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("postgresql://", "postgresql+")):
            raise ValueError("it is no URL of a PostgreSQL: write postgresql://USER@HOST:PORT/NAME")
        return value

    def database(self) -> DatabaseSettings | None:
        """The second database as a database of its own; None without one."""
        if self.mirror_database_url is None:
            return None
        return DatabaseSettings(
            database_url=self.mirror_database_url.get_secret_value(),
            database_password_file=self.mirror_database_password_file,
        )


class SymbolSettings(SettingsGroup):
    """The perpetuals of this installation, in the venue's spelling."""

    symbols: Annotated[tuple[str, ...], NoDecode] = Field(
        default=DEFAULT_SYMBOLS, description="Perpetuals in the venue's spelling, comma separated"
    )

    @field_validator("symbols", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().upper() for part in value.split(",") if part.strip())
        return value

    @field_validator("symbols")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name at least one symbol, for example BTCUSDT")
        if len(set(value)) != len(value):
            raise ValueError("a symbol is named twice")
        return value


class VenueSettings(SettingsGroup):
    """Where the venue is. The defaults are the simulator at its loopback address."""

    venue: Literal["simulator", "binance"] = Field(default="simulator", description="Which adapter speaks to it")
    binance_rest_url: str = Field(default="http://127.0.0.1:9000", description="USD-M futures, REST")
    binance_websocket_url: str = Field(default="ws://127.0.0.1:9000", description="USD-M futures, streams")
    binance_spot_rest_url: str = Field(default="http://127.0.0.1:9000", description="Spot prices, for the premium")
    coinbase_rest_url: str = Field(default="http://127.0.0.1:9000", description="Coinbase, for the premium")
    venue_speed: Annotated[float, Field(gt=0)] | Literal["max"] = Field(
        default=1.0, description="How fast the venue's clock runs; above 1, or `max` (unpaced), only on recordings"
    )
    requests_dir: Path = Field(
        default_factory=lambda: platformdirs.user_state_path("perpstream") / "requests",
        description="Where the processes of this machine keep count together of what they ask the venue",
    )


class AccountSettings(SettingsGroup):
    """The account that is traded, and where. Its folder `ACCOUNT_DIR/NAME` holds `key.json` (mode 600) and, for production,
    `production.enabled`: a file with the account's name, which its owner writes on this machine."""

    execution_mode: Literal["paper", "demo", "production"] = Field(
        default="paper", description="paper: no orders are sent; demo: the venue's demo environment, or the simulator"
    )
    account: str = Field(
        default="main", pattern=r"^[a-z][a-z0-9_-]{0,31}$", description="Name of the account, and of its folder"
    )
    account_dir: Path = Field(
        default_factory=lambda: platformdirs.user_config_path("perpstream") / "accounts",
        description="Folder of the accounts' folders",
    )
    order_rest_url: str | None = Field(
        default=None, description="Where orders go; unset: the mode's own hosts, in demo on the simulator the simulator"
    )
    order_websocket_url: str | None = Field(default=None, description="Where the account is heard; unset: as above")
    order_spot_rest_url: str | None = Field(default=None, description="Who knows the key's rights; unset: as above")


class CommandKeySettings(SettingsGroup):
    """Whose commands a service obeys."""

    command_keys: Path = Field(
        default=Path(".perpstream/command-keys"),
        description="Folder of public keys (NAME.pub) of those whose commands count; others may not write it",
    )


class PersonalKeySettings(SettingsGroup):
    """Where a person's own keys are."""

    keys_dir: Path = Field(
        default_factory=lambda: platformdirs.user_config_path("perpstream") / "keys",
        description="Folder of the private keys (NAME.key, mode 600) that sign what a person tells the services",
    )
    key: str | None = Field(
        default=None, description="Name of the key to sign with; unset: the one with your login's name, or the only one"
    )


class AuditSettings(SettingsGroup):
    """Where a flatten that was done without the guard leaves its audit; the guard forwards it once it is up."""

    audit_dir: Path = Field(
        default_factory=lambda: platformdirs.user_state_path("perpstream") / "audit",
        description="Folder of audits (one file a run) of `perpstream risk flatten --direct`",
    )


class InstallationSettings(SettingsGroup):
    """Which installation this is. Executor and guard share it: their orders carry its letters."""

    installation_file: Path = Field(
        default_factory=lambda: platformdirs.user_state_path("perpstream") / "installation",
        description="A file with the installation's name, made at the first start",
    )


class NotificationSettings(SettingsGroup):
    """Who is told what, and how: read by the notifier, and by the commands that look at it. The notifier looks at the files
    again and again: a change counts within seconds."""

    notifier_rules: Path | None = Field(default=None, description="Who is told what (JSON); unset: the rules shipped")
    channels_dir: Path = Field(
        default_factory=lambda: platformdirs.user_config_path("perpstream") / "channels",
        description="Folder of the channels: a file NAME.url (mode 600) with the address of each",
    )
    discord_bot_file: Path = Field(
        default_factory=lambda: platformdirs.user_config_path("perpstream") / "discord-bot.json",
        description="Token, server and roles of the Discord bot (mode 600); without the file there is no bot",
    )
    notifier_keys_dir: Path = Field(
        default=Path(".perpstream/notifier"),
        description="Folder of the key that signs what the Discord bot says; `perpstream up` makes and trusts it",
    )

    @field_validator("notifier_rules", mode="before")
    @classmethod
    def _unset_when_empty(cls, value: object) -> object:
        return value or None


S = TypeVar("S", bound=BaseSettings)


def load_settings(kind: type[S]) -> S:
    """Read one settings class from the environment; a wrong value becomes one line that names the variable."""
    try:
        return kind()
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        problems = "; ".join(
            f"{prefix}{'_'.join(str(part) for part in item['loc'][:1]).upper()}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        )
        raise ConfigurationError(
            "a setting is wrong", where=problems, todo="correct the variable and start again"
        ) from None
