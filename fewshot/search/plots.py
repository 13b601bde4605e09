"""Plots of a search: Optuna's own, and score against cost."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna

from fewshot.files import whole
from fewshot.search.outcome import pareto
from fewshot.search.plan import Plan
from fewshot.search.verdict import done, outcome_of, trials_of


def draw(folder: Path, study: optuna.Study, plan: Plan) -> list[str]:
    """Writes the plots that the trials allow; returns their names."""
    import matplotlib

    matplotlib.use("agg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls its plots experimental
        from optuna.visualization import matplotlib as plots

        names = [parameter.name for parameter in plan.space.parameters if parameter.when is None]
        makers: dict[str, Callable[[], Any]] = {
            "history": lambda: plots.plot_optimization_history(study, target_name="score S"),
            "validations": lambda: plots.plot_intermediate_values(study),
            "slices": lambda: plots.plot_slice(study, params=names, target_name="score S"),
            "importance": lambda: plots.plot_param_importances(
                study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0), params=names
            ),
            "pareto": lambda: _pareto(study),
        }
        return [name for name, make in makers.items() if _save(folder / f"{name}.svg", make)]


def _save(file: Path, make: Callable[[], Any]) -> bool:
    from matplotlib import pyplot

    try:
        make()
        with whole(file) as temporary:
            pyplot.gcf().savefig(temporary, format="svg", bbox_inches="tight")
    except (ValueError, RuntimeError):  # too few trials, or all with the same score
        return False
    finally:
        pyplot.close("all")
    return True


def _pareto(study: optuna.Study) -> None:
    """Score against seconds a task; the area says bytes, the front is filled."""
    from matplotlib import pyplot

    outcomes = {t.user_attrs["slot"]: outcome_of(t) for t in trials_of(study) if done(t)}
    front = pareto(outcomes)
    most = max((each.bytes for each in outcomes.values()), default=0) or 1
    _, axes = pyplot.subplots()
    for slot, each in outcomes.items():
        colour = "tab:blue" if slot in front else "none"
        size = 20 + 280 * each.bytes / most
        axes.scatter(each.seconds_per_task, each.score.mean, s=size, color=colour, edgecolors="tab:blue")
        axes.annotate(str(slot), (each.seconds_per_task, each.score.mean))
    axes.set(xlabel="seconds a task", ylabel="score S", title="trials: front filled, area by adapter size")
    axes.set_xscale("log")
