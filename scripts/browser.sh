#!/usr/bin/env bash
# Install the browser that the Studio's tests drive, where there is the right to: scripts/browser.sh
# Without it those tests are skipped, and say so.
set -euo pipefail

for name in chromium chromium-browser google-chrome; do
    ! command -v "$name" >/dev/null 2>&1 || exit 0
done
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" -eq 0 ]; then
    echo "Installing Chromium for the Studio's tests ..." >&2
    apt-get update </dev/null >&2 || true
    if DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        -o DPkg::Lock::Timeout=120 chromium </dev/null >&2; then
        exit 0
    fi
fi
echo "Note: no Chromium: the tests of the Studio's page are skipped." \
    "Install it with: sudo apt-get install -y chromium" >&2
