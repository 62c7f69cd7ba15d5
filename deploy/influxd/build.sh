#!/usr/bin/env bash
# Builds InfluxDB 2.8 (influxd) from its released Go module into the user's cache folder, for
# machines without a container engine. Versions are pinned by go.mod and go.sum beside this file.
# Needs: Go >= 1.24, cargo (any recent stable), a C compiler, pkg-config.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/forewarn"
mkdir -p "$cache"
target="$cache/influxd"

if [ -x "$target" ] && [ "${1:-}" != "--again" ]; then
  echo "influxd is there: $target"
  exit 0
fi
missing=()
for tool in go cargo cc pkg-config; do
  command -v "$tool" >/dev/null || missing+=("$tool")
done
if [ "${#missing[@]}" -gt 0 ]; then
  echo "missing: ${missing[*]}. On Debian and Ubuntu: sudo apt install golang cargo gcc pkg-config" >&2
  exit 1
fi

cd "$here"
# A wrapper that the C step of the build calls; it builds the Rust part (libflux) with cargo.
GOBIN="$cache/influxd-tools" GOFLAGS=-mod=readonly go install github.com/influxdata/pkg-config
# That Rust part denies warnings, of which newer compilers have more.
wrapper="$cache/influxd-tools/rustc-lenient"
printf '#!/bin/sh\nexec "$@" --cap-lints allow\n' >"$wrapper"
chmod +x "$wrapper"

building="$(mktemp "$cache/influxd.XXXXXX")"
trap 'rm -f "$building"' EXIT
PKG_CONFIG="$cache/influxd-tools/pkg-config" RUSTC_WRAPPER="$wrapper" RUSTUP_TOOLCHAIN="${RUSTUP_TOOLCHAIN:-stable}" \
  GOFLAGS=-mod=readonly go build -tags sqlite_foreign_keys,sqlite_json -ldflags "-s -w -X main.version=v2.8.0" \
  -o "$building" github.com/influxdata/influxdb/v2/cmd/influxd
chmod 755 "$building"
mv "$building" "$target"
echo "built $target ($(du -m "$target" | cut -f1) MB) in $SECONDS s"
