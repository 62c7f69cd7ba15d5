#!/usr/bin/env bash
# Builds Telegraf, the peer of the benchmarks, with only the plug-ins they use, into the user's cache
# folder. Versions are pinned by go.mod and go.sum beside this file. Needs Go >= 1.24.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/forewarn"
mkdir -p "$cache"
target="$cache/telegraf"
if [ -x "$target" ]; then
  echo "telegraf is there: $target"
  exit 0
fi
command -v go >/dev/null || { echo "missing: go. On Debian and Ubuntu: sudo apt install golang" >&2; exit 1; }
cd "$here"
building="$(mktemp "$cache/telegraf.XXXXXX")"
trap 'rm -f "$building"' EXIT
GOFLAGS=-mod=readonly go build \
  -tags custom,inputs.mqtt_consumer,outputs.influxdb_v2,outputs.discard,parsers.influx,parsers.json_v2 \
  -ldflags "-s -w" -o "$building" github.com/influxdata/telegraf/cmd/telegraf
chmod 755 "$building"
mv "$building" "$target"
echo "built $target ($(du -m "$target" | cut -f1) MB) in $SECONDS s"
