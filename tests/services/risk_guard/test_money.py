"""What the account is worth: neither what is missing in an answer nor what was moved is a loss."""

from decimal import Decimal

import pytest

from libs.exchanges.trading import Balance, Execution, IncomeEntry
from libs.exchanges.user_events import AccountTold
from libs.exchanges.worth import minute_of
from libs.kit.durations import DAY_MS, MINUTE_MS
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


def fill(trade_id: int, fee: str, time_ms: int = NOW_MS, asset: str = "BNB") -> Execution:
    return Execution(
        trade_id=trade_id,
        order_id=1,
        symbol="BTCUSDT",
        side="BUY",
        position_side="BOTH",
        price=Decimal(90_000),
        quantity=Decimal(1),
        fee=Decimal(fee),
        fee_asset=asset,
        realised=Decimal(0),
        is_maker=False,
        time_ms=time_ms,
    )


def commission(trade_id: int, amount: str, time_ms: int = NOW_MS) -> IncomeEntry:
    return IncomeEntry("COMMISSION", "BTCUSDT", Decimal(amount), "BNB", time_ms, 77, str(trade_id), "")


def today(book: MoneyBook) -> Figure:
    return book.realised_today(Moment(NOW_MS + 1_000, 2_000))


def realised(book: MoneyBook) -> Decimal | None:
    found = today(book)
    assert not found.lacks
    return found.value


def test_a_fee_in_another_asset_is_lost_at_what_it_was_worth_in_its_minute() -> None:
    book = known()
    book.fees.told(fill(1, "0.5"))
    assert (today(book).value, today(book).lacks) == (Decimal(0), "nobody knows yet what the fees in BNB were worth")
    assert book.fees.unvalued() == {"BNB": (NOW_MS, NOW_MS)}
    book.fees.valued("BNB", {minute_of(NOW_MS): Decimal(600)})
    assert (realised(book), book.fees.unvalued()) == (Decimal(-300), {})
    later_ms = NOW_MS + MINUTE_MS
    book.fees.told(fill(2, "0.1", later_ms))
    assert realised(book) == Decimal(-360), "until its own minute is known the newest price counts"
    book.fees.valued("BNB", {minute_of(later_ms): Decimal(700)})
    assert realised(book) == Decimal(-370)


def test_a_fee_counts_once_whoever_tells_it_and_is_known_again_after_a_restart() -> None:
    lines = [commission(1, "-0.5"), commission(2, "-0.25"), commission(3, "-9", NOW_MS - DAY_MS)]
    for told in ([fill(1, "0.5"), fill(1, "0.5")], []):
        book = known()
        for one in told:
            book.fees.told(one)
        book.stated(DAY, lines)
        book.fees.valued("BNB", {minute_of(NOW_MS): Decimal(600)})
        assert realised(book) == Decimal("-450")


def test_a_fee_in_the_quote_asset_is_in_its_wallet_already() -> None:
    book = known()
    book.fees.told(fill(1, "12", asset="USDT"))
    assert realised(book) == 0
    book.fees.told(fill(2, "12", asset="USDC"))
    assert realised(book) == Decimal(-12)


def test_a_wallet_of_another_asset_that_nobody_has_spoken_of_has_the_statement_read() -> None:
    book = known()

    def read(at_ms: int, amount: str) -> bool:
        book.read(at_ms, [*usdt("10000"), Balance("BNB", Decimal(amount), Decimal(amount), Decimal(0))])
        return book.wants_statement(Moment(NOW_MS, at_ms))

    assert not read(2_000, "5")
    book.told(AccountTold("ORDER", {"USDT": Decimal(10_000), "BNB": Decimal(4)}, (), NOW_MS), 3_000)
    assert not read(4_000, "5"), "older than what was told, perhaps"
    assert not read(6_000, "4")
    assert read(7_000, "3")
    book.stated(DAY, [])
    assert not read(8_000, "3")
