"""The tables of docs/trading.md, generated: `python -m tests.architecture.reconciliation_page` writes them into the page."""

import re
import sys
from collections.abc import Callable, Iterator

from libs.trading.commands import COMMANDS, ChangeConfig
from libs.trading.execution.checklist import CHECKS
from libs.trading.execution.findings import MEANINGS, Scope
from libs.trading.execution.wish import REFUSALS
from libs.trading.risk.rules import all_rules
from tests.architecture.risk_rules_page import row_without_words
from tests.architecture.settings_page import ROOT

PAGE = ROOT / "docs/trading.md"
_KEPT_OUT: dict[Scope, str] = {
    "nothing": "",
    "symbol": "the symbol",
    "account": "the account",
    "policy": "by `foreign_policy`",
}


def refusals() -> Iterator[str]:
    """Why a signal or a command was not entered."""
    yield "| reason | what it means |\n|---|---|"
    yield from (f"| `{name}` | {sentence} |" for name, sentence in REFUSALS.items())


def findings() -> Iterator[str]:
    """What a comparison may find."""
    yield "| finding | seen | what becomes of it | keeps out |\n|---|---|---|---|"
    for name, one in MEANINGS.items():
        grave = " **critical**" if one.severity == "critical" else ""
        yield f"| `{name}`{grave} | {one.when} | {one.done} | {_KEPT_OUT[one.keeps_out]} |"


def commands() -> Iterator[str]:
    """What a person may tell."""
    yield "| command | what it does | obeyed by | takes | valid for |\n|---|---|---|---|---|"
    for name, row in COMMANDS.items():
        takes = [f"`{one}`" for one in row.arguments] + [f"(`{one}`)" for one in row.optional]
        takes += ["settings by their names"] * (row.kind is ChangeConfig)
        does, seconds = " ".join((row.kind.__doc__ or "").split()), row.most_valid_ms // 1000
        yield f"| `{name}` | {does} | {row.target} | {', '.join(takes) or 'nothing'} | {seconds} s |"


def checks() -> Iterator[str]:
    """What has to be in order."""
    yield "| check | in order when |\n|---|---|"
    yield from (f"| {name.replace('_', ' ')} | {wants} |" for name, wants in CHECKS.items())


def risk_rules() -> Iterator[str]:
    """What the guard looks at, and does; in short."""
    yield "| rule | warning | break | a break means |\n|---|---|---|---|"
    yield from map(row_without_words, all_rules())


BLOCKS: dict[str, Callable[[], Iterator[str]]] = {
    "refusals": refusals,
    "findings": findings,
    "commands": commands,
    "checks": checks,
    "risk rules": risk_rules,
}


def with_tables(page: str) -> str:
    """The page with its tables as they are now. Raises `ValueError` for a page without a place for one of them."""
    for name, rows in BLOCKS.items():
        place = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not place.search(page):
            raise ValueError(f"{PAGE.name} has no place for the table {name}")
        table = "\n".join(rows())
        page = place.sub(lambda found, text=table: f"{found[1]}{text}\n{found[2]}", page)  # type: ignore[misc]
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
    sys.stdout.write(f"wrote the tables of {PAGE.relative_to(ROOT)}\n")
