"""What trading costs, as assumptions that a report prints on top: fees, slippage, latency, gaps, funding and exchange filters."""

from decimal import Decimal
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from libs.trading.machine import layout as at

BASIS_POINT = Decimal("0.0001")


class Costs(BaseModel):
    """The assumptions of a run. Rates are shares of the notional, a rebate is below 0; latencies in ms.

    Default fees are those of a regular user of Binance USD-M futures, 0.05 % taker and 0.02 % maker, without discounts
    (Binance, "Fee Structure & Fee Calculations", support FAQ 360033544231, and the published fee schedule). The impact
    coefficient is the Y of the square-root law, of order one (`libs.trading.machine.charges.square_root_impact`); here its
    sigma is the range of prices within the window, which is above the volatility, so that Y = 1 is careful rather than kind.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    taker_fee: Decimal = Field(default=Decimal("0.0005"), ge=0, le=Decimal("0.01"))
    maker_fee: Decimal = Field(default=Decimal("0.0002"), ge=Decimal("-0.01"), le=Decimal("0.01"))
    slippage: bool = True
    half_spread_bps: Decimal = Field(default=Decimal("0.5"), ge=0, le=1000)
    impact_coefficient: Decimal = Field(default=Decimal(1), ge=0, le=100)
    impact_window_ms: int = Field(default=60_000, ge=1_000, le=3_600_000)
    latency_ms: int = Field(
        default=250, ge=0, le=60_000, description="From a decision to the venue: entries, closing orders."
    )
    stop_latency_ms: int = Field(
        default=0, ge=0, le=60_000, description="From a stop's trigger to its fill, at the venue."
    )
    gaps: bool = Field(default=True, description="Stops fill at the price that was there; false: at their level.")
    funding: bool = True
    filters: bool = True

    @classmethod
    def ideal(cls) -> Self:
        """No costs at all: what the signals alone would have made. A report of it is branded."""
        return cls(
            taker_fee=Decimal(0),
            maker_fee=Decimal(0),
            slippage=False,
            latency_ms=0,
            gaps=False,
            funding=False,
            filters=False,
        )

    @property
    def is_ideal(self) -> bool:
        """Whether nothing costs anything."""
        return self == Costs.ideal()

    def describe(self) -> tuple[str, ...]:
        """The assumptions, one line each, for the top of a report."""
        if self.is_ideal:
            return ("IDEAL: no fees, slippage, latency, gaps, funding or exchange filters",)
        return (
            f"fees: taker {_percent(self.taker_fee)}, maker {_percent(self.maker_fee)} of the notional",
            self._slippage_line(),
            f"latency: {self.latency_ms} ms; an order fills on the first trade after it",
            self._stop_line(),
            "take-profits: resting orders, filled at their price by a trade beyond it",
            "funding: paid at each settlement, from recorded rates" if self.funding else "funding: off",
            "exchange filters: on (steps, least quantity and notional)" if self.filters else "exchange filters: off",
        )

    def table(self) -> NDArray[np.int64]:
        """The assumptions as the compiled rules read them (`layout`)."""
        row = np.zeros(at.COST_COLUMNS, np.int64)
        row[at.TAKER], row[at.MAKER] = _rate(self.taker_fee), _rate(self.maker_fee)
        row[at.SLIPPAGE] = self.slippage
        row[at.HALF_SPREAD] = _rate(self.half_spread_bps * BASIS_POINT)
        row[at.IMPACT] = int(self.impact_coefficient * at.MILLION)
        row[at.IMPACT_WINDOW_MS] = self.impact_window_ms
        row[at.LATENCY_MS], row[at.STOP_LATENCY_MS] = self.latency_ms, self.stop_latency_ms
        row[at.GAPS], row[at.FUNDING_ON] = self.gaps, self.funding
        return row

    def _slippage_line(self) -> str:
        if not self.slippage:
            return "slippage: off"
        return (
            f"slippage of market orders: half a spread of {self.half_spread_bps.normalize():f} bp (one tick at least), plus "
            f"{self.impact_coefficient.normalize():f} × price range × √(own / traded notional) of the last "
            f"{self.impact_window_ms / 1000:g} s"
        )

    def _stop_line(self) -> str:
        if not self.gaps:
            return "stops: filled at their level"
        late = f", {self.stop_latency_ms} ms later" if self.stop_latency_ms else ""
        return f"stops: filled at the price of the trade that reached or passed them{late}"


def _rate(share: Decimal) -> int:
    return int((share * at.UNIT).to_integral_value())


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f} %"
