#!/usr/bin/env bash
# polars 2.1.0, concat of frames with decimals of different scales.
#
# Two frames have a column of decimals: one with 2 decimals, one with 6. Their concatenation has the type of the first frame.
# Seen: pl.concat([first, second]) turns 0.000001 into 0.00, without an error or a warning. In the other order nothing is lost.
# scan_parquet of two such files raises an error, and concat with how="vertical_relaxed" takes the wider type.
# What helps: how="vertical_relaxed"; or one decimal type for all files of an export.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip --disable-pip-version-check install --quiet polars==2.1.0
venv/bin/python - <<'PY'
from decimal import Decimal

import polars as pl

first = pl.DataFrame({"amount": [Decimal("1.25")]}, schema={"amount": pl.Decimal(38, 2)})
second = pl.DataFrame({"amount": [Decimal("0.000001")]}, schema={"amount": pl.Decimal(38, 6)})
total = lambda frame: sum(frame["amount"].to_list())
assert total(pl.concat([first, second])) == Decimal("1.25"), "CHANGED: the digits of the second frame are kept, or refused"
assert total(pl.concat([second, first])) == Decimal("1.250001"), "CHANGED: the other order loses digits, too"
assert total(pl.concat([first, second], how="vertical_relaxed")) == Decimal("1.250001"), "CHANGED: relaxed loses digits, too"
print("As described: 1.25 + 0.000001 is 1.25 after concat, and 1.250001 with how='vertical_relaxed'.")
PY
