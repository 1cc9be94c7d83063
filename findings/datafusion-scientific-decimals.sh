#!/usr/bin/env bash
# datafusion 55.0.0, text to decimal.
#
# Python writes Decimal("0.0000001") as 1E-7, and so do files that were made with str(). pyarrow's cast and others read that text.
# Seen: DataFusion's cast to DECIMAL(38, 18) refuses '1E-7' with "Cannot cast string", while '0.0000001' is read.
# What helps: write decimals in plain notation, format(amount, "f").
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip --disable-pip-version-check install --quiet datafusion==55.0.0 pyarrow==26.0.1
venv/bin/python - <<'PY'
from decimal import Decimal

import datafusion
import pyarrow as pa

context = datafusion.SessionContext()


def read(text):
    return context.sql(f"SELECT cast('{text}' AS DECIMAL(38, 18)) AS amount").to_pydict()["amount"]


small = Decimal("0.0000001")
assert str(small) == "1E-7"
assert read(format(small, "f")) == [small], "CHANGED: plain notation is not read"
try:
    read(str(small))
except Exception as error:
    assert "Cannot cast string" in str(error), f"CHANGED: {error}"
else:
    raise AssertionError("CHANGED: 1E-7 is read")
assert pa.array([str(small)]).cast(pa.decimal128(38, 18)).to_pylist() == [small], "CHANGED: pyarrow does not read it either"
print("As described: '0.0000001' is a decimal for DataFusion, '1E-7' is none.")
PY
