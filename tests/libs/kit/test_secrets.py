"""No secret of a URL survives, wherever it stands; the rest of the text does."""

import pytest

from libs.kit.secrets import masked


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2@host/db",
        "postgresql://me:hun/hunter2@host/db",
        "postgresql://me:x@hunter2@host/db",
        "postgresql://:hunter2@host/db",
        "postgresql://me@corp:hunter2@host/db",
        "postgresql://me@corp:x@hunter2@host:5432/db",
        "postgresql://host/db?password=hunter2",
        "postgresql://host/db?user=u&PassWord=hunter2#x",
        "postgresql://host/db?p%61ssword=hunter2",
        "postgresql://host/db?sslpassword=hunter2&passfile=/home/hunter2",
        "https://venue/fapi/v1/order?symbol=BTCUSDT&signature=hunter2",
    ],
)
def test_what_is_secret_is_gone(url: str) -> None:
    text = masked(f"no answer ({url}): start it")
    assert "hunter2" not in text
    assert "***" in text
    assert text.startswith("no answer (")
    assert text.endswith(": start it")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a sentence: with = signs",
        "http://127.0.0.1:9000/fapi/v1/trades?symbol=BTCUSDT&limit=5",
        "u@host:5432/x",
        "postgresql://me@host:5432/x",
    ],
)
def test_what_is_not_secret_stays(text: str) -> None:
    assert masked(text) == text


def test_each_url_of_a_sentence_is_masked_by_itself() -> None:
    text = "postgresql://me@corp:hunter2@one/db and http://two:9000/x, not postgresql://u:hunter2@three/db"
    assert masked(text) == "postgresql://me@corp:***@one/db and http://two:9000/x, not postgresql://u:***@three/db"
