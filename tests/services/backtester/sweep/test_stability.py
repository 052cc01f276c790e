"""Plateaus and spikes: bins, pairs and neighbours of hand-made rows, and a page that needs nothing else."""

from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from libs.trading.strategy import Strategy, read_strategy
from services.backtester.metrics.figure import Figure
from services.backtester.report.words import UNKNOWN
from services.backtester.sweep.page import page, verdict
from services.backtester.sweep.results import Row
from services.backtester.sweep.search import Search
from services.backtester.sweep.space import Axis, Space
from services.backtester.sweep.stability import Cell, by_bin, by_pair, labels, neighbours
from services.backtester.sweep.summary import SweepSummary, summarise, write_summary
from services.backtester.sweep.trial import FIGURES, Arena
from tests.fakes.progress import Unwatched
from tests.services.backtester.sweep.markets import collected, plan, small, space

GRID = space(threshold=Axis(values=(20, 30, 40)), cooldown_seconds=Axis(values=(0, 60, 120)))


def row(number: int, cooldown: int, threshold: int, net_r: float) -> Row:
    known = dict.fromkeys(FIGURES, 1.0) | {"net_r": net_r}
    return {"number": number, "valid": True, "cooldown_seconds": cooldown, "threshold": threshold} | known


ROWS = [
    row(0, 0, 20, 1.0),
    row(1, 0, 30, 2.0),
    row(2, 0, 40, 3.0),
    row(3, 60, 20, 4.0),
    row(4, 60, 30, 50.0),
    row(5, 60, 40, 6.0),
    row(6, 120, 20, 7.0),
]


def test_bins_have_their_median_and_their_best() -> None:
    assert by_bin(GRID, ROWS, "threshold", "net_r") == [Cell(3, 4.0, 7.0), Cell(2, 26.0, 50.0), Cell(2, 4.5, 6.0)]
    pairs = by_pair(GRID, ROWS, ("cooldown_seconds", "threshold"), "net_r")
    assert [[cell.best if cell else None for cell in line] for line in pairs] == [
        [1, 2, 3],
        [4, 50, 6],
        [7, None, None],
    ]


def test_of_a_drawdown_the_least_is_the_best() -> None:
    rows = [each | {"drawdown": each["net_r"] / 100} for each in ROWS]
    cell = by_bin(GRID, rows, "threshold", "drawdown")[0]
    assert cell is not None
    assert cell.best == 0.01


def test_numbers_without_steps_are_binned_along_their_axis() -> None:
    axis = Axis(low=1, high=256, log=True)
    assert len(labels(axis)) == 8
    given: Space = space(threshold=Axis(low=0, high=80), cooldown_seconds=axis)
    rows = [row(0, 1, 5, 1.0), row(1, 2, 15, 2.0), row(2, 256, 79, 3.0)]
    assert [cell.count if cell else 0 for cell in by_bin(given, rows, "threshold", "net_r")] == [1, 1, 0, 0, 0, 0, 0, 1]
    assert [cell.count if cell else 0 for cell in by_bin(given, rows, "cooldown_seconds", "net_r")] == [
        1,
        1,
        0,
        0,
        0,
        0,
        0,
        1,
    ]


def test_neighbours_are_one_step_away_on_every_axis() -> None:
    found = neighbours(GRID, ROWS, ROWS[4], "net_r")
    assert (found.count, found.median) == (6, 3.5)
    corner = neighbours(GRID, ROWS, ROWS[0], "net_r")
    assert (corner.count, corner.median) == (3, 4.0)
    assert neighbours(GRID, ROWS[:1], ROWS[0], "net_r").median is None


def summary(figure: str = "net_r", method: str = "grid") -> tuple[SweepSummary, list[Row], Search]:
    search = Search(Arena.of(collected().data), small(), plan(figure=figure, method=method), Unwatched())
    rows = search.rows([(number, search.point(number)) for number in range(search.size)])
    return summarise(search, rows), rows, search


def test_a_spike_and_a_plateau_are_called_what_they_are() -> None:
    found, _, _ = summary()
    top = found.top[0]
    for median, words in ((4.0, "a spike"), (9.0, "a plateau"), (None, "no neighbours")):
        changed = msgspec.structs.replace(top, row=top.row | {"net_r": 10.0}, neighbours_median=median)
        assert words in verdict(msgspec.structs.replace(found, top=(changed,)))
    loser = msgspec.structs.replace(top, row=top.row | {"net_r": -1.0}, neighbours_median=-2.0)
    assert "not above 0" in verdict(msgspec.structs.replace(found, top=(loser,)))
    assert "nothing was traded" in verdict(msgspec.structs.replace(found, top=()))


def test_a_summary_ranks_counts_and_gives_the_best_as_a_strategy(tmp_path: Path) -> None:
    found, rows, search = summary()
    assert (found.tried, found.impossible, found.facts.configurations) == (4, 2, 4)
    assert [top.row["net_r"] for top in found.top] == sorted((row["net_r"] for row in rows[:4]), reverse=True)
    write_summary(found, rows, tmp_path)
    again = search.arena.rows([base_of(tmp_path)])[0]
    assert again["net_r"] == found.top[0].row["net_r"]
    assert {path.name for path in tmp_path.iterdir()} == {"results.parquet", "sweep.json", "best.json"}


def base_of(folder: Path) -> Strategy:
    return read_strategy((folder / "best.json").read_bytes(), "best.json")


class Names(HTMLParser):
    """What a page asks of others, and its headings."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.asked += [value or "" for name, value in attrs if name in ("src", "href")]


@pytest.mark.parametrize("figure", ["net_r", "drawdown", "sharpe"])
def test_the_page_needs_nothing_else_and_shows_every_pair(figure: str) -> None:
    found, rows, search = summary(figure)
    found = msgspec.structs.replace(found, luck_free=Figure(value=0.25))
    text = page(found, search.space, rows)
    names = Names()
    names.feed(text)
    assert names.asked == []
    assert "bracket.take_profit_1_atr × threshold" in text
    assert "heat-map" in text
    assert "25.0 % probability" in text
    assert text.count("COSTS ON") == 1
    assert "None" not in text
    assert UNKNOWN in text or figure != "sharpe"
