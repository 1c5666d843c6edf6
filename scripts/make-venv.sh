#!/usr/bin/env bash
# Make a virtual environment: scripts/make-venv.sh FOLDER [PYTHON]
# Takes PYTHON (default python3), or the first newer one on PATH where that is too old.
set -euo pipefail

folder=$1
wanted=${2:-python3}

say() { printf '%s\n' "$@" >&2; }

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' </dev/null >/dev/null 2>&1
}

if ! command -v "$wanted" >/dev/null 2>&1; then
    say "Error: there is no program $wanted." \
        "Install Python 3.11 or newer (Debian, Ubuntu: apt-get install python3 python3-venv)," \
        "or name one: make PYTHON=python3.12"
    exit 1
fi

python=
for candidate in "$wanted" python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null 2>&1 && is_new_enough "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    say "Error: $wanted is $("$wanted" --version 2>&1 </dev/null); worldreel needs Python 3.11 or newer." \
        "Install a newer Python, or name one: make PYTHON=python3.12"
    exit 1
fi

if ! "$python" -c 'import ensurepip, venv' </dev/null >/dev/null 2>&1; then
    minor=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' </dev/null)
    say "Error: $python has no venv module." \
        "Install it (Debian, Ubuntu: apt-get install python$minor-venv), then run make again."
    exit 1
fi

# An environment that was left half made, or whose Python is gone, is made again.
if [ -e "$folder" ] && ! { is_new_enough "$folder/bin/python" &&
    "$folder/bin/python" -m pip --version </dev/null >/dev/null 2>&1; }; then
    "$python" -m venv --clear "$folder" </dev/null
elif [ ! -e "$folder" ]; then
    "$python" -m venv "$folder" </dev/null
fi
