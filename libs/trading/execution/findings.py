"""What a comparison of an account with the books may find: a name for each, what it keeps from trading, and what is done.

One table for the executor, its command line and the documentation.
"""

from dataclasses import dataclass
from typing import Literal

FindingName = Literal[
    "missed_fill",
    "closed_by_hand",
    "guard_acted",
    "liquidated",
    "deleveraged",
    "settled",
    "order_missing",
    "stop_missing",
    "order_taken_over",
    "orphaned_order",
    "fills_out_of_reach",
    "not_explained_yet",
    "books_lost",
    "other_installation",
    "foreign_order",
    "foreign_stop",
    "foreign_position",
    "position_larger",
    "side_flipped",
    "hedge_mode",
    "multi_assets_mode",
    "wrong_leverage",
    "wrong_margin_type",
    "symbol_not_trading",
]
Scope = Literal["nothing", "symbol", "account", "policy"]
"""What a finding keeps from being entered, as long as it is found: `policy`: as the account's `foreign_policy` says."""
Severity = Literal["info", "warning", "critical"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """`when`: what was seen; `done`: what becomes of it."""

    keeps_out: Scope
    severity: Severity
    when: str
    done: str


MEANINGS: dict[FindingName, Meaning] = {
    "missed_fill": Meaning(
        "nothing", "info", "the venue lists a fill of our order that we have not heard", "it is booked"
    ),
    "closed_by_hand": Meaning(
        "nothing",
        "warning",
        "an order that is not ours has closed our position, or a part of it",
        "the fill is booked as a person's; exits follow what is left",
    ),
    "guard_acted": Meaning(
        "nothing", "warning", "the guard has closed our position, or a part", "its fills are booked"
    ),
    "liquidated": Meaning(
        "nothing",
        "critical",
        "the venue has liquidated our position, or a part",
        "the fills are booked as a liquidation",
    ),
    "deleveraged": Meaning(
        "nothing", "critical", "the venue has deleveraged our position (ADL)", "the fills are booked as that"
    ),
    "settled": Meaning("nothing", "critical", "the venue has settled our position", "the fills are booked as that"),
    "order_missing": Meaning(
        "nothing",
        "info",
        "an order of ours that should rest is not listed",
        "it is asked for by its id; a conditional that was triggered is followed to its order",
    ),
    "stop_missing": Meaning(
        "nothing",
        "critical",
        "an open position has no stop that rests",
        "another one is placed, or the position closed",
    ),
    "order_taken_over": Meaning(
        "nothing",
        "warning",
        "an order rests for a trade whose books do not know it: of newer books, the guard's, or a stop in place of ours",
        "the trade takes it over; it is replaced by the trade's own where they differ",
    ),
    "orphaned_order": Meaning(
        "symbol",
        "warning",
        "an order of ours rests although its trade is over",
        "it is cancelled; the symbol is entered after that",
    ),
    "fills_out_of_reach": Meaning(
        "account",
        "critical",
        "less is left of a position than the books say, and no list of fills tells how it went",
        "the trade follows what the venue holds; its profit is not complete, and a person has to say so",
    ),
    "not_explained_yet": Meaning(
        "account",
        "info",
        "something differs that may be late news: reads may be two seconds old",
        "it is looked at again; only what is still there counts",
    ),
    "books_lost": Meaning(
        "account",
        "critical",
        "orders of ours protect a position that the books do not know: they are empty, or older than the trade",
        "the orders stay; restore the books, close the position, or let it be adopted",
    ),
    "other_installation": Meaning(
        "account",
        "critical",
        "orders of another installation, or of another name for this account, rest",
        "nothing of theirs is touched; stop one of the two",
    ),
    "foreign_order": Meaning("policy", "warning", "an order rests that is not ours", "it is left alone"),
    "foreign_stop": Meaning(
        "policy",
        "warning",
        "a stop rests beside our position that is not ours",
        "it is left alone; one that closes the position in place of ours is taken over",
    ),
    "foreign_position": Meaning(
        "policy",
        "warning",
        "there is a position that no trade of ours has opened",
        "it is left alone, or adopted with a stop",
    ),
    "position_larger": Meaning(
        "policy",
        "warning",
        "somebody has added to our position",
        "our stop closes all of it; profit counts what we have opened",
    ),
    "side_flipped": Meaning(
        "policy",
        "critical",
        "somebody has turned our position around",
        "our trade ends with their fill; the rest is a position that is not ours",
    ),
    "hedge_mode": Meaning(
        "account",
        "critical",
        "the account is in hedge mode, or has a leg of it",
        "set it to one-way mode once it is flat",
    ),
    "multi_assets_mode": Meaning(
        "account", "critical", "the account is in multi-assets mode", "set it to single-asset mode"
    ),
    "wrong_leverage": Meaning(
        "symbol",
        "warning",
        "an open position has another leverage than configured",
        "it is set before the next entry; or set it at the venue",
    ),
    "wrong_margin_type": Meaning(
        "symbol",
        "warning",
        "an open position has another margin type than configured",
        "it is set before the next entry, once the symbol is flat",
    ),
    "symbol_not_trading": Meaning(
        "symbol",
        "critical",
        "a symbol that we hold does not trade any more",
        "the position stays as the venue lets it; what it settles is booked",
    ),
}
"""Every finding. What keeps the account out is no entry anywhere; exits and protection go on whatever is found."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One, of a symbol or ("") of the account. `detail`: what exactly, in words. `trade_id`: whose it is, if anybody's."""

    name: FindingName
    symbol: str
    detail: str
    trade_id: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from others: the same one again is the same finding, whatever its numbers are by now."""
        return self.name, self.symbol, self.trade_id or ""

    @property
    def meaning(self) -> Meaning:
        """What it is and what becomes of it."""
        return MEANINGS[self.name]
