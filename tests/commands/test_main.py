import errno
import json
import os
import subprocess
import sys

import click
import pytest

from gair_cli.commands import main as main_module
from gair_cli.commands.main import COMMANDS, cli
from gair_cli.commands.options import parse_bbox
from gair_cli.errors import DataError


def start(*words, **options):
    return subprocess.run(
        [sys.executable, "-m", "gair_cli", *words], capture_output=True, check=False, **options
    )


@pytest.fixture
def failing(monkeypatch):
    """Replace `gair info` by a command that raises the given error."""

    def install(error):
        @click.command("info")
        @click.option("--json", "as_json", is_flag=True)
        def command(as_json):
            del as_json
            raise error

        monkeypatch.setattr(main_module.LazyGroup, "get_command", lambda *_: command)

    return install


def test_help_imports_neither_torch_nor_polars_nor_numpy():
    code = (
        "import sys; from gair_cli.commands.main import main; main(['--help']);"
        "print([name for name in ('torch', 'polars', 'numpy', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_loads_and_its_help_opens_with_an_example(name):
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name
    assert "Example" in (command.help or "")


def test_no_command_imports_torch_when_its_module_is_imported():
    code = (
        "import sys, importlib; from gair_cli.commands.main import COMMANDS\n"
        "for name in COMMANDS: importlib.import_module(f'gair_cli.commands.{name}')\n"
        "print([name for name in ('torch', 'polars', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_option_is_one_error_line_and_one_hint_with_exit_2(gair):
    result = gair("info", "--nonsense")
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("gair: error: ")
    assert "--nonsense" in lines[0]
    assert lines[1] == "hint: see gair info --help"


def test_errors_are_one_line_with_the_exit_code_of_their_kind(gair, failing):
    failing(DataError("no CRS\nin a.tif", hint="pass --assume-crs EPSG:n"))
    result = gair("info")
    assert result.exit_code == 4
    assert result.stderr == "gair: error: no CRS in a.tif\nhint: pass --assume-crs EPSG:n\n"


def test_json_errors_are_one_object_on_stderr(gair, failing):
    failing(DataError("no CRS", hint="pass --assume-crs"))
    result = gair("info", "--json")
    assert json.loads(result.stderr) == {
        "error": "no CRS",
        "hint": "pass --assume-crs",
        "exit_code": 4,
    }
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 1),
        (OSError(errno.EFBIG, "File too large"), 1),
        (FileNotFoundError(errno.ENOENT, "No such file", "a.tif"), 3),
        (OSError(errno.EROFS, "Read-only file system", "tiles.partial"), 3),
        (KeyboardInterrupt(), 130),
        (RuntimeError("something else"), 1),
    ],
)
def test_errors_of_the_system_have_their_own_exit_codes(gair, failing, error, code):
    failing(error)
    result = gair("info")
    assert result.exit_code == code
    assert "Traceback" not in result.stderr
    assert "hint: " in result.stderr


def test_interruption_names_the_command_to_go_on_with(gair, failing):
    failing(KeyboardInterrupt())
    assert "go on with: gair info" in gair("info").stderr


def test_closed_pipe_ends_quietly():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "gair_cli", "--help"],
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_version_is_that_of_the_extension():
    from gair_cli import __version__, _rust

    assert start("--version").stdout.decode().strip() == f"gair, version {__version__}"
    assert _rust.__version__ == __version__


def test_bbox_over_the_antimeridian_is_legal_and_nonsense_is_not():
    assert parse_bbox("170,-20,-170,10") == (170.0, -20.0, -170.0, 10.0)
    with pytest.raises(click.BadParameter, match="four numbers"):
        parse_bbox("1,2,3")
    with pytest.raises(click.BadParameter, match="not below"):
        parse_bbox("1,5,3,2")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_command(gair, shell):
    result = gair("completion", shell)
    assert result.exit_code == 0
    assert "_GAIR_COMPLETE" in result.stdout


def test_doctor_names_every_required_package(gair):
    result = gair("doctor")
    assert result.exit_code == 0
    for name in ("torch", "timm", "polars", "GDAL", "memory", "disk"):
        assert name in result.stdout
