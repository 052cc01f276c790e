"""The one place that knows Optuna: points proposed by its tree-structured Parzen estimator, from what earlier ones earned."""

from collections.abc import Sequence
from typing import Any

from libs.kit.errors import UserError
from services.backtester.sweep.space import Axis, Point, Space, Value, rounded


class Optimiser:
    """Proposes and learns in turns. With the same seed and the same answers it proposes the same points.

    Source: Bergstra et al. (2011), "Algorithms for hyper-parameter optimization". Raises `UserError` without Optuna.
    """

    def __init__(self, space: Space, seed: int) -> None:
        try:
            import optuna
        except ImportError:
            raise UserError(
                "Optuna is not installed", where="method optuna", todo="install it (`uv sync`), or use random"
            ) from None
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        self._failed = optuna.trial.TrialState.FAIL
        self._study: Any = optuna.create_study(direction="maximize", sampler=sampler)
        self._space = space
        self._asked: list[Any] = []

    def propose(self, count: int) -> list[Point]:
        """The next points."""
        points = []
        for _ in range(count):
            trial = self._study.ask()
            self._asked.append(trial)
            points.append({name: _suggested(trial, name, axis) for name, axis in self._space.axes.items()})
        return points

    def learn(self, merits: Sequence[float | None]) -> None:
        """How good the points of the last proposal were, in their order; None: nothing can be said."""
        for trial, merit in zip(self._asked, merits, strict=True):
            if merit is None:
                self._study.tell(trial, state=self._failed)
            else:
                self._study.tell(trial, merit)
        self._asked = []


def _suggested(trial: Any, name: str, axis: Axis) -> Value:
    listed = axis.listed()
    if listed is not None:
        # By place, in order: Optuna then knows that neighbours are near, which it does not of a choice.
        value: Value = listed[trial.suggest_int(name, 0, len(listed) - 1)]
        return value
    return rounded(trial.suggest_float(name, axis.low, axis.high, log=axis.log))
