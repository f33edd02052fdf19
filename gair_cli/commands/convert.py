"""`gair convert`: a model from one form into another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gair_cli.commands import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gair_cli.models.parity import Agreement

_FORMS = ("gair", "checkpoint", "onnx", "torch", "timm")


@click.command("convert")
@click.argument("source", metavar="IN")
@click.argument("output", metavar="OUT", type=options.PATH)
@click.option(
    "--to",
    "form",
    type=click.Choice(_FORMS),
    help="Form of OUT; default: checkpoint for a name like x.pth, else gair.",
)
@click.option("--check", is_flag=True, help="Compare IN and OUT, output by output.")
@click.option(
    "--golden",
    type=options.PATH,
    metavar="NPZ",
    help="With --check: recorded outputs of the released code to compare with, too.",
)
@click.option("--licence", metavar="TEXT", help="Of a checkpoint's weights.  [CC BY-NC 4.0]")
@options.overwrite_option
@options.quiet_option
def command(
    source: str,
    output: Path,
    form: str | None,
    check: bool,  # noqa: FBT001 - click hands options over by name
    golden: Path | None,
    licence: str | None,
    overwrite: bool,  # noqa: FBT001
    quiet: bool,  # noqa: FBT001
) -> None:
    """Convert a model: the released checkpoint to a model folder and back, or for other runtimes.

    \b
    Examples:
      gair convert checkpoint.pth model/ --check
      gair convert model/ checkpoint.pth
      gair convert run/ onnx/ --to onnx
      gair convert run/ photo-tower/ --to timm

    IN is a checkpoint of the released layout (402 tensors; read without running what a pickle could
    hold) or a model: a folder, a run, a packaged name, hf:org/repo. Every missing, extra or
    mis-shaped tensor is an error. The released weights are CC BY-NC 4.0: not for commercial use;
    the folder and every embedding made with it say so.

    --to onnx and --to torch write a program for each part: encode_rs, encode_sv, encode_location
    and localize, for any batch size. --to timm writes the photo tower as timm reads it.
    """  # noqa: D301 - click's marker of text to leave as it is
    del quiet
    from gair_cli.commands.streams import say
    from gair_cli.models.checkpoint_file import SUFFIXES

    from_checkpoint = Path(source).suffix in SUFFIXES and not Path(source).is_dir()
    chosen = _form(output, form, from_checkpoint=from_checkpoint)
    if golden is not None and not check:
        raise click.UsageError("--golden is for --check")
    plan = _plan(source, chosen, licence, from_checkpoint=from_checkpoint)
    if _is_made(output, plan, overwrite=overwrite):
        say(f"nothing to do: {output} is there already, from the same inputs and options")
    elif from_checkpoint:
        _import(Path(source), output, plan, licence=licence)
    else:
        _export(source, output, chosen, plan)
    if check:
        _check(source, output, chosen, golden, from_checkpoint=from_checkpoint)


def _plan(source: str, form: str, licence: str | None, *, from_checkpoint: bool) -> dict[str, Any]:
    from gair_cli.geo.outputs import fingerprint
    from gair_cli.models.resolve import resolve_model
    from gair_cli.models.weights import model_hash

    given = fingerprint(Path(source)) if from_checkpoint else model_hash(resolve_model(source).path)
    return {"command": "convert", "input": given, "form": form, "licence": licence}


def _is_made(output: Path, plan: dict[str, Any], *, overwrite: bool) -> bool:
    """Tell whether the output is there from the same plan; an empty folder is nobody's output."""
    from gair_cli.geo.outputs import already_made

    is_empty = output.is_dir() and not any(output.iterdir())
    return not is_empty and already_made(output, plan, overwrite=overwrite)


def _form(output: Path, form: str | None, *, from_checkpoint: bool) -> str:
    from gair_cli.errors import UsageError
    from gair_cli.models.checkpoint_file import SUFFIXES

    if from_checkpoint:
        if form not in {None, "gair"} or output.suffix in SUFFIXES:
            raise UsageError(
                "a checkpoint becomes a model folder first", hint="gair convert IN.pth model/"
            )
        return "gair"
    if form is None and output.suffix in SUFFIXES:
        return "checkpoint"
    if form in {None, "gair"}:
        raise UsageError(
            f"IN is a model and {output} would be the same",
            hint="name a checkpoint such as out.pth, or pass --to onnx, torch or timm",
        )
    return str(form)


def _import(source: Path, output: Path, plan: dict[str, Any], *, licence: str | None) -> None:
    from gair_cli.commands.streams import say, wrote
    from gair_cli.geo.outputs import record_made
    from gair_cli.models.convert import RELEASED_LICENCE, import_checkpoint

    stated = licence or RELEASED_LICENCE
    import_checkpoint(source, output, licence=stated)
    record_made(output, plan)
    say(f"these weights are {stated}" + ("" if licence else ": not for commercial use"))
    wrote(output, f"gair embed --model {output} --points points.csv")


def _export(source: str, output: Path, form: str, plan: dict[str, Any]) -> None:
    from gair_cli.commands.streams import wrote
    from gair_cli.geo.outputs import record_made
    from gair_cli.models.convert import export_checkpoint
    from gair_cli.models.resolve import resolve_model

    ref = resolve_model(source)
    if form == "checkpoint":
        export_checkpoint(ref, output)
    else:
        from gair_cli.models.export import export_programs, export_timm
        from gair_cli.models.weights import load_model

        model = load_model(ref)
        if form == "timm":
            export_timm(model, output)
        else:
            export_programs(model, output, "onnx" if form == "onnx" else "torch")
    record_made(output, plan)
    wrote(output)


def _check(
    source: str, output: Path, form: str, golden: Path | None, *, from_checkpoint: bool
) -> None:
    """Compare both sides, print what was found, and fail where they differ."""
    from gair_cli.errors import ModelError
    from gair_cli.models.convert import check_export, compare_outputs, differing_tensors
    from gair_cli.models.parity import recorded_agreements
    from gair_cli.models.resolve import resolve_model
    from gair_cli.models.weights import load_model

    model = resolve_model(output if from_checkpoint else source)
    found: list[tuple[str, Sequence[Agreement]]] = []
    faults: list[str] = []
    if form in {"gair", "checkpoint"}:
        checkpoint = Path(source) if from_checkpoint else output
        wrong = differing_tensors(checkpoint, model)
        faults += [f"{len(wrong)} tensors differ, such as {wrong[0]}"] if wrong else []
        click.echo(f"tensors: {'equal both ways' if not wrong else ', '.join(wrong)}")
        found.append(("checkpoint and model", compare_outputs(checkpoint, model)))
    else:
        found.append((f"{form} and model", check_export(load_model(model), output, form)))
    if golden is not None:
        found.append((f"model and {golden.name}", recorded_agreements(load_model(model), golden)))
    for what, lines in found:
        click.echo(_table(what, lines))
        faults += [f"{what}: {line.output} differs" for line in lines if not line.holds]
    if faults:
        raise ModelError("; ".join(faults))


def _table(what: str, lines: Sequence[Agreement]) -> str:
    rows = [f"{what:<28}{'rows':>6}{'largest difference':>20}{'least cosine':>14}"]
    for line in lines:
        verdict = "" if line.holds else "  DIFFERS"
        rows.append(
            f"  {line.output:<26}{line.rows:>6}{line.worst:>20.1e}{line.cosine:>14.8f}{verdict}"
        )
    return "\n".join(rows)
