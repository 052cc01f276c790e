"""Commands: every change of what was signed is refused, each is understood as it was meant, and one that is late does nothing."""

from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.codec import decode_as, encode_value
from libs.contracts.commands import CommandIssued, CommandName, command_id, signed_bytes
from libs.kit.keys import PersonalKey, TrustedFolder, new_key
from libs.trading import commands
from libs.trading.command_check import CommandRefused, check_command
from libs.trading.commands import COMMANDS, CommandInvalid, read_command

NOW = 1_767_225_600_000
NONCE = "0123456789abcdef0123456789abcdef"


@pytest.fixture(name="ada", scope="module")
def _ada(tmp_path_factory: pytest.TempPathFactory) -> PersonalKey:
    return new_key(tmp_path_factory.mktemp("mine"), "ada")


@pytest.fixture(name="trusted", scope="module")
def _trusted(tmp_path_factory: pytest.TempPathFactory, ada: PersonalKey) -> TrustedFolder:
    folder = TrustedFolder(tmp_path_factory.mktemp("trusted"))
    folder.folder.chmod(0o755)
    folder.trust(ada.public)
    return folder


def command(name: CommandName = "pause", arguments: dict[str, str] | None = None, **other: Any) -> CommandIssued:
    """An unsigned one."""
    facts = {"account": "main", "target": COMMANDS[name].target, "reason": "a test", "issued_by": "ada"}
    times = {"event_time_ms": NOW, "issued_at_ms": NOW, "expires_at_ms": NOW + COMMANDS[name].most_valid_ms}
    own = {"event_id": command_id("ada", NONCE), "nonce": NONCE, "signature": ""}
    return CommandIssued(**{**facts, **times, **own, "command": name, "arguments": arguments or {}, **other})


def signed(said: CommandIssued, key: PersonalKey) -> CommandIssued:
    return msgspec.structs.replace(said, signature=key.sign(signed_bytes(said)))


def test_what_a_trusted_person_says_counts(ada: PersonalKey, trusted: TrustedFolder) -> None:
    said = signed(command("lock", {"symbol": "BTCUSDT", "until_ms": str(NOW + 1)}), ada)
    again = decode_as(CommandIssued, encode_value(said))
    assert check_command(again, trusted, set(), NOW + 59_000) == commands.Lock("BTCUSDT", NOW + 1)


OTHER = {
    "event_id": "x",
    "event_time_ms": NOW + 1,
    "account": "other",
    "target": "executor",
    "command": "resume",
    "arguments": {"symbol": "BTCUSDT"},
    "reason": "another",
    "issued_at_ms": NOW - 1,
    "expires_at_ms": NOW + 600_001,
    "nonce": NONCE[::-1],
}


@pytest.mark.parametrize(
    "field", [name for name in CommandIssued.__struct_fields__ if name not in ("signature", "issued_by")]
)
def test_a_change_of_any_field_is_refused(ada: PersonalKey, trusted: TrustedFolder, field: str) -> None:
    said = signed(command(), ada)
    changed = msgspec.structs.replace(said, **{field: OTHER[field]})
    refused = check_command(changed, trusted, set(), NOW)
    assert isinstance(refused, CommandRefused)
    assert refused.why == "wrong_signature"


@given(place=st.integers(0, 10_000), change=st.integers(1, 255))
def test_a_change_of_any_byte_of_the_record_is_refused(
    ada: PersonalKey, trusted: TrustedFolder, place: int, change: int
) -> None:
    said = signed(command("close", {"symbol": "BTCUSDT", "share": "0.5"}), ada)
    record = bytearray(encode_value(said))
    record[place % len(record)] ^= change
    try:
        read = decode_as(CommandIssued, bytes(record))
    except Exception as error:
        assert type(error).__name__ == "BadMessage"  # noqa: PT017 - one of two ways to be refused
        return
    # Names of fields are no content: a field that is renamed is missing, an unknown one ignored.
    assert read == said or isinstance(check_command(read, trusted, set(), NOW), CommandRefused)


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4), st.text(max_size=12))
def test_two_commands_never_have_the_same_signed_bytes(arguments: dict[str, str], reason: str) -> None:
    first, second = command(arguments=arguments, reason=reason), command(arguments={"a": "b"}, reason="c")
    assert (signed_bytes(first) == signed_bytes(second)) == (first == second)
    assert signed_bytes(first) == signed_bytes(msgspec.structs.replace(first, signature="x"))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (command(issued_by="eve"), "unknown_issuer"),
        (command(issued_at_ms=NOW + 5_001, expires_at_ms=NOW + 9_000), "not_yet_valid"),
        (command(issued_at_ms=NOW - 9_000, expires_at_ms=NOW), "expired"),
        (command(expires_at_ms=NOW + 600_001), "too_long_valid"),
        (command("resume", expires_at_ms=NOW + 60_001), "too_long_valid"),
        (command(nonce="1234", event_id=command_id("ada", "1234")), "invalid"),
        (command(event_id="another"), "invalid"),
        (command("flatten"), "invalid"),
        (command(target="executor"), "invalid"),
        (command(issued_at_ms=NOW + 5_000, expires_at_ms=NOW + 5_001), None),
    ],
)
def test_why_a_signed_command_does_not_count(
    ada: PersonalKey, trusted: TrustedFolder, said: CommandIssued, why: str | None
) -> None:
    found = check_command(signed(said, ada), trusted, set(), NOW)
    assert (found.why if isinstance(found, CommandRefused) else None) == why


def test_an_unsigned_command_changes_nothing_and_a_replayed_one_neither(
    ada: PersonalKey, trusted: TrustedFolder
) -> None:
    unsigned = check_command(command(), trusted, set(), NOW)
    assert isinstance(unsigned, CommandRefused)
    assert unsigned.why == "unsigned"
    replayed = check_command(signed(command(), ada), trusted, {NONCE: NOW}, NOW)
    assert isinstance(replayed, CommandRefused)
    assert replayed.why == "replayed"


def test_without_a_folder_nobody_is_trusted(ada: PersonalKey, tmp_path: Path) -> None:
    found = check_command(signed(command(), ada), TrustedFolder(tmp_path / "none"), set(), NOW)
    assert isinstance(found, CommandRefused)
    assert found.why == "keys_unreadable"


def test_every_command_of_the_contract_has_a_row_and_what_raises_risk_is_over_after_a_minute() -> None:
    assert set(COMMANDS) == set(get_args(CommandName))
    raising = {name for name, row in COMMANDS.items() if row.raises_risk}
    assert raising == {"resume", "unlock", "reset", "move_stop", "enter", "change_config"}
    assert {row.most_valid_ms for row in COMMANDS.values() if row.raises_risk} == {60_000}


ENTER = {"symbol": "BTCUSDT", "direction": "long", "stop": "90"}


@pytest.mark.parametrize(
    ("name", "arguments", "meant"),
    [
        ("pause", {}, commands.Pause()),
        ("resume", {}, commands.Resume()),
        ("flatten", {"symbol": "all"}, commands.Flatten(None)),
        ("flatten", {"symbol": "BTCUSDT"}, commands.Flatten("BTCUSDT")),
        ("unlock", {"symbol": "BTCUSDT"}, commands.Unlock("BTCUSDT")),
        ("reset", {"break_number": "3"}, commands.Reset(3)),
        ("close", {"symbol": "BTCUSDT", "share": "1"}, commands.Close("BTCUSDT", share=Decimal(1))),
        ("close", {"symbol": "BTCUSDT", "quantity": "0.003"}, commands.Close("BTCUSDT", quantity=Decimal("0.003"))),
        (
            "move_stop",
            {"symbol": "BTCUSDT", "price": "91.5", "trade_id": "t1"},
            commands.MoveStop("BTCUSDT", Decimal("91.5"), "t1"),
        ),
        (
            "move_stop",
            {"symbol": "BTCUSDT", "price": "91.5", "only_closer": "true"},
            commands.MoveStop("BTCUSDT", Decimal("91.5"), only_closer=True),
        ),
        ("enter", ENTER, commands.Enter("BTCUSDT", "long", Decimal(90))),
        (
            "enter",
            {"symbol": "X", "direction": "short", "stop": "9", "take_profit_1": "8", "take_profit_2": "7", "risk": "5"},
            commands.Enter("X", "short", Decimal(9), Decimal(8), Decimal(7), Decimal(5)),
        ),
        ("cancel", {"symbol": "BTCUSDT"}, commands.Cancel("BTCUSDT")),
        ("sync", {}, commands.Sync()),
        (
            "change_config",
            {"base_version": "2", "leverage": "3", "overrides.BTCUSDT.leverage": "none"},
            commands.ChangeConfig(2, {"leverage": "3", "overrides.BTCUSDT.leverage": "none"}),
        ),
    ],
)
def test_each_command_is_read_as_it_is_meant(name: CommandName, arguments: dict[str, str], meant: object) -> None:
    assert read_command(command(name, arguments)) == meant


@pytest.mark.parametrize(
    ("name", "arguments", "what"),
    [
        ("pause", {"symbol": "BTCUSDT"}, "pause has no symbol; it takes nothing"),
        ("flatten", {}, "flatten needs symbol"),
        ("flatten", {"symbol": "ALL/"}, "no symbol"),
        ("flatten", {"symbol": ""}, "no symbol"),
        ("reset", {"break_number": "-1"}, "no whole number"),
        ("close", {"symbol": "BTCUSDT"}, "either share or quantity"),
        ("close", {"symbol": "BTCUSDT", "share": "1", "quantity": "1"}, "either share or quantity"),
        ("close", {"symbol": "BTCUSDT", "share": "1.01"}, "more than the whole"),
        ("close", {"symbol": "BTCUSDT", "share": "0"}, "no number above 0"),
        ("close", {"symbol": "BTCUSDT", "share": "nan"}, "no number above 0"),
        ("close", {"symbol": "BTCUSDT", "quantity": "1e3"}, "no number above 0"),
        ("close", {"symbol": "BTCUSDT", "quantity": "-1"}, "no number above 0"),
        ("move_stop", {"symbol": "BTCUSDT", "price": "٣"}, "no number above 0"),
        ("move_stop", {"symbol": "BTCUSDT", "price": "9", "only_closer": "false"}, "not true: leave it out"),
        ("enter", {**ENTER, "direction": "up"}, "neither long nor short"),
        ("enter", {**ENTER, "take_profit_1": "80"}, "must rise"),
        ("enter", {**ENTER, "take_profit_1": "90"}, "must rise"),
        ("enter", {**ENTER, "direction": "short", "take_profit_1": "95"}, "must fall"),
        ("enter", {**ENTER, "take_profit_2": "99"}, "needs take_profit_1"),
        ("lock", {"symbol": "BTCUSDT", "until_ms": str(NOW)}, "not after the command"),
        ("lock", {"symbol": "BTCUSDT", "until_ms": str(NOW + 32 * 86_400_000)}, "more than 31 days"),
        ("lock", {"symbol": "BTCUSDT", "until_ms": "999999999999999"}, "no time between"),
        ("change_config", {"leverage": "3"}, "needs base_version"),
        ("change_config", {"base_version": "1"}, "changes nothing"),
        ("change_config", {"base_version": "1", "__class__.X": "1"}, "no name of a setting"),
        ("change_config", {"base_version": "x", "leverage": "3"}, "no whole number"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(name: CommandName, arguments: dict[str, str], what: str) -> None:
    with pytest.raises(CommandInvalid, match=what):
        read_command(command(name, arguments))


@given(
    st.sampled_from(get_args(CommandName)),
    st.dictionaries(
        st.sampled_from(["symbol", "price", "share", "stop", "until_ms", "base_version", "x"]), st.text(max_size=9)
    ),
)
def test_whatever_stands_in_the_arguments_is_read_or_refused(name: CommandName, arguments: dict[str, str]) -> None:
    try:
        read_command(command(name, arguments))
    except CommandInvalid:
        return
