#!/usr/bin/env bash
# duckdb 2.0.1 with pyarrow 26.0.1, several Parquet files in one read.
#
# Two files have the same column, a decimal(38, 2) in one and a decimal(38, 6) in the other.
# Seen: read_parquet of both has the type of the file that is named first. 0.000001 of the second becomes 0.00, without an error
# or a warning, also with union_by_name. In the other order nothing is lost.
# What helps: one decimal type for all files of an export; else cast each file by itself before UNION ALL.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip --disable-pip-version-check install --quiet duckdb==2.0.1 pyarrow==26.0.1
venv/bin/python - <<'PY'
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

for name, scale, amount in (("two", 2, "1.25"), ("six", 6, "0.000001")):
    pq.write_table(pa.table({"amount": pa.array([Decimal(amount)], pa.decimal128(38, scale))}), f"{name}.parquet")


def total(files, options=""):
    return duckdb.sql(f"SELECT sum(amount) FROM read_parquet({files}{options})").fetchall()[0][0]


assert total(["two.parquet", "six.parquet"]) == Decimal("1.25"), "CHANGED: digits of the second file are kept, or refused"
assert total(["two.parquet", "six.parquet"], ", union_by_name = true") == Decimal("1.25"), "CHANGED: by name they are kept"
assert total(["six.parquet", "two.parquet"]) == Decimal("1.250001"), "CHANGED: the other order loses digits, too"
print("As described: 1.25 + 0.000001 is 1.25 or 1.250001, as the files are named.")
PY
