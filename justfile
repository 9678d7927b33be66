# The tasks of a working day: the same lines that `.ci/run` runs, one by one.

set shell := ["bash", "-euo", "pipefail", "-c"]

cache := env("CAIRN_CACHE", env("HOME") / ".cache/cairn")
export PATH := cache / "tools/bin:" + env("PATH")
export INSTA_UPDATE := env("INSTA_UPDATE", "no")

# Lists the recipes.
default:
    @just --list --unsorted

# Installs the tools that the other recipes call, at the versions CI uses.
tools:
    @.ci/run tools

# Everything but the tests.
check: tools
    cargo fmt --all --check
    typos
    cargo clippy --workspace --all-targets --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
    cargo-deny --locked check bans licenses sources

# The tests that need nothing but the tree.
test *ARGUMENTS:
    cargo test --workspace --locked --no-fail-fast {{ ARGUMENTS }}

# One crate's tests: `just test-crate spec`.
test-crate NAME *ARGUMENTS:
    cargo test --locked -p {{ if NAME == "cli" { "cairn" } else { "cairn-" + trim_start_match(NAME, "cairn-") } }} {{ ARGUMENTS }}

# All tests, those with real peers included: `just test-peers -E 'test(cosign)'`.
test-peers *ARGUMENTS: tools
    CAIRN_PEERS="$(tests/peers/install)" cargo-nextest nextest run --workspace --locked --run-ignored all --no-fail-fast {{ ARGUMENTS }}

# Installs the peers (all, or those named) and prints their directory.
peers *NAMES:
    @tests/peers/install {{ NAMES }}

# What CI runs.
ci:
    .ci/run

# Gives the parsers of strangers' bytes any bytes, each for so many seconds.
fuzz SECONDS="30": tools
    fuzz/run {{ SECONDS }}

# The way through the README, with the tree's own binary.
quickstart *ARGUMENTS:
    cargo run --locked -p cairn -- quickstart {{ ARGUMENTS }}

# Lints and tests the packs of public charts, which needs the internet, or CAIRN_CHART_MIRRORS.
public-packs:
    cargo run --locked -p cairn -- pack lint $(grep -l 'repository: https' packs/*/*/pack.yaml | xargs dirname)
    cargo run --locked -p cairn -- pack test $(grep -l 'repository: https' packs/*/*/pack.yaml | xargs dirname)

# Writes spec/schemas/ and the tables of docs/registry-configuration.md from the types.
schemas:
    CAIRN_UPDATE_SCHEMAS=1 cargo test --locked -p cairn-tests --test tidy published_schemas_are_current

# Formats the tree.
fmt:
    cargo fmt --all
