"""The picture of a run: its loss and its validation, as `curve.png`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gair_cli.geo.outputs import atomic_file

if TYPE_CHECKING:
    from pathlib import Path

    from gair_cli.training.journal import Journal


def draw_curve(journal: Journal, path: Path) -> None:
    """Draw the losses and, if there are any, the validation figures over the steps.

    Args:
        journal: The run's log.
        path: The PNG, written whole or not at all.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    train, validation = journal.read("train"), journal.read("validation")
    figure = Figure(figsize=(8, 3.5 if not validation else 6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2 if validation else 1, squeeze=False)[:, 0]
    _draw_losses(axes[0], train)
    if validation:
        _draw_recalls(axes[1], validation)
    axes[-1].set_xlabel("step")
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})


def _draw_losses(axes: Any, train: list[dict[str, Any]]) -> None:
    steps = [record["step"] for record in train]
    for name in train[0]["losses"] if train else ():
        axes.plot(steps, [record["losses"].get(name) for record in train], label=name, lw=1)
    axes.set_ylabel("loss")
    axes.grid(alpha=0.3)
    if train:
        axes.legend(fontsize=8)


def _draw_recalls(axes: Any, validation: list[dict[str, Any]]) -> None:
    steps = [record["step"] for record in validation]
    for direction in validation[0]["figures"]:
        recalls = [record["figures"][direction]["R@10"] for record in validation]
        axes.plot(steps, recalls, label=direction, marker="o", ms=3, lw=1)
    axes.set_ylabel("R@10 in percent, held-out")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
