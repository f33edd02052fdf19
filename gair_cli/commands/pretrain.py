"""`gair pretrain`: train a model from shards; goes on where it stopped."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from gair_cli.commands import options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gair_cli.training.pretrain import RunReport


@click.command("pretrain")
@click.argument("train", type=options.PATH)
@options.output_option(help_text="Folder of the run.")
@click.option("--preset", metavar="NAME", help="tiny, small, base or paper.  [default: tiny]")
@options.config_option
@options.set_option
@options.device_option
@options.jobs_option
@options.overwrite_option
@options.dry_run_option
@options.quiet_option
def command(train: Path, output: Path, jobs: int | None, dry_run: bool, **given: Any) -> None:  # noqa: FBT001 - click hands options over by name
    """Train a model on the shards in TRAIN, or go on where the same command stopped.

    \b
    Examples:
      gair pretrain train -o run --preset tiny
      gair pretrain train -o run --set recipe.steps=300 --set model.query=bilinear

    Tiles alone make a model of satellite and location, photos alone one of street view and
    location. The same seed, settings and number of threads (-j) give the same weights on a CPU,
    also after a kill.
    """  # noqa: D301 - click's marker of text to leave as it is
    import torch

    from gair_cli.commands.streams import progress, say
    from gair_cli.embedding.towers import pick_device
    from gair_cli.training.pretrain import pretrain
    from gair_cli.training.settings import read_settings

    if jobs is not None:
        torch.set_num_threads(jobs)
    model, recipe = read_settings(given["preset"], given["config"], given["settings"])
    device = pick_device(given["device"])
    if dry_run:
        _dry_run(train, model, recipe)
        return
    with _replaced_named(output), progress(recipe.steps, "pretrain", unit="steps") as advance:
        report = pretrain(
            train,
            output,
            model=model,
            recipe=recipe,
            overwrite=given["overwrite"],
            device=device,
            progress=advance,
        )
    if report.status == "finished":
        say(f"nothing to do: {output} is finished ({report.steps} steps)")
        return
    _write_manifest(output, report, seed=recipe.seed, device=device)
    _finish(report, output)


@contextmanager
def _replaced_named(output: Path) -> Iterator[None]:
    """Say where the replaced run is if the new one does not come to its end."""
    from gair_cli.commands.streams import say
    from gair_cli.training.run_folder import replaced_path

    try:
        yield
    except BaseException:
        if replaced_path(output).exists():
            say(f"the replaced run is at {replaced_path(output)} until the new one is finished")
        raise


def _write_manifest(output: Path, report: RunReport, *, seed: int, device: str) -> None:
    """Write `<output>.gair.json`: how, with what and how long."""
    import sys

    import torch

    from gair_cli import __version__
    from gair_cli.geo.outputs import manifest_path, write_json

    content = {
        "version": __version__,
        "argv": sys.argv,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "device": device,
        "seed": seed,
        "steps": report.steps,
        "started_from_step": report.start,
        "seconds": round(report.seconds, 1),
    }
    write_json(manifest_path(output), content)


def _dry_run(train: Path, model: dict[str, Any], recipe: Any) -> None:
    from gair_cli.commands.streams import say
    from gair_cli.training.pretrain import describe

    for line in describe(train, model=model, recipe=recipe):
        say(line)


def _finish(report: RunReport, output: Path) -> None:
    from gair_cli.commands.streams import say, wrote

    if report.status == "resumed":
        say(f"went on from step {report.start}")
    losses = ", ".join(f"{name} {value:.3f}" for name, value in report.losses.items())
    say(f"{report.steps} steps in {report.seconds:.0f} s; {losses}")
    for direction, figures in report.figures.items():
        if "R@1" not in figures:
            told = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
            say(f"validation {direction}: {told}")
            continue
        say(
            f"validation {direction}: R@1 {figures['R@1']:.1f}, R@10 {figures['R@10']:.1f}, "
            f"median rank {figures['median_rank']:.0f}"
        )
    wrote(output, f"gair embed --points points.csv --model {output} -o embeddings.parquet")
