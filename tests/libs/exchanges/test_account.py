"""Where orders of an account may go, and who may say so."""

from pathlib import Path

import pytest

from libs.exchanges.account import OrderAddresses, order_addresses, production_trouble, require_enabled
from libs.kit.errors import ConfigurationError
from libs.kit.settings import AccountSettings, VenueSettings

SIMULATOR = VenueSettings(venue="simulator")
BINANCE = VenueSettings(venue="binance")


def settings(mode: str, **more: object) -> AccountSettings:
    return AccountSettings(execution_mode=mode, **more)  # type: ignore[arg-type]


def test_each_mode_has_its_own_hosts() -> None:
    assert order_addresses(settings("demo"), SIMULATOR) == OrderAddresses(
        "http://127.0.0.1:9000", "ws://127.0.0.1:9000", "http://127.0.0.1:9000"
    )
    assert order_addresses(settings("demo"), BINANCE).rest == "https://demo-fapi.binance.com"
    assert order_addresses(settings("production"), BINANCE).rest == "https://fapi.binance.com"
    elsewhere = settings("demo", order_rest_url="http://127.0.0.1:9100")
    assert order_addresses(elsewhere, SIMULATOR).rest == "http://127.0.0.1:9100"


@pytest.mark.parametrize(
    ("account", "venue", "words"),
    [
        (settings("paper"), SIMULATOR, "on paper there is no account"),
        (settings("demo", order_rest_url="https://fapi.binance.com"), BINANCE, "a host where money is real"),
        (settings("demo", order_websocket_url="wss://fstream.binance.com/"), BINANCE, "a host where money is real"),
        (settings("demo", order_rest_url="https://FAPI1.binance.com"), SIMULATOR, "a host where money is real"),
        (settings("demo", order_spot_rest_url="https://binance.com"), BINANCE, "a host where money is real"),
        (settings("production"), SIMULATOR, "signals of a simulated market"),
        (settings("production", order_rest_url="http://10.0.0.7"), BINANCE, "have to be encrypted"),
        (settings("demo", order_rest_url="demo-fapi.binance.com"), BINANCE, "no URL"),
        (settings("demo", order_spot_rest_url="ftp://demo"), BINANCE, "no URL"),
    ],
)
def test_addresses_that_do_not_fit_the_mode_are_refused(
    account: AccountSettings, venue: VenueSettings, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        order_addresses(account, venue)


def test_production_is_enabled_by_a_file_that_only_its_owner_writes(tmp_path: Path) -> None:
    account = settings("production", account_dir=tmp_path)
    path = tmp_path / "main" / "production.enabled"
    with pytest.raises(ConfigurationError, match="has not enabled production"):
        require_enabled(account)
    path.parent.mkdir()
    path.write_text("other\n")
    assert "does not name the account main" in str(production_trouble(account))
    path.write_text("main\n")
    path.chmod(0o666)
    assert "may be written by others" in str(production_trouble(account))
    path.chmod(0o644)
    assert production_trouble(account) is None
    require_enabled(account)
    path.write_bytes(b"\xff\xfe")
    assert "it is no text" in str(production_trouble(account))


def test_nobody_has_to_enable_a_demo(tmp_path: Path) -> None:
    require_enabled(settings("demo", account_dir=tmp_path))
