"""What errors say to a person and to a handler."""

import pickle

from libs.kit.errors import Advice, BadMessage, ConfigurationError, TryAgain, UnreachableError, UserError


def test_advice_is_one_line_of_what_where_and_what_to_do() -> None:
    assert str(UserError("the disk is full", where="/data", todo="free some space")) == (
        "the disk is full (/data): free some space"
    )
    assert str(Advice("no network", "", "connect")) == "no network: connect"


def test_exit_codes_differ_by_kind() -> None:
    assert [kind.exit_code for kind in (UserError, ConfigurationError, UnreachableError)] == [1, 2, 4]


def test_an_error_for_a_person_comes_whole_out_of_another_process() -> None:
    error = UnreachableError("the disk is full", where="/data", todo="free some space")
    found = pickle.loads(pickle.dumps(error))
    assert (type(found), found.advice, str(found)) == (UnreachableError, error.advice, str(error))


def test_a_bad_message_keeps_its_reason_apart_from_its_detail() -> None:
    error = BadMessage("undecodable", "offset 7")
    assert (error.reason, error.detail, str(error)) == ("undecodable", "offset 7", "undecodable: offset 7")
    assert str(BadMessage("undecodable")) == "undecodable"


def test_try_again_says_how_long_to_wait() -> None:
    assert TryAgain("the venue is busy", 2.5).after_seconds == 2.5
