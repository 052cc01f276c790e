"""Coverage on screens: a line an input however many symbols, none of whose holes is lost from sight."""

from services.backtester.report.coverage_lines import CoverageLine, coverage_lines
from services.backtester.result import InputCoverage


def covered(symbol: str, name: str, share: float = 1.0, missing: str = "") -> InputCoverage:
    return InputCoverage(symbol=symbol, name=name, share=share, rows=int(share * 100), missing=missing)


def test_what_is_the_same_for_all_symbols_is_said_once() -> None:
    symbols = [f"S{number}USDT" for number in range(40)]
    found = coverage_lines(
        [
            covered(symbol, name, share, words)
            for symbol in symbols
            for name, share, words in (("trades", 1.0, ""), ("mark_price", 0.0, "none"))
        ]
    )
    assert found == [
        CoverageLine("mark price, 40 symbols", 0.0, 0, "each: none"),
        CoverageLine("trades, 40 symbols", 1.0, 4_000, ""),
    ]


def test_the_worst_symbol_is_named_and_the_others_counted() -> None:
    given = [
        covered("A", "trades", 0.99, "1 is missing"),
        covered("B", "trades", 0.5, "50 are missing"),
        covered("C", "trades"),
    ]
    assert coverage_lines(given) == [
        CoverageLine("trades, 3 symbols", 0.5, 249, "B: 50 are missing; and 1 more symbol")
    ]


def test_an_empty_day_counts_although_no_id_is_missing() -> None:
    given = [covered("A", "trades", 1.0, "1 of the days have none"), covered("B", "trades")]
    assert coverage_lines(given)[0].missing == "A: 1 of the days have none"


def test_a_single_symbol_keeps_its_name() -> None:
    assert coverage_lines([covered("A", "open_interest", 0.2, "gone")]) == [
        CoverageLine("A open interest", 0.2, 20, "gone")
    ]
    assert coverage_lines([]) == []
