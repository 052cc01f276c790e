"""Which symbols are in force, for every history of words: the newest on each counts, and nothing else of the history."""

from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.control import SymbolFollowed, symbols_in_force

NAMES = st.sampled_from(["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "ADAUSDT"])
CONFIGURED = st.lists(NAMES, unique=True)
WORDS = st.lists(
    st.builds(
        lambda symbol, followed: SymbolFollowed(
            event_id="", event_time_ms=0, symbol=symbol, followed=followed, changed_by="ada"
        ),
        NAMES,
        st.booleans(),
    )
)


@given(CONFIGURED, WORDS)
def test_each_symbol_is_as_the_newest_word_on_it_says_else_as_configured(
    configured: list[str], words: list[SymbolFollowed]
) -> None:
    newest = {word.symbol: word.followed for word in words}
    found = symbols_in_force(configured, words)
    assert set(found) == {name for name in {*configured, *newest} if newest.get(name, name in configured)}
    assert len(set(found)) == len(found)


@given(CONFIGURED, WORDS)
def test_configured_ones_come_first_in_their_order_then_the_added_ones_by_their_last_word(
    configured: list[str], words: list[SymbolFollowed]
) -> None:
    found = symbols_in_force(configured, words)
    mine = [name for name in found if name in configured]
    assert list(found[: len(mine)]) == mine == [name for name in configured if name in found]
    last = {word.symbol: place for place, word in enumerate(words)}
    assert list(found[len(mine) :]) == sorted(found[len(mine) :], key=last.__getitem__)


@given(CONFIGURED, WORDS, st.data())
def test_earlier_words_on_a_symbol_change_nothing(
    configured: list[str], words: list[SymbolFollowed], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(words)))
    later = {word.symbol for word in words[cut:]}
    kept = [word for word in words[:cut] if word.symbol not in later] + words[cut:]
    assert symbols_in_force(configured, kept) == symbols_in_force(configured, words)
    assert symbols_in_force(configured, words + words[-1:]) == symbols_in_force(configured, words)
