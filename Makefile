# `make check` runs everything that CI runs; each target also stands alone.
.PHONY: check format lint types imports rust docs test
PYTHON := .venv/bin/python
PYTEST_ARGS ?=
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

test:
	$(PYTHON) -m pytest $(PYTEST_ARGS)
