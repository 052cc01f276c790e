"""What the account is worth: neither what is missing in an answer nor what was moved is a loss."""

from decimal import Decimal

import pytest

from libs.exchanges.trading import Balance, IncomeEntry
from libs.exchanges.user_events import AccountTold
from libs.kit.durations import DAY_MS
from libs.trading.risk.inputs import Figure
from services.risk_guard.moment import Moment
from services.risk_guard.money import MoneyBook

DAY = 20_000
NOW_MS = DAY * DAY_MS + 3_600_000


def usdt(amount: str) -> list[Balance]:
    return [Balance("USDT", Decimal(amount), Decimal(amount), Decimal(0))]


def known() -> MoneyBook:
    """A wallet of 10,000 that the statement has confirmed."""
    book = MoneyBook()
    book.read(1_000, usdt("10000"))
    book.stated(DAY, [])
    book.see(Figure(Decimal(0), 0), Moment(NOW_MS, 1_000))
    return book


def test_an_answer_without_the_asset_is_no_balance_of_zero() -> None:
    book = known()
    book.read(2_000, [])
    book.read(2_000, [Balance("BNB", Decimal(3), Decimal(3), Decimal(0))])
    book.stated(DAY, [])
    assert book.balance(Moment(NOW_MS, 2_000)).value == Decimal(10_000)
    assert MoneyBook().balance(Moment(NOW_MS, 2_000)).value is None


@pytest.mark.parametrize(
    "kind", ["TRANSFER", "STRATEGY_UMFUTURES_TRANSFER", "CROSS_COLLATERAL_TRANSFER", "AUTO_EXCHANGE"]
)
def test_what_goes_to_another_wallet_is_no_loss(kind: str) -> None:
    book = known()
    book.read(9_000, usdt("4000"))
    moved = IncomeEntry(kind, "", Decimal(-6000), "USDT", NOW_MS + 5_000, 7, "", "")
    book.stated(DAY, [moved])
    now = Moment(NOW_MS + 8_000, 9_000)
    book.see(Figure(Decimal(0), 0), now)
    assert book.realised_today(now).value == 0
    assert book.peak_and_moved(now)[1].value == Decimal(-6000)


def test_a_read_right_after_an_event_is_no_newer_word() -> None:
    """Lists tell what was true up to two seconds ago: the wallet that was told stands, and the statement need not be asked."""
    book = known()
    event = AccountTold("ORDER", {"USDT": Decimal(9_900)}, (), NOW_MS + 1_000)
    book.told(event, 2_000)
    for asked_at_ms in (2_100, 4_000):
        book.read(asked_at_ms, usdt("10000"))
        assert book.balance(Moment(NOW_MS, asked_at_ms)).value == Decimal(9_900)
    assert not book.wants_statement(Moment(NOW_MS, 4_000))
    book.read(4_200, usdt("10000"))
    assert book.balance(Moment(NOW_MS, 4_200)).value is None, "what is still so then has to be explained"
    assert book.wants_statement(Moment(NOW_MS, 4_200))
