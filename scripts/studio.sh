#!/usr/bin/env bash
# Build the Studio's page, or look its source over: scripts/studio.sh build|lint [--if-node]
# With --if-node a machine without Node.js is told so, and that is all; the page is then the
# plain one that says how to build it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../studio"

task=$1
say() { printf '%s\n' "$@" >&2; }

fits() { node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)'; }

if ! command -v node >/dev/null 2>&1 || ! command -v npm >/dev/null 2>&1 || ! fits; then
    if [ "${2:-}" = --if-node ]; then
        say "Note: no Node.js 20.19 or newer: the Studio's page is not built ($task left out)."
        exit 0
    fi
    say "Error: the Studio is built with Node.js 20.19 or newer, and npm." \
        "Install them, then run make studio again. Everything else of worldreel needs no Node."
    exit 1
fi

if ! cmp -s package-lock.json node_modules/.installed; then
    say "Installing what the Studio is built with ..."
    # the locked versions with their hashes, as npm ci would: that refuses a lock file in which the
    # optional packages of other systems are missing, and npm leaves them out (npm/cli#9342)
    npm install --no-save --no-audit --no-fund --loglevel=error </dev/null >&2
    cp package-lock.json node_modules/.installed
fi
npm run --silent "$task" </dev/null >&2
