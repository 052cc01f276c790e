"""Keys of people: what is signed holds for these bytes and this name only, and a folder in doubt trusts nobody."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.kit.errors import ConfigurationError, UserError
from libs.kit.keys import TrustedFolder, key_names, new_key, read_key


@pytest.fixture(name="trusted")
def _trusted(tmp_path: Path) -> TrustedFolder:
    return TrustedFolder(tmp_path / "trusted")


def test_a_key_that_was_made_is_read_again_and_its_signature_holds(tmp_path: Path, trusted: TrustedFolder) -> None:
    made = new_key(tmp_path / "mine", "ada")
    trusted.trust(made.public)
    read = read_key(tmp_path / "mine", "ada")
    assert trusted.problem("ada", b"payload", read.sign(b"payload"), "pause") is None
    assert (key_names(tmp_path / "mine"), trusted.names()) == (("ada",), ("ada",))
    assert (tmp_path / "mine/ada.key").stat().st_mode & 0o777 == 0o600
    assert trusted.trust((tmp_path / "mine/ada.pub").read_text()) == "ada", "trusting twice is trusting once"


def test_no_text_of_a_key_shows_it(tmp_path: Path) -> None:
    key = new_key(tmp_path, "ada")
    secret = (tmp_path / "ada.key").read_text().splitlines()[1]
    assert secret not in repr(key)
    assert secret not in key.public


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    first = new_key(tmp_path, "ada").public
    with pytest.raises(UserError, match="already"):
        new_key(tmp_path, "ada")
    assert read_key(tmp_path, "ada").public == first


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80), st.integers(0, 10_000), st.integers(1, 255))
def test_any_changed_byte_is_refused(tmp_path: Path, payload: bytes, place: int, change: int) -> None:
    folder = TrustedFolder(tmp_path / "trusted")
    key = new_key(tmp_path / "mine", "ada") if not key_names(tmp_path / "mine") else read_key(tmp_path / "mine", "ada")
    folder.trust(key.public)
    signature = key.sign(payload)
    assert folder.problem("ada", payload, signature, "pause") is None
    damaged = bytearray(payload + b"\0")
    damaged[place % len(damaged)] ^= change
    assert folder.problem("ada", bytes(damaged), signature, "pause") == "wrong_signature"
    assert folder.problem("ada", payload, signature[:-4], "pause") == "wrong_signature"
    assert folder.problem("ada", payload, "no base64 ä", "pause") == "wrong_signature"


def test_another_persons_key_signs_nothing_for_ada(tmp_path: Path, trusted: TrustedFolder) -> None:
    ada, eve = new_key(tmp_path / "mine", "ada"), new_key(tmp_path / "mine", "eve")
    trusted.trust(ada.public)
    assert trusted.problem("ada", b"x", eve.sign(b"x"), "pause") == "wrong_signature"
    assert trusted.problem("eve", b"x", eve.sign(b"x"), "pause") == "unknown_issuer"
    forged = eve.public.replace(" eve", " ada")
    with pytest.raises(UserError, match="another key of ada"):
        trusted.trust(forged)
    assert trusted.problem("ada", b"x", eve.sign(b"x"), "pause") == "wrong_signature"


def test_a_private_key_that_is_given_by_mistake_is_not_quoted(tmp_path: Path, trusted: TrustedFolder) -> None:
    key = new_key(tmp_path / "mine", "ada")
    private = (tmp_path / "mine/ada.key").read_text()
    for text in (private, f"ada {private}", f"{key.public[:40]} {private}"):
        with pytest.raises(ConfigurationError, match=r"private key|no public key") as caught:
            trusted.trust(text)
        assert not any(line in str(caught.value) for line in private.splitlines())
    with pytest.raises(ConfigurationError, match="this is a private key") as caught:
        trusted.trust(private)
    assert "give NAME.pub" in str(caught.value)


def test_who_is_revoked_counts_no_longer_at_once(tmp_path: Path, trusted: TrustedFolder) -> None:
    key = new_key(tmp_path / "mine", "ada")
    trusted.trust(key.public)
    trusted.revoke("ada")
    assert trusted.problem("ada", b"x", key.sign(b"x"), "pause") == "unknown_issuer"
    with pytest.raises(UserError, match="not trusted"):
        trusted.revoke("ada")


@pytest.mark.parametrize("name", ["../ada", "ada/../eve", "", "Ada", ".", "a" * 33, "ada\0", "ada.pub"])
def test_a_name_that_is_a_path_is_nobody(tmp_path: Path, trusted: TrustedFolder, name: str) -> None:
    key = new_key(tmp_path / "mine", "ada")
    trusted.trust(key.public)
    assert trusted.problem(name, b"x", key.sign(b"x"), "pause") == "unknown_issuer"
    with pytest.raises(ConfigurationError):
        new_key(tmp_path / "mine", name)


def test_a_folder_in_doubt_trusts_nobody_and_says_why(tmp_path: Path, trusted: TrustedFolder) -> None:
    key = new_key(tmp_path / "mine", "ada")
    signature = key.sign(b"x")
    assert trusted.problem("ada", b"x", signature, "pause") == "keys_unreadable"
    assert "No such file" in str(trusted.unreadable())
    trusted.trust(key.public)
    assert trusted.unreadable() is None
    trusted.folder.chmod(0o775)
    assert trusted.problem("ada", b"x", signature, "pause") == "keys_unreadable"
    assert "chmod go-w" in str(trusted.unreadable())
    trusted.folder.chmod(0o755)
    (trusted.folder / "ada.pub").chmod(0o666)
    assert trusted.problem("ada", b"x", signature, "pause") == "keys_unreadable"
    (trusted.folder / "ada.pub").chmod(0o644)
    (trusted.folder / "ada.pub").write_text("ed25519 AAAA ada")
    assert trusted.problem("ada", b"x", signature, "pause") == "keys_unreadable"


@pytest.mark.parametrize("text", ["", "ed25519", "rsa AAAA ada", "ed25519 AAAA ada", "ed25519 %%% ada"])
def test_what_is_no_public_line_is_trusted_under_no_name(trusted: TrustedFolder, text: str) -> None:
    with pytest.raises(ConfigurationError, match="no public key"):
        trusted.trust(text)
    assert trusted.names() == ()


def test_a_private_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    new_key(tmp_path, "ada")
    (tmp_path / "ada.key").chmod(0o640)
    with pytest.raises(ConfigurationError, match="others may read the key"):
        read_key(tmp_path, "ada")
    (tmp_path / "ada.key").chmod(0o600)
    (tmp_path / "ada.key").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    with pytest.raises(ConfigurationError, match="no Ed25519 key") as caught:
        read_key(tmp_path, "ada")
    assert "AAAA" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_key(tmp_path, "eve")


def test_a_key_that_is_limited_counts_for_these_purposes_only(tmp_path: Path, trusted: TrustedFolder) -> None:
    key = new_key(tmp_path / "mine", "bot")
    trusted.trust(key.public, ["pause", "flatten"])
    signature = key.sign(b"x")
    assert trusted.problem("bot", b"x", signature, "pause") is None
    assert trusted.problem("bot", b"x", signature, "resume") == "not_permitted"
    assert trusted.problem("bot", b"y", signature, "resume") == "wrong_signature", "the signature is looked at first"
    assert trusted.limits("bot") == ("flatten", "pause")
    trusted.trust((trusted.folder / "bot.pub").read_text())
    assert trusted.limits("bot") == ("flatten", "pause"), "the line carries its limit"
    trusted.trust(key.public)
    assert trusted.limits("bot") == ("flatten", "pause"), "trusting it again lifts no limit by the way"
    trusted.trust(key.public, ["pause"])
    assert trusted.limits("bot") == ("pause",)
    trusted.trust(key.public, everything=True)
    assert trusted.limits("bot") is None


def test_a_limit_that_cannot_be_read_is_not_lifted_by_the_way(tmp_path: Path, trusted: TrustedFolder) -> None:
    key = new_key(tmp_path / "mine", "bot")
    trusted.trust(key.public)
    (trusted.folder / "bot.pub").write_text(f"{key.public} onyl=pause\n")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        trusted.trust(key.public)
    assert trusted.problem("bot", b"x", key.sign(b"x"), "pause") == "keys_unreadable"
    trusted.trust(key.public, ["pause"])
    assert trusted.limits("bot") == ("pause",)


@pytest.mark.parametrize(
    "limit", ["only=", "only", "only=pause flatten", "ONLY=pause", "onyl=pause", "only=pause,,flatten"]
)
def test_a_limit_that_is_not_understood_trusts_nobody(tmp_path: Path, trusted: TrustedFolder, limit: str) -> None:
    key = new_key(tmp_path / "mine", "bot")
    trusted.trust(key.public)
    (trusted.folder / "bot.pub").write_text(f"{key.public} {limit}\n")
    assert trusted.problem("bot", b"x", key.sign(b"x"), "pause") == "keys_unreadable"
    with pytest.raises(ConfigurationError, match="no public key"):
        trusted.trust(f"{key.public} {limit}")
