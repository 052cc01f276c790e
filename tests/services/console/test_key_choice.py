"""The first key of a local stack: it is there for a newcomer's commands, and never undoes what a person has decided."""

from pathlib import Path

import pytest

from infra.local.options import Endpoints, StackOptions, gateway_keys_dir, service_environment
from libs.kit.errors import ConfigurationError
from libs.kit.keys import TrustedFolder, key_names, new_key, read_key
from services.console.key_choice import (
    own_name,
    personal_key,
    trust_gateway,
    trust_notifier,
    trust_operator,
    trusted_folder,
)


@pytest.fixture(name="mine", autouse=True)
def _mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PERPSTREAM_KEYS_DIR", str(tmp_path / "keys"))
    return tmp_path / "keys"


def works(folder: TrustedFolder) -> bool:
    return folder.problem(personal_key().name, b"x", personal_key().sign(b"x"), "pause") is None


def test_whoever_starts_a_stack_first_may_tell_it_what_to_do(
    tmp_path: Path, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    trust_operator(state)
    assert key_names(mine) == (own_name(),)
    endpoints = Endpoints("127.0.0.1:1", "postgresql://x", None, "http://x:1", "http://x:2")
    services = service_environment(StackOptions(state_dir=state), endpoints)["PERPSTREAM_COMMAND_KEYS"]
    assert works(TrustedFolder(Path(services)))
    assert capsys.readouterr() == ("", "")
    trust_operator(tmp_path / "another")
    assert works(trusted_folder(tmp_path / "another"))
    assert key_names(mine) == (own_name(),), "one key is enough for two stacks"


def test_a_person_who_was_taken_out_stays_out(tmp_path: Path) -> None:
    trust_operator(tmp_path)
    trusted_folder(tmp_path).revoke(own_name())
    trust_operator(tmp_path)
    assert not works(trusted_folder(tmp_path))


def gateway_works(state: Path) -> bool:
    """Whether services obey the key that the gateway of this stack finds."""
    key = read_key(gateway_keys_dir(state), "gateway")
    return trusted_folder(state).problem("gateway", b"x", key.sign(b"x"), "pause") is None


def test_the_gateway_of_a_new_stack_may_say_what_people_tell_it_until_it_is_taken_out(tmp_path: Path) -> None:
    trust_gateway(tmp_path)
    assert gateway_works(tmp_path)
    endpoints = Endpoints("127.0.0.1:1", "postgresql://x", None, "http://x:1", "http://x:2")
    services = service_environment(StackOptions(state_dir=tmp_path), endpoints)
    assert Path(services["PERPSTREAM_GATEWAY_STATE_DIR"]) == gateway_keys_dir(tmp_path).parent
    trusted_folder(tmp_path).revoke("gateway")
    trust_gateway(tmp_path)
    assert not gateway_works(tmp_path)


def test_a_folder_that_somebody_named_trusts_the_gateway_only_when_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERPSTREAM_COMMAND_KEYS", str(tmp_path / "desk"))
    trust_gateway(tmp_path)
    assert not (tmp_path / "desk").exists()
    trust_gateway(tmp_path, even_where_named=True)
    assert gateway_works(tmp_path)


def test_a_folder_that_somebody_named_is_left_alone(
    tmp_path: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERPSTREAM_COMMAND_KEYS", str(tmp_path / "desk"))
    trust_operator(tmp_path / "state")
    assert (key_names(mine), trusted_folder(tmp_path / "state").folder) == ((), tmp_path / "desk")
    assert not (tmp_path / "desk").exists()


def test_where_no_key_can_be_made_the_stack_starts_all_the_same(tmp_path: Path, mine: Path) -> None:
    mine.write_text("a file in the way")
    trust_operator(tmp_path / "state")
    with pytest.raises(ConfigurationError, match="you have no key to sign commands with"):
        personal_key()


def test_the_key_that_signs_is_the_named_one_else_ones_own_else_the_only_one(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_key(mine, "ada")
    assert personal_key().name == "ada"
    new_key(mine, "eve")
    with pytest.raises(ConfigurationError, match="several keys: ada, eve"):
        personal_key()
    new_key(mine, own_name())
    assert personal_key().name == own_name()
    monkeypatch.setenv("PERPSTREAM_KEY", "eve")
    assert personal_key().name == "eve"


def test_the_notifiers_key_is_trusted_for_what_reduces_risk_and_stays_out_once_taken_out(tmp_path: Path) -> None:
    trust_operator(tmp_path)
    trust_notifier(tmp_path)
    trusted, key = trusted_folder(tmp_path), read_key(tmp_path / "notifier", "notifier")
    assert trusted.problem("notifier", b"x", key.sign(b"x"), "flatten") is None
    assert trusted.problem("notifier", b"x", key.sign(b"x"), "resume") == "not_permitted"
    trusted.revoke("notifier")
    trust_notifier(tmp_path)
    assert trusted.problem("notifier", b"x", key.sign(b"x"), "flatten") == "unknown_issuer"
