#!/usr/bin/env bash
# Install what MuJoCo draws with (OpenGL in software) and, if they can be had, a C++ compiler for
# torch.compile and Tesseract for words in pictures: scripts/system-packages.sh [PYTHON]
# Does nothing where all of it is there already.
set -euo pipefail

python=${1:-python3}

leave_out() {
    say "Note: without ${wished[*]}: everything works, but torch.compile (g++) and words in" \
        "pictures (tesseract-ocr) are left out."
}

say() { printf '%s\n' "$@" >&2; }

loads() { "$python" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$1" </dev/null >/dev/null 2>&1; }

needed=()
loads libOSMesa.so.8 || needed+=(libosmesa6)
loads libEGL.so.1 || needed+=(libegl1)
loads libGL.so.1 || needed+=(libgl1)
wished=()
command -v g++ >/dev/null 2>&1 || wished+=(g++)
command -v tesseract >/dev/null 2>&1 || wished+=(tesseract-ocr)

[ $((${#needed[@]} + ${#wished[@]})) -gt 0 ] || exit 0

install() { "${as_root[@]}" apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=120 "$@" </dev/null >&2; }

as_root=(env DEBIAN_FRONTEND=noninteractive)
may_install=no
if command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" -eq 0 ]; then
        may_install=yes
    elif command -v sudo >/dev/null 2>&1 && sudo -n true </dev/null >/dev/null 2>&1; then
        as_root=(sudo -n env DEBIAN_FRONTEND=noninteractive)
        may_install=yes
    fi
fi

if [ "$may_install" = yes ]; then
    say "Installing system packages: ${needed[*]:-} ${wished[*]:-}"
    "${as_root[@]}" apt-get update </dev/null >&2 || true
    if [ ${#needed[@]} -gt 0 ] && ! install "${needed[@]}"; then
        say "Error: apt-get could not install: ${needed[*]}" \
            "MuJoCo needs them to draw the simulated world. Install them, then run make again:" \
            "    sudo apt-get update && sudo apt-get install -y ${needed[*]}"
        exit 1
    fi
    if [ ${#wished[@]} -gt 0 ] && ! install "${wished[@]}"; then
        leave_out
    fi
    exit 0
fi

if [ ${#wished[@]} -gt 0 ]; then
    leave_out
fi
if [ ${#needed[@]} -gt 0 ]; then
    say "Error: missing system libraries, and no right to install them: ${needed[*]}" \
        "MuJoCo needs them to draw the simulated world. Run this, then make again:" \
        "    sudo apt-get update && sudo apt-get install -y ${needed[*]}" \
        "(The names are Debian's and Ubuntu's; elsewhere: Mesa's OSMesa, EGL and GL libraries.)"
    exit 1
fi
