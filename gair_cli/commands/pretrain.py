"""`gair pretrain`: train a model from shards; goes on where it stopped."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from gair_cli.commands import options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gair_cli.training.config import Recipe
    from gair_cli.training.pretrain import RunReport


@click.command("pretrain")
@click.argument("train", type=options.PATH)
@options.output_option(required=False, help_text="Folder of the run; needed to train.")
@click.option("--preset", metavar="NAME", help="tiny, small, base or paper.  [default: tiny]")
@options.config_option
@options.set_option
@options.device_option
@options.jobs_option
@options.overwrite_option
@click.option(
    "--profile", "profile_steps", type=click.IntRange(min=1), metavar="STEPS", default=None,
    help="Record where the time of some steps goes, into OUTPUT/profile.",
)  # fmt: skip
@click.option(
    "--find-batch", is_flag=True,
    help="Time doubling batch sizes and name the best; nothing is written.",
)  # fmt: skip
@click.option(
    "--log-to", "trackers", type=click.Choice(["tensorboard", "wandb", "trackio"]), multiple=True,
    help="Send losses and validation there, too; may be repeated.",
)  # fmt: skip
@options.dry_run_option
@options.quiet_option
def command(output: Path | None, jobs: int | None, **given: Any) -> None:
    """Train a model on the shards in TRAIN, or go on where the same command stopped.

    \b
    Examples:
      gair pretrain train -o run --preset tiny
      gair pretrain train -o run --set recipe.steps=300 --set model.query=bilinear
      gair pretrain train --preset base --find-batch
      torchrun --nproc-per-node 8 -m gair_cli pretrain train -o run --preset base

    Tiles alone make a model of satellite and location, photos alone one of street view and
    location. The same seed, settings and number of threads (-j) give the same weights on a CPU,
    also after a kill. SIGUSR1 writes a checkpoint, Ctrl-C and SIGTERM write one and stop.
    """  # noqa: D301 - click's marker of text to leave as it is
    import torch

    from gair_cli.embedding.towers import pick_device
    from gair_cli.errors import UsageError
    from gair_cli.training.processes import device_of_process
    from gair_cli.training.settings import read_settings

    if jobs is not None:
        torch.set_num_threads(jobs)
    train = given["train"]
    model, recipe = read_settings(given["preset"], given["config"], given["settings"])
    device = device_of_process(pick_device(given["device"]))
    if given["dry_run"]:
        _dry_run(train, model, recipe)
    elif given["find_batch"]:
        _find_batch(train, model, recipe, device=device)
    elif output is None:
        raise UsageError("a run needs a folder", hint="pass -o FOLDER")
    else:
        _train(train, output, model, recipe, device=device, given=given)


def _train(
    train: Path, output: Path, model: dict[str, Any], recipe: Recipe, *, device: str,
    given: dict[str, Any],
) -> None:  # fmt: skip
    """Train, and say what came of it; only the first process speaks."""
    from gair_cli.commands.streams import progress, say
    from gair_cli.training.pretrain import pretrain
    from gair_cli.training.processes import started_processes

    first = started_processes()[0] == 0
    shown = progress(recipe.steps, "pretrain", unit="steps") if first else nullcontext(None)
    with _replaced_named(output), shown as advance:
        report = pretrain(
            train,
            output,
            model=model,
            recipe=recipe,
            overwrite=given["overwrite"],
            device=device,
            progress=advance,
            profile_steps=given["profile_steps"] or 0,
            trackers=given["trackers"],
        )
    if not first:
        return
    if report.status == "finished":
        say(f"nothing to do: {output} is finished ({report.steps} steps)")
        return
    _write_manifest(output, report, seed=recipe.seed, device=device)
    _finish(report, output)
    profiled = output / "profile" / "table.txt"
    if given["profile_steps"] and profiled.exists():
        say(profiled.read_text(encoding="utf-8").rstrip())
        say(f"wrote {profiled.parent}; chrome://tracing and Perfetto show trace.json")


def _find_batch(train: Path, model: dict[str, Any], recipe: Recipe, *, device: str) -> None:
    """Print a line a size, and the setting to use."""
    from gair_cli.commands.streams import say
    from gair_cli.training.find_batch import Trial, best, try_sizes

    def told(trial: Trial) -> None:
        speed = "out of memory" if trial.samples_per_s is None else f"{trial.samples_per_s:10.1f}"
        click.echo(f"{trial.batch_size:10} {speed:>13} {trial.memory_mb:10}")

    click.echo(f"{'batch_size':>10} {'samples/s':>13} {'memory MiB':>10}")
    found = best(try_sizes(train, model=model, recipe=recipe, device=device, told=told))
    if found is not None:
        say(f"the largest within 2 % of the fastest: --set recipe.batch_size={found.batch_size}")


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
    import time

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
        "cpu_seconds": round(time.process_time(), 1),
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
        if report.note:
            say(report.note)
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
