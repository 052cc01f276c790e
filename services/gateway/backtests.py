"""The routes of backtests: start one, watch it, cancel it, list them, read the report."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import FileResponse

from libs.store.audit import Change
from services.gateway.access import Person, Reader, Trader, access_of
from services.gateway.auditing import actor_of
from services.gateway.backtest_runs import BacktestRuns, Run, RunsAlready
from services.gateway.models.backtests import BacktestAnswer, BacktestAsked, Backtests
from services.gateway.problems import SIGNING_IN_RESPONSES, Conflict, NotFound

router = APIRouter(prefix="/api/backtests", tags=["backtests"], responses=SIGNING_IN_RESPONSES)
Id = Annotated[str, Path(pattern=r"^[0-9]{8}-[0-9]{6}-[0-9a-f]{6}$", examples=["20261129-205500-3f9c2a"])]
# The report is a page with its own script. In a sandbox it has no origin, so nothing of ours is its to use.
_SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:;"
    " frame-ancestors 'self'"
)
_NO_COSTS: dict[str, Any] = {
    **dict.fromkeys(("taker_fee", "maker_fee"), "0"),
    **dict.fromkeys(("slippage", "gaps", "funding", "filters"), False),
    "latency_ms": 0,
}


@router.post("", operation_id="postBacktest", response_model=BacktestAnswer)
async def start(request: Request, person: Trader, asked: BacktestAsked) -> BacktestAnswer:
    """Begin a backtest over the tables. One runs at a time (409)."""
    runs = _runs(request)
    if any(run.state == "running" for run in runs.all()):
        raise Conflict("a backtest runs already: wait for it, or cancel it")
    wanted = _request(asked)
    change = Change("backtest.start", None, None, {**wanted, "strategies": len(asked.strategies)})
    await _write_down(request, person, change)
    try:
        return _answer(await runs.start(wanted, list(asked.strategies), person.name))
    except RunsAlready:
        raise Conflict("a backtest runs already: wait for it, or cancel it") from None


def _request(asked: BacktestAsked) -> dict[str, Any]:
    """What the backtester reads; never a path that somebody outside has named."""
    rules = asked.model_dump(include={"risk_per_trade", "starting_balance", "max_positions"})
    kept = asked.model_dump(mode="json", include={"symbols", "start", "end", "view", "warm_up_hours", "allow_gaps"})
    return {**kept, "source": "postgres", "rules": rules, "costs": _NO_COSTS if asked.ideal else {}}


@router.get("", operation_id="getBacktests", response_model=Backtests)
async def backtests(request: Request, person: Reader) -> Backtests:
    """The last fifty, the newest first."""
    return Backtests(rows=tuple(map(_answer, _runs(request).all())))


@router.get("/{backtest_id}", operation_id="getBacktest", response_model=BacktestAnswer)
async def backtest(request: Request, person: Reader, backtest_id: Id) -> BacktestAnswer:
    """How far it is, or how it ended."""
    return _answer(_run(request, backtest_id))


@router.post("/{backtest_id}/cancel", operation_id="postBacktestCancel", response_model=BacktestAnswer)
async def cancel(request: Request, person: Trader, backtest_id: Id) -> BacktestAnswer:
    """End it; nothing is kept of its result."""
    run = _run(request, backtest_id)
    if run.state == "running":
        await _write_down(request, person, Change("backtest.cancel", backtest_id))
        _runs(request).cancel(run)
    return _answer(_run(request, backtest_id))


@router.get(
    "/{backtest_id}/report",
    operation_id="getBacktestReport",
    response_class=FileResponse,
    responses={
        200: {
            "description": "The report",
            "content": {"application/json": {}},
        }
    },
)
async def report(request: Request, person: Reader, backtest_id: Id) -> FileResponse:
    """The report of a run that is done, as JSON."""
    return FileResponse(_reported(request, backtest_id).report / "report.json", media_type="application/json")


@router.get(
    "/{backtest_id}/report.html",
    operation_id="getBacktestReportPage",
    response_class=FileResponse,
    responses={200: {"description": "The report as a page", "content": {"text/html": {}}}},
)
async def page(request: Request, person: Reader, backtest_id: Id) -> FileResponse:
    """The report of a run that is done, as a page."""
    path = _reported(request, backtest_id).report / "report.html"
    return FileResponse(path, media_type="text/html", headers={"Content-Security-Policy": _SANDBOX})


def _runs(request: Request) -> BacktestRuns:
    runs: BacktestRuns = request.app.state.backtests
    return runs


def _run(request: Request, backtest_id: str) -> Run:
    run = _runs(request).one(backtest_id)
    if run is None:
        raise NotFound(f"there is no backtest {backtest_id}")
    return run


def _reported(request: Request, backtest_id: str) -> Run:
    run = _run(request, backtest_id)
    if run.state != "done":
        raise NotFound(f"the backtest {backtest_id} has no report: it is {run.state}")
    return run


async def _write_down(request: Request, person: Person, change: Change) -> None:
    await request.app.state.trail.write(access_of(request).engine, actor_of(request, person), change, must=True)


def _answer(run: Run) -> BacktestAnswer:
    return BacktestAnswer.model_validate(
        {
            "backtest_id": run.run_id,
            **{name: getattr(run, name) for name in ("state", "phase", "done", "started_ms", "ended_ms", "started_by")},
            "detail": run.detail,
            "request": dict(run.request),
        }
    )
