"""The way from gross to net: what each cost took, against the gross result and against what was traded."""

import msgspec

from services.backtester.metrics.trades import traded_notional
from services.backtester.report.document import Report

_BASIS_POINTS = 10_000


class CostLine(msgspec.Struct, frozen=True, kw_only=True):
    """One step: quote units (costs below 0), share of gross (None without a gross profit), basis points of traded notional."""

    name: str
    amount: float
    of_gross: float | None
    basis_points: float | None


def cost_lines(report: Report) -> tuple[CostLine, ...]:
    """Gross, each cost, net: the first plus the others is the last."""
    figures = report.figures
    gross, traded = figures.gross.value or 0.0, traded_notional(report.trades)
    steps = (
        ("Gross", gross),
        ("Fees", -(figures.fees.value or 0.0)),
        ("Slippage", -(figures.slippage.value or 0.0)),
        ("Funding", -(figures.funding.value or 0.0)),
        ("Net", figures.net.value or 0.0),
    )
    return tuple(
        CostLine(
            name=name,
            amount=amount,
            of_gross=amount / gross if gross > 0 else None,
            basis_points=amount / traded * _BASIS_POINTS if traded else None,
        )
        for name, amount in steps
    )
