#!/bin/sh
# make_venv.sh FOLDER: a virtual environment there with a pip that knows dependency groups; one that works is kept.
set -eu
venv=$1
here=$(dirname "$0")

if ! "$venv/bin/python" -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' </dev/null >/dev/null 2>&1; then
    python=$("$here/find_python.sh")
    echo "Making $venv with $python"
    "$python" -m venv --clear "$venv"
fi
"$venv/bin/python" - <<'END' || "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
import sys, pip
sys.exit(tuple(map(int, pip.__version__.split(".")[:2])) < (25, 1))
END
