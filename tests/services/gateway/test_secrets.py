"""The gateway's secret, its settings and its passwords: what is weak or open is refused before anything starts."""

import stat
from pathlib import Path

import pytest

from libs.kit.codes import plain_code, readable_code
from libs.kit.errors import ConfigurationError
from libs.kit.settings import DatabaseSettings
from libs.store.engine import create_engine
from libs.store.sign_in_failures import FREE_FAILURES, LONGEST_DELAY, delay_after
from services.gateway.access_tokens import AccessTokens
from services.gateway.app import create_access
from services.gateway.factors import Factors
from services.gateway.passwords import Passwords, refusal
from services.gateway.secret import derived, gateway_secret
from services.gateway.settings import AccessSettings, GatewaySettings
from tests.services.gateway.house import CountingHasher


def test_the_secret_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "gateway"
    secret = gateway_secret(folder)
    assert len(secret) >= 64
    assert gateway_secret(folder) == secret
    assert stat.S_IMODE((folder / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == ["secret"]
    assert gateway_secret(tmp_path / "other") != secret


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        ("changeme", 0o600, "guessed"),
        ("a" * 64, 0o600, "guessed"),
        ("", 0o600, "guessed"),
        ("0123456789abcdef" * 4, 0o644, "others may read it"),
        ("0123456789abcdef" * 4, 0o620, "others may read it"),
    ],
)
def test_a_weak_secret_refuses_to_start_and_is_not_shown(tmp_path: Path, content: str, mode: int, said: str) -> None:
    (tmp_path / "secret").write_text(content)
    (tmp_path / "secret").chmod(mode)
    with pytest.raises(ConfigurationError, match=said) as caught:
        gateway_secret(tmp_path)
    assert not content or content not in str(caught.value)
    assert (tmp_path / "secret").read_text() == content, "nobody's secret is replaced"


def test_a_key_is_in_no_text_of_its_holder() -> None:
    assert "sesame" not in f"{Factors(b'sesame')!r} {AccessTokens(b'sesame')!r}"


def test_what_is_derived_for_one_purpose_tells_nothing_of_another() -> None:
    assert derived(b"secret", "access tokens") != derived(b"secret", "second factors")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"gateway_host": "0.0.0.0"}, "TLS proxy"),
        ({"gateway_hosts": "https://desk.example"}, "names only"),
        ({"gateway_hosts": "*"}, "names only"),
        ({"gateway_proxies": "everybody"}, "everybody"),
        ({"gateway_cors_origins": "*"}, "no origin"),
        ({"gateway_cors_origins": "https://desk.example/page"}, "no origin"),
    ],
)
def test_what_would_open_the_api_wider_than_meant_is_refused(variables: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        GatewaySettings.model_validate(variables)


def test_other_addresses_are_opened_behind_tls_only() -> None:
    settings = GatewaySettings.model_validate(
        {"gateway_host": "0.0.0.0", "gateway_behind_tls": True, "gateway_hosts": "Desk.example, 192.168.1.5"}
    )
    assert settings.gateway_hosts == ("desk.example", "192.168.1.5")
    assert GatewaySettings().proxies == (), "without a proxy nobody's word about the caller counts"


@pytest.mark.parametrize(
    ("rules", "venue"),
    [
        (GatewaySettings(), "binance"),
        (GatewaySettings(gateway_behind_tls=True), "simulator"),
        (GatewaySettings(gateway_host="0.0.0.0", gateway_behind_tls=True), "simulator"),
        (GatewaySettings(gateway_hosts=("desk.example",)), "simulator"),
    ],
)
def test_a_local_viewer_is_for_this_machine_and_the_simulator_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rules: GatewaySettings, venue: str
) -> None:
    monkeypatch.setenv("PERPSTREAM_VENUE", venue)
    engine = create_engine(DatabaseSettings())
    limits = AccessSettings(gateway_local_viewer=True, gateway_state_dir=tmp_path)
    with pytest.raises(ConfigurationError, match="local viewer"):
        create_access(rules, limits, engine, engine)
    assert AccessSettings().gateway_local_viewer is False


@pytest.mark.parametrize(
    ("password", "name", "refused"),
    [
        ("correct horse battery", "ada", False),
        ("eleven char", "ada", True),
        ("abababababababab", "ada", True),
        ("My name is Lovelace", "lovelace", True),
        ("x" * 201, "ada", True),
    ],
)
def test_which_passwords_are_refused(password: str, name: str, refused: bool) -> None:
    assert (refusal(password, name) is not None) == refused


async def test_passwords_are_argon2id_and_one_letter_of_two_keyboards_is_one() -> None:
    real = await Passwords().hashed("pässword of an umlaut")
    assert real.startswith("$argon2id$v=19$m=65536,t=3,p=")
    passwords = Passwords(CountingHasher())
    kept = await passwords.hashed("pa\u0308ssword of an umlaut")
    assert await passwords.fits(kept, "p\u00e4ssword of an umlaut")
    assert not await passwords.fits(kept, "password of an umlaut")
    assert not await passwords.fits("no hash at all", "password of an umlaut")
    assert passwords.is_old(real), "hashes with other parameters are made anew at the next log-in"


async def test_nobodys_password_fits_nothing_not_even_the_one_that_stands_in() -> None:
    assert not await Passwords(CountingHasher()).fits(None, "nobody's password")


def test_a_second_factor_of_another_secret_is_said_so() -> None:
    sealed = Factors(derived(b"one", "second factors")).sealed("JBSWY3DPEHPK3PXP")
    with pytest.raises(ConfigurationError, match="another one"):
        Factors(derived(b"two", "second factors")).step_of(sealed, "123456", 0)


def test_delays_grow_from_the_fifth_failure_to_a_bound() -> None:
    delays = [delay_after(failures) for failures in range(1, 40)]
    assert delays[: FREE_FAILURES - 1] == [None] * (FREE_FAILURES - 1)
    grown = [delay.total_seconds() for delay in delays if delay is not None]
    assert grown[:4] == [5, 10, 20, 40]
    assert grown == sorted(grown)
    assert grown[-1] == LONGEST_DELAY.total_seconds() == (delay_after(10**6) or LONGEST_DELAY).total_seconds()


def test_a_code_is_read_however_it_was_typed() -> None:
    code = readable_code(5)
    assert len(code) == 24
    assert {plain_code(code), plain_code(code.lower()), plain_code(f" {code.replace('-', ' ')} ")} == {code}
