"""The picture of a run, `curve.png`, and its report, `report.html`: one file, nothing to fetch."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from gair_cli.geo.outputs import atomic_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gair_cli.training.journal import Journal

Records = list[dict[str, Any]]
Panel = Callable[[Any, Records, Records], None]

_MANY: Final = 200
"""Lines of the log that are drawn as they are; more are drawn thin, with their mean on top."""


def draw_curve(journal: Journal, path: Path) -> None:
    """Draw the losses and, if there are any, the validation figures over the steps.

    Args:
        journal: The run's log.
        path: The PNG, written whole or not at all.
    """
    train, validation = journal.read("train"), journal.read("validation")
    panels: list[Panel] = [_draw_losses] + ([_draw_recalls] if _has_recalls(validation) else [])
    content = _png(panels, train, validation)
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def _png(panels: Sequence[Panel], train: Records, validation: Records) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(8, 0.5 + 2.8 * len(panels)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(panels), squeeze=False, sharex=True)[:, 0]
    for axis, draw in zip(axes, panels, strict=True):
        draw(axis, train, validation)
        axis.grid(alpha=0.3)
    axes[-1].set_xlabel("step")
    memory = io.BytesIO()
    figure.savefig(memory, format="png", dpi=110, metadata={"Software": None})
    return memory.getvalue()


def _has_recalls(validation: Records) -> bool:
    return any("R@10" in one for record in validation for one in record["figures"].values())


def _draw_losses(axes: Any, train: Records, _validation: Records) -> None:
    for name in train[0]["losses"] if train else ():
        _line(axes, train, [record["losses"].get(name) for record in train], name)
    axes.set_ylabel("loss")
    if train:
        axes.legend(fontsize=8)


def _draw_recalls(axes: Any, _train: Records, validation: Records) -> None:
    steps = [record["step"] for record in validation]
    for direction, figures in validation[0]["figures"].items():
        if "R@10" in figures:
            recalls = [record["figures"][direction]["R@10"] for record in validation]
            axes.plot(steps, recalls, label=direction, marker="o", ms=3, lw=1)
    axes.set_ylabel("R@10 in percent, held-out")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)


def _draw_norms(axes: Any, train: Records, _validation: Records) -> None:
    for name in train[0].get("gradient_norms", {}) if train else ():
        _line(axes, train, [record["gradient_norms"].get(name) for record in train], name)
    axes.set_ylabel("gradient norm")
    axes.set_yscale("log")
    axes.legend(fontsize=8)


def _draw_rate(axes: Any, train: Records, _validation: Records) -> None:
    _line(axes, train, [record["lr"] for record in train], "learning rate")
    axes.set_ylabel("learning rate")
    beside = axes.twinx()
    _line(beside, train, [record["temperature"] for record in train], "temperature", color="C1")
    beside.set_ylabel("temperature", color="C1")


def _draw_speed(axes: Any, train: Records, _validation: Records) -> None:
    _line(axes, train, [record["samples_per_s"] for record in train], "samples/s")
    axes.set_ylabel("samples/s")
    axes.set_ylim(bottom=0)
    beside = axes.twinx()
    memory = [record.get("memory_mb") for record in train]
    _line(beside, train, memory, "memory", color="C1")
    beside.set_ylabel("memory, MiB", color="C1")
    beside.set_ylim(bottom=0)


def _line(axes: Any, train: Records, values: Sequence[Any], label: str, **style: Any) -> None:
    """Draw one curve; a long one thin, with its running mean on top."""
    steps = [record["step"] for record in train]
    if len(values) <= _MANY or any(value is None for value in values):
        axes.plot(steps, values, label=label, lw=1, **style)
        return
    import numpy as np  # noqa: PLC0415

    window = len(values) // (_MANY // 4)
    mean = np.convolve(values, np.full(window, 1 / window), mode="valid")
    (thin,) = axes.plot(steps, values, lw=0.4, alpha=0.4, **style)
    axes.plot(steps[window - 1 :], mean, label=label, lw=1.2, color=thin.get_color())


_PAGE: Final = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>gair run {name}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem;
       color: #1c2733; background: #fff; }}
h1 {{ font-size: 1.5rem; }} h2 {{ font-size: 1.1rem; margin-top: 2rem; }}
table {{ border-collapse: collapse; margin: .5rem 0; display: block; overflow-x: auto; }}
th, td {{ text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #d8dee4;
         font-variant-numeric: tabular-nums; white-space: nowrap; }}
td + td, th + th {{ text-align: right; }}
img {{ max-width: 100%; }}
pre {{ background: #f6f8fa; padding: .8rem; overflow-x: auto; font-size: 13px; }}
</style></head><body>
<h1>Run {name}</h1>
{summary}
<h2>Curves</h2>
<img alt="Losses, validation, gradient norms, learning rate and speed over the steps"
 src="data:image/png;base64,{picture}">
<h2>Validation of the last checkpoint</h2>
{validation}
<h2>Skipped steps</h2>
{skipped}
<h2>Settings</h2>
<pre>{settings}</pre>
</body></html>
"""


def write_report(
    journal: Journal, path: Path, *, name: str, summary: Mapping[str, Any], settings: str
) -> None:
    """Write a run's report.

    Args:
        journal: The run's log.
        path: The HTML file, written whole or not at all.
        name: Of the run.
        summary: What is told first, by name.
        settings: The effective settings, as TOML.
    """
    train, validation = journal.read("train"), journal.read("validation")
    panels: list[Panel] = [_draw_losses]
    panels += [_draw_recalls] if _has_recalls(validation) else []
    panels += [_draw_norms, _draw_rate, _draw_speed] if train else []
    content = _PAGE.format(
        name=html.escape(name),
        summary=_table([("", ""), *summary.items()]),
        picture=base64.b64encode(_png(panels, train, validation)).decode(),
        validation=_figures(validation),
        skipped=_skipped(journal.read("skipped")),
        settings=html.escape(settings),
    )
    with atomic_file(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def _table(rows: Sequence[Sequence[Any]]) -> str:
    """Return an HTML table; the first row is its head."""
    cells = [[html.escape(_text(cell)) for cell in row] for row in rows]
    head, *body = cells
    lines = ["<table>"]
    if any(head):
        lines.append(f"<tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr>")
    lines += [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in body]
    return "\n".join([*lines, "</table>"])


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)


def _figures(validation: Records) -> str:
    if not validation:
        return "<p>There was none: the shards have no rows of split val.</p>"
    figures = validation[-1]["figures"]
    names = list(dict.fromkeys(name for one in figures.values() for name in one))
    rows = [[which, *(one.get(name, "") for name in names)] for which, one in figures.items()]
    return _table([[f"step {validation[-1]['step']}", *names], *rows])


def _skipped(records: Records) -> str:
    if not records:
        return "<p>None.</p>"
    rows = [(record["step"], ", ".join(record["sample_ids"][:4]) + "...") for record in records]
    return _table([("step", "first sample ids"), *rows])
