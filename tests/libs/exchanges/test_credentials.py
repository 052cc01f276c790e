"""API keys from files: who may read them, what is said of wrong ones, and signatures that the venue's own vector confirms."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from libs.exchanges.credentials import HmacSigner, read_credentials
from libs.kit.errors import ConfigurationError

SECRET = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
PAYLOAD = (
    b"symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943"
)
SIGNATURE = "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"


def written(folder: Path, content: object, mode: int = 0o600) -> Path:
    path = folder / "binance.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(mode)
    return path


def test_the_venues_published_example_is_signed_as_it_says() -> None:
    assert HmacSigner(SECRET).sign(PAYLOAD) == SIGNATURE


def test_an_ed25519_key_signs_what_its_other_half_accepts(tmp_path: Path) -> None:
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    found = read_credentials(written(tmp_path, {"key": "k", "private_key": pem}))
    private.public_key().verify(base64.b64decode(found.signer.sign(PAYLOAD)), PAYLOAD)


def test_nothing_secret_is_printed(tmp_path: Path) -> None:
    found = read_credentials(written(tmp_path, {"key": "open-sesame", "secret": SECRET}))
    assert found.key == "open-sesame"
    assert SECRET not in repr(found)
    assert "open-sesame" not in repr(found)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_file_that_others_may_use_is_refused(mode: int, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"mode {mode:o}.*chmod 600"):
        read_credentials(written(tmp_path, {"key": "k", "secret": SECRET}, mode))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not json " + SECRET,
        {"key": "k"},
        {"key": "", "secret": SECRET},
        {"key": "two words", "secret": SECRET},
        {"key": "line\nbreak", "secret": SECRET},
        {"key": "k", "secret": SECRET, "private_key": SECRET},
        {"key": "k", "private_key": SECRET},
        {"key": "k", "secret": SECRET, "more": 1},
        {"key": "k", "secret": [SECRET]},
    ],
)
def test_a_wrong_file_is_told_in_one_line_without_its_content(content: object, tmp_path: Path) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ConfigurationError) as wrong:
        read_credentials(path)
    assert str(path) in str(wrong.value)
    assert SECRET not in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_credentials(tmp_path / "nothing.json")
