#!/bin/sh
# Print the first Python >= 3.11 that really runs and can make a virtual environment. PYTHON=... overrides the search.
# A name on PATH proves nothing (a version manager's stub exists and fails), so every candidate is run.
set -u

works() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' </dev/null >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
    works "$PYTHON" && { printf '%s\n' "$PYTHON"; exit 0; }
    printf 'PYTHON=%s cannot be used: milo needs Python 3.11 or newer with the modules venv and ensurepip.\n' "$PYTHON" >&2
    printf 'Give the path of another one, or leave PYTHON unset to have one searched.\n' >&2
    exit 1
fi

home=${HOME:-/nonexistent}
for name in python3.14 python3.13 python3.12 python3.11 python3 python; do
    IFS=:
    for folder in ${PATH:-/usr/local/bin:/usr/bin:/bin}; do
        unset IFS
        [ -x "$folder/$name" ] && works "$folder/$name" && { printf '%s\n' "$folder/$name"; exit 0; }
    done
    unset IFS
done
for python in "${PYENV_ROOT:-$home/.pyenv}"/versions/*/bin/python "$home"/.local/share/uv/python/*/bin/python \
    "$home"/.asdf/installs/python/*/bin/python; do
    [ -x "$python" ] && works "$python" && { printf '%s\n' "$python"; exit 0; }
done

printf '%s\n' >&2 'No Python >= 3.11 found that runs and can make a virtual environment.' \
    'Install one (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python),' \
    'or name one: make PYTHON=/path/to/python3.13 ...'
exit 1
