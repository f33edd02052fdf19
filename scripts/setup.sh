# Sourced by quickstart and test: checks versions, installs what is missing, builds. Each step says
# what it does, and does nothing when nothing changed.
# shellcheck shell=bash

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cache="${GAIR_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/gair}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/cargo-target}"
export PIP_CACHE_DIR="${PIP_CACHE_DIR:-$cache/pip}" PIP_DISABLE_PIP_VERSION_CHECK=1
# shellcheck disable=SC1091
[ ! -f "$HOME/.cargo/env" ] || . "$HOME/.cargo/env"

step() { printf '\n== %s\n' "$*" >&2; }
fail() { printf 'error: %s\nhint: %s\n' "$1" "$2" >&2; exit 1; }

at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

find_python() {
  local candidate
  for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null &&
      "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

check_versions() {
  python=$(find_python) || fail "Python 3.11 or newer is not here" "apt-get install python3"
  command -v cargo >/dev/null || fail "no Rust toolchain is here" \
    "install one with rustup (see rustup.rs): Debian 12's own rustc is too old"
  local wanted found
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  found=$(rustc --version | cut -d ' ' -f 2)
  at_least "$wanted" "$found" || fail "Rust $found is older than $wanted" "rustup update stable"
  step "Python $("$python" -c 'import platform; print(platform.python_version())'), Rust $found"
}

# install_system_packages [PACKAGE...]: what building needs, and what else is named.
install_system_packages() {
  local missing=() package
  for package in libgdal-dev pkg-config gcc g++ make "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
      missing+=("$package")
  done
  "$python" -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
  [ ${#missing[@]} -gt 0 ] || return 0
  step "installing ${missing[*]} with apt-get"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "root is needed for apt-get" \
      "as root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
}

sources_hash() {
  { echo "$1"; "$python" --version; sha256sum pyproject.toml Cargo.toml Cargo.lock; pwd
    find rust_ext -type f \( -name '*.rs' -o -name Cargo.toml \) -print0 | sort -z |
      xargs -0 sha256sum; } | sha256sum | cut -d ' ' -f 1
}

# build [EXTRAS]: the virtual environment with gair (editable) and the named extras.
build() {
  local extras=() stamp=.venv/.gair-built-${1:-plain} now
  [ -z "${1:-}" ] || extras=(--extras "$1")
  now=$(sources_hash "${1:-}")
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$now" ] &&
    .venv/bin/python -c 'from gair_cli import _rust' 2>/dev/null; then
    step "the build in .venv is up to date"
    return
  fi
  if [ ! -x .venv/bin/python ]; then
    step "making the virtual environment .venv"
    "$python" -m venv .venv
  fi
  step "installing Python packages and building the Rust extension" \
    "(minutes the first time: PyTorch is about 3 GB)"
  mkdir -p "$cache"
  local words=$cache/build.log
  if ! { .venv/bin/python -m pip install -q 'maturin>=1.9,<2' &&
    VIRTUAL_ENV="$PWD/.venv" .venv/bin/maturin develop --release "${extras[@]}"; } >"$words" 2>&1; then
    tail -n 30 "$words" >&2
    fail "the build failed" "all its words are in $words"
  fi
  echo "$now" >"$stamp"
}

# set_up [EXTRAS [PACKAGE...]]: everything, with extras of gair and packages of the system.
set_up() {
  check_versions
  install_system_packages "${@:2}"
  build "${1:-}"
  export PATH="$PWD/.venv/bin:$PATH"
}
