# `make check` runs everything that CI runs; each target also stands alone.
.PHONY: check format lint types imports rust docs test
PYTHON := .venv/bin/python
PYTEST_ARGS ?=
PYTEST_JOBS ?= 2
export OMP_NUM_THREADS ?= 2
export MPLBACKEND := Agg

check: lint types imports rust docs test

format:
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .
	cargo fmt --all

lint:
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	cargo fmt --all --check

types:
	.venv/bin/mypy
	$(PYTHON) -m mypy.stubtest gair_cli._rust

imports:
	.venv/bin/lint-imports

rust:
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	cargo clippy --package gair-py --no-default-features --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
	cargo test --package gair-core --package gair-raster --package gair-tables --quiet

docs:
	$(PYTHON) scripts/make_cli_reference.py --check
	.venv/bin/mkdocs build --quiet --strict

test:  # a file of tests stays in one process, and each process has one thread
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n $(PYTEST_JOBS) --dist loadfile $(PYTEST_ARGS)
