"""Fixtures of all tests: the real data, and the command line run in this process."""

from __future__ import annotations

import io
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

# shells start background jobs with Ctrl-C ignored, and programs that tests start inherit it
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


def _folder(variable: str, default: Path) -> Path:
    folder = Path(os.environ.get(variable, default))
    if not folder.is_dir():
        message = f"{folder} is absent; set {variable} to the folder of real test data"
        if os.environ.get("GAIR_REQUIRE_DATA") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real test data; the test is skipped without it, and fails in CI."""
    return _folder("GAIR_TEST_DATA", SHARED / "data")


@pytest.fixture(scope="session")
def parity_data() -> Path:
    """Folder of the released model's recorded outputs."""
    return _folder("GAIR_TEST_PARITY", SHARED / "parity")


@dataclass(frozen=True)
class Result:
    exit_code: int
    stdout_bytes: bytes
    stderr: str

    @property
    def stdout(self) -> str:
        return self.stdout_bytes.decode()


class _Pipe(io.TextIOWrapper):
    def isatty(self) -> bool:
        return False


@pytest.fixture
def gair(monkeypatch):
    """Run `gair WORDS...` in this process, as in a pipe; `stdin=` gives bytes."""

    def run(*words: object, stdin: bytes | None = None) -> Result:
        from gair_cli.commands.main import main

        out, err = _Pipe(io.BytesIO(), encoding="utf-8"), _Pipe(io.BytesIO(), encoding="utf-8")
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            if stdin is not None:
                patch.setattr(sys, "stdin", _Pipe(io.BytesIO(stdin), encoding="utf-8"))
            code = main([str(word) for word in words])
            out.flush()
            err.flush()
        return Result(code, out.buffer.getvalue(), err.buffer.getvalue().decode())

    return run


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """A model folder with random weights: three towers, two bands of 32 px, D = 16."""
    from gair_cli.data.transforms import RsInput, SvInput
    from gair_cli.models.config import LocationConfig, ModelConfig, RsConfig, SvConfig
    from gair_cli.models.gair import new_model
    from gair_cli.models.weights import save_model

    bands = RsInput(("B2", "B8"), (1000.0, 2000.0), (300.0, 500.0), size=32, nodata=0.0)
    config = ModelConfig(
        dim=16,
        rs=RsConfig(bands, patch=8, width=24, depth=1, heads=2),
        sv=SvConfig(SvInput(32, 32), "test_resnet"),
        location=LocationConfig((1.0, 16.0), frequencies=8, hidden=16, depth=1, width=20),
    )
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_model(new_model(config, seed=3), folder, extra={"licence": "CC0-1.0"})
    return folder
