#!/bin/sh
# Runs the distribution specification's own conformance suite against a fresh registry.
#
#   registry/tests/conformance.sh SUITE [VERSION]
#
# SUITE is the suite's binary: `go build` of github.com/opencontainers/distribution-spec/conformance.
# VERSION is 1.1 or dev (the default). Fails on any failed and on any skipped check.
set -eu
suite=$1
version=${2:-dev}
port=${PORT:-5511}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
cd "$root"
cargo build --quiet -p cairn-registry --example serve
"${CARGO_TARGET_DIR:-target}/debug/examples/serve" "$work/store" "$port" 2> "$work/serve.log" &
server=$!
trap 'kill -INT $server; wait $server || true; rm -rf "$work"' EXIT
until curl --silent --fail "http://127.0.0.1:$port/readyz"; do
    kill -0 $server
    sleep 0.2
done
OCI_VERSION=$version OCI_REGISTRY=127.0.0.1:$port OCI_TLS=disabled \
    OCI_REPO1=conformance/one OCI_REPO2=conformance/two OCI_RESULTS_DIR=$work/results OCI_LOG=warn \
    "$suite" > "$work/report.txt" || { cat "$work/report.txt"; exit 1; }
grep -E '^ *(Skip|Pass|FAIL|Total)\.' "$work/report.txt"
grep -Eq '^ *Skip\.+: +0$' "$work/report.txt"
