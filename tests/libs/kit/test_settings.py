"""Each wrong setting becomes one line that names its variable; right ones are read as documented."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from libs.kit.errors import ConfigurationError
from libs.kit.settings import (
    DEFAULT_SYMBOLS,
    DatabaseSettings,
    KafkaSettings,
    MirrorSettings,
    ProcessSettings,
    SettingsGroup,
    SymbolSettings,
    VenueSettings,
    load_settings,
)

GROUPS = (ProcessSettings, KafkaSettings, DatabaseSettings, SymbolSettings, VenueSettings)
WRONG = [
    (ProcessSettings, "HEALTH_PORT", "70000"),
    (ProcessSettings, "HEALTH_PORT", "-1"),
    (ProcessSettings, "HEALTH_PORT", "http"),
    (ProcessSettings, "LOG_LEVEL", "loud"),
    (ProcessSettings, "LOG_FORMAT", "xml"),
    (ProcessSettings, "STOP_DEADLINE_SECONDS", "0"),
    (KafkaSettings, "MARKET_PARTITIONS", "0"),
    (KafkaSettings, "MARKET_PARTITIONS", "1025"),
    (MirrorSettings, "MIRROR_DATABASE_URL", "mysql://perpstream@127.0.0.1/mirror"),
    (SymbolSettings, "SYMBOLS", ""),
    (SymbolSettings, "SYMBOLS", " , "),
    (SymbolSettings, "SYMBOLS", "BTCUSDT,btcusdt"),
    (VenueSettings, "VENUE", "mars"),
    (VenueSettings, "VENUE_SPEED", "0"),
    (VenueSettings, "VENUE_SPEED", "-2"),
]


@pytest.mark.parametrize(("group", "name", "value"), WRONG)
def test_a_wrong_value_names_its_variable(
    group: type[SettingsGroup], name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"PERPSTREAM_{name}", value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(group)
    line = str(caught.value)
    assert f"PERPSTREAM_{name}" in line
    assert "\n" not in line
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("group", GROUPS)
def test_defaults_are_valid_and_frozen(group: type[SettingsGroup], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in group.model_fields:
        monkeypatch.delenv(f"PERPSTREAM_{name.upper()}", raising=False)
    settings = load_settings(group)
    with pytest.raises(ValidationError):
        setattr(settings, next(iter(group.model_fields)), "x")
    assert len(group.model_fields) <= 10


def test_two_wrong_values_are_both_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERPSTREAM_HEALTH_PORT", "x")
    monkeypatch.setenv("PERPSTREAM_LOG_FORMAT", "x")
    with pytest.raises(ConfigurationError, match=r"PERPSTREAM_HEALTH_PORT.*PERPSTREAM_LOG_FORMAT"):
        load_settings(ProcessSettings)


def test_symbols_are_split_and_upper_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PERPSTREAM_SYMBOLS", raising=False)
    assert load_settings(SymbolSettings).symbols == DEFAULT_SYMBOLS
    monkeypatch.setenv("PERPSTREAM_SYMBOLS", " btcusdt, ETHUSDT ,")
    assert load_settings(SymbolSettings).symbols == ("BTCUSDT", "ETHUSDT")


def test_the_password_comes_from_a_file_and_is_not_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "password"
    file.write_text("hunter2\n")
    monkeypatch.setenv("PERPSTREAM_DATABASE_PASSWORD_FILE", str(file))
    password = load_settings(DatabaseSettings).password()
    assert password is not None
    assert password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(password)


def test_a_password_file_that_is_missing_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERPSTREAM_DATABASE_PASSWORD_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigurationError, match="PERPSTREAM_DATABASE_PASSWORD_FILE") as caught:
        load_settings(DatabaseSettings).password()
    assert "nowhere" in str(caught.value)
    assert DatabaseSettings(database_password_file=None).password() is None
