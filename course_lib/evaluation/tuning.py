"""One loop that tunes any recommender: on train and validation alone, seeded, within a budget, every trial kept."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from course_lib.data.interactions import Split
from course_lib.errors import CourseError
from course_lib.evaluation.metrics import RANKING
from course_lib.evaluation.protocol import Recommender, evaluate
from course_lib.inputs import COUNT, SEED_32, all_finite, choice, number
from course_lib.paths import disk_error

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


@dataclass(frozen=True)
class Tuned:
    """What a search has found.

    model: fitted on train with ``params``, the best trial's. score: its mean over the users, on validation.
    trials: one row a trial, in order: its parameters, score (NaN if the model failed), best (so far), seconds.
    failed: {trial: why} of those whose model failed.
    """

    model: Recommender
    params: dict[str, Any]
    score: float
    trials: pd.DataFrame
    failed: dict[int, str] = field(default_factory=dict)


def for_choosing(split: Split) -> Split:
    """The same train, with validation in the place of the test: all that a choice may look at."""
    nothing = split.valid.keep(np.zeros(0, dtype=int))
    return Split(f"{split.name}, for choosing", split.train, nothing, split.valid)


def tune(
    make_model: Callable[..., Recommender],
    space: "Mapping[str, BaseDistribution]",
    split: Split,
    *,
    trials: int = 30,
    budget_seconds: float = float("inf"),
    seed: int = 0,
    metric: str = "ndcg",
    n: int = 10,
    log_dir: Path | str | None = None,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> Tuned:
    """The parameters in ``space`` with which ``make_model(**params)`` ranks validation best, after ``trials`` trials.

    space: {parameter: a distribution of optuna}, such as ``{"lam": FloatDistribution(1, 3000, log=True)}``. The first
    third of the trials, ten at most, are random, later ones look where good trials were (TPE; Bergstra et al. 2011,
    Algorithms for hyper-parameter optimization, NeurIPS). No trial starts after ``budget_seconds``; the same seed
    gives the same trials as long as the budget is not used up. The test part of ``split`` is never touched. A trial
    whose model raises CourseError (a training that diverged), has no solution (numpy's LinAlgError) or no finite score
    counts as failed, and the search goes on. trials, n ≥ 1; budget_seconds ≥ 0; seed ≥ 0, below 2³².

    log_dir: a folder for TensorBoard (``tensorboard --logdir FOLDER``): the course of the search, and each trial's
    parameters beside its score. Raises CourseError if there is nothing to tune with, or if every trial failed.
    """
    import optuna

    if not space:
        raise CourseError("tune wants a parameter to vary, and space is empty.")
    trials, n, seed = COUNT("trials", trials), COUNT("n", n), SEED_32("seed", seed)
    choice("metric", metric, RANKING)
    if budget_seconds != float("inf"):
        number("budget_seconds", budget_seconds, at_least=0)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=min(10, -(-trials // 3)))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    choosing, started, log = for_choosing(split), time.perf_counter(), _Log(log_dir, f"{metric}@{n}")
    best: tuple[float, dict[str, Any], Recommender] | None = None
    rows: list[dict[str, Any]] = []
    failed: dict[int, str] = {}
    for place in progress(range(trials)):
        begun = time.perf_counter()
        if rows and begun - started > budget_seconds:
            break
        trial = study.ask(dict(space))
        try:
            model = make_model(**trial.params).fit(choosing.train)
            per_user = evaluate({"model": model}, choosing, n, seed=seed).per_user["model"][metric]
            score = float(all_finite(f"The values of {metric}", per_user).mean())
        except (CourseError, np.linalg.LinAlgError) as error:
            score, failed[place] = float("nan"), str(error)
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, score)
            if best is None or score > best[0]:
                best = score, trial.params, model
        seconds = time.perf_counter() - begun
        rows.append({**trial.params, "score": score, "best": best[0] if best else np.nan, "seconds": seconds})
        log.trial(place, trial.params, rows[-1])
    log.close()
    if best is None:
        raise CourseError(f"All {len(rows)} trials failed, the last with: {[*failed.values()][-1]}")
    return Tuned(best[2], best[1], best[0], pd.DataFrame(rows).rename_axis("trial"), failed)


class _Log:
    """TensorBoard's event files of a search, or nothing where there is no folder."""

    def __init__(self, folder: Path | str | None, name: str) -> None:
        self.name, self.writer = name, None
        if folder is not None:
            from torch.utils.tensorboard import SummaryWriter

            try:
                self.writer = SummaryWriter(str(folder))
            except OSError as error:
                raise disk_error(error, Path(folder), "give log_dir a folder that you may write to") from error

    def trial(self, number: int, params: Mapping[str, Any], row: Mapping[str, float]) -> None:
        """One trial: three curves over the trials, and a line of the table of parameters."""
        if self.writer is None or not np.isfinite(row["score"]):
            return
        for curve in ("score", "best", "seconds"):
            self.writer.add_scalar(f"search/{curve}", row[curve], number)
        self.writer.add_hparams(dict(params), {f"validation/{self.name}": row["score"]}, run_name=f"trial_{number:03d}")

    def close(self) -> None:
        """Write what is still in memory."""
        if self.writer is not None:
            self.writer.close()
