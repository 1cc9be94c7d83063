#!/usr/bin/env bash
# pip 22.3.1 (the one that Python 3.11.1 bundles), requirements with hashes.
#
# A requirements file pins every project with its hash. One of them, pytest-cov, asks for another with an extra: coverage[toml].
# Seen: pip does not see that the pin of coverage is meant. It looks for coverage[toml] among all releases, finds the newest one,
# which has no hash in the file, and refuses the whole file. The same file installs with pip 23.3 and later.
# So a complete lock installs on the day it is made and stops when coverage has its next release.
# What helps on every pip: --no-deps, because a complete lock needs nothing resolved.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv old && old/bin/python -m pip --disable-pip-version-check install --quiet pip==22.3.1
python3 -m venv new && new/bin/python -m pip --disable-pip-version-check install --quiet pip==25.3
new/bin/python -m pip --disable-pip-version-check download --quiet --dest wheels \
  coverage==7.10.0 pytest-cov==6.2.1 pytest==8.4.1 pluggy==1.6.0 iniconfig==2.1.0 packaging==25.0 pygments==2.19.2
new/bin/python - <<'PY'
import hashlib, pathlib
with open("locked.txt", "w") as locked:
    for wheel in sorted(pathlib.Path("wheels").glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        locked.write(f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
PY

try() { # interpreter, further options
  local python="$1"
  shift
  "$python" -m pip --disable-pip-version-check install --dry-run --require-hashes "$@" -r locked.txt >log 2>&1
}

if try old/bin/python; then
  echo "CHANGED: pip 22.3.1 takes the pin of coverage for coverage[toml]."
  exit 1
fi
grep -q "coverage.*\[toml\]" log || { echo "CHANGED: it refuses for another reason:"; cat log; exit 1; }
try new/bin/python || { echo "CHANGED: pip 25.3 refuses the file, too:"; cat log; exit 1; }
try old/bin/python --no-deps || { echo "CHANGED: --no-deps does not help:"; cat log; exit 1; }
echo "As described: pip 22.3.1 refuses a complete lock with hashes, pip 25.3 takes it, and so does 22.3.1 with --no-deps."
