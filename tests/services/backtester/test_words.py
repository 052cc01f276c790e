"""Figures as people read them: signs, thin spaces, durations, and never a certainty that is none."""

import pytest

from services.backtester.metrics.catalogue import BY_NAME
from services.backtester.metrics.figure import Figure, known, unknown
from services.backtester.report.words import (
    band_words,
    cut_percent,
    difference_words,
    figure_words,
    label_words,
    listed,
    number,
    percent,
    span,
    worded,
)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (number(1234567.891, 2), "1\u202f234\u202f567.89"),
        (number(-0.001, 2, signed=True), "0.00"),
        (number(-12.5, 1, signed=True), "−12.5"),
        (number(None, 2), "–"),
        (percent(0.1234, signed=True), "+12.3"),
        (percent(1e12, signed=True), "> +9\u202f999"),
        (worded(21_928_816.9, "ratio"), "> 9\u202f999"),
        (worded(-12_000, "ratio"), "< −9\u202f999"),
        (cut_percent(0.99999), "99.9"),
        (span(61_000), "1 min 01 s"),
        (span(90_000_000), "1 d 01 h"),
        (worded(0.99995, "probability"), "> 99.9"),
        (worded(0.00001, "probability"), "< 0.1"),
        (worded(0.0, "probability"), "0.0"),
        (difference_words(-109_260_000, "time"), "−1 d 06 h"),
        (difference_words(0.001, "R"), "0.00"),
        (difference_words(3, "count"), "+3"),
        (listed(["a", "b", "c"], 2), "a, b and 1 more"),
        (label_words(BY_NAME["expectancy_r"]), "Expectancy, R"),
        (label_words(BY_NAME["best_r"]), "Best trade, R"),
    ],
)
def test_words(said: str, words: str) -> None:
    assert said == words


def test_a_figure_with_its_band_or_its_reason() -> None:
    metric = BY_NAME["profit_factor"]
    assert figure_words(known(1.234), metric) == "1.23"
    assert figure_words(unknown("no losing trade"), metric) == "– no losing trade"
    assert band_words(Figure(value=1.2, low=0.9, high=None), metric) == "0.90 … ∞"
    assert band_words(known(1.2), metric) == ""
