"""`gair doctor`: check this machine."""

from __future__ import annotations

import json

import click

from gair_cli.commands import options


@click.command("doctor")
@options.json_option
def command(as_json: bool) -> int:  # noqa: FBT001 - click hands options over by name
    """Check this machine: packages, GDAL, threads, memory, disk, accelerators.

    \b
    Example:
      gair doctor
    """  # noqa: D301 - click's marker of text to leave as it is
    from gair_cli.machine import examine

    findings = examine()
    if as_json:
        click.echo(json.dumps([finding.as_dict() for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(f"{finding.verdict:5} {finding.subject:12} {finding.detail}")
            if finding.fix:
                click.echo(f"      fix: {finding.fix}")
    return 1 if any(finding.verdict == "fail" for finding in findings) else 0
