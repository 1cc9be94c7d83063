#!/usr/bin/env bash
# celery 5.6.3 and kombu 5.7.0 with redis 8.1.0, installed side by side.
#
# kombu's Redis transport imports `packaging`. Only the extra kombu[redis] (or celery[redis]) brings it.
# Seen: after `pip install celery redis` the first use of a redis:// broker ends with "No module named 'packaging'". Where a test or
# build tool is installed as well, packaging is there by chance, so development works and the lean production image does not.
# What helps: ask for celery[redis], not for celery and redis.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
for name in beside extra; do python3 -m venv "$name"; done
beside/bin/python -m pip --disable-pip-version-check install --quiet celery==5.6.3 kombu==5.7.0 redis==8.1.0
extra/bin/python -m pip --disable-pip-version-check install --quiet "celery[redis]==5.6.3" kombu==5.7.0 redis==8.1.0
use="from celery import Celery; Celery(broker='redis://127.0.0.1:6379/0').connection().transport"
if beside/bin/python -c "$use" 2>log; then
  echo "CHANGED: the transport can be used without the extra."
  exit 1
fi
grep -q "No module named 'packaging'" log || { echo "CHANGED: it fails for another reason:"; tail -1 log; exit 1; }
extra/bin/python -c "$use" || { echo "CHANGED: it cannot be used with the extra either."; exit 1; }
echo "As described: celery and redis side by side lack 'packaging', celery[redis] has it."
