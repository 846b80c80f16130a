#!/usr/bin/env bash
# Publish a release, and where they are named a Space and the metric, to the Hub: what `.github/workflows/hub.yml` runs.
# RELEASE and REPOSITORY must be set; SPACE, METRIC, LICENCE and FROM_HUB may be empty. Other options are passed on.
set -euo pipefail
cd "$(dirname "$0")/../.."

arguments=("--repo=${REPOSITORY:?}")
if [ -n "${FROM_HUB:-}" ]; then arguments+=("--from-hub=$FROM_HUB"); else arguments+=(--submissions=submissions); fi
if [ -n "${SPACE:-}" ]; then arguments+=("--space=$SPACE"); fi
if [ -n "${METRIC:-}" ]; then arguments+=("--metric=$METRIC"); fi
if [ -n "${LICENCE:-}" ]; then arguments+=("--licence=$LICENCE"); fi
exec "${IGBO_ALIGN:-.venv/bin/igbo-align}" publish "${arguments[@]}" "$@" -- "${RELEASE:?}"
