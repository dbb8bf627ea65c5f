#!/usr/bin/env bash
# Runs every end-to-end test: the lifecycle in one process, and the real programs
# in real processes.
set -euo pipefail
cd "$(dirname "$0")/.."
exec go test -race -count=1 -v ./upstream ./tests/e2e
