from __future__ import annotations

import json
from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from foundation.periods import DayRange
from tests.integrations.reports.answers import PAYLOADS, THREE_DAYS, described, expected, recorded
from tests.integrations.reports.reading import ALL, total

NAMES = sorted(path.name.partition(".")[0] for path in PAYLOADS.glob("*.expected.json"))
COSTS = [name for name in NAMES if ALL[name].kind == "cost"]
A_DAY = DayRange(date(2026, 11, 17), date(2026, 11, 18))


def window_of(name):
    return A_DAY if ALL[name].max_window_days == 1 else THREE_DAYS


def find_all(document: Any, field: str) -> list[Any]:
    """Every value of a field, wherever it stands."""
    if isinstance(document, list):
        return [found for each in document for found in find_all(each, field)]
    if not isinstance(document, dict):
        return []
    nested = [found for value in document.values() for found in find_all(value, field)]
    return [*([document[field]] if field in document else []), *nested]


@pytest.mark.parametrize("name", NAMES)
class TestRecordedPages:
    def test_become_the_expected_records(self, name):
        assert described(ALL[name].read(window_of(name), recorded(name))) == expected(name)

    def test_become_records_of_their_stream(self, name):
        spec = ALL[name]

        reading = spec.read(window_of(name), recorded(name))

        assert {(record.source, record.origin) for record in reading.records} <= {(name, spec.origin)}

    def test_may_come_in_any_order(self, name):
        spec, pages = ALL[name], recorded(name)
        reading = spec.read(window_of(name), pages)

        turned = spec.read(window_of(name), pages[::-1])

        assert sorted(map(repr, turned.records)) == sorted(map(repr, reading.records))
        assert sorted(map(repr, turned.names)) == sorted(map(repr, reading.names))
        assert (turned.covered, turned.as_of) == (reading.covered, reading.as_of)

    def test_fill_no_column_that_the_stream_does_not_name(self, name):
        """The last record of a classic page stands for fields that may come one day."""
        spec = ALL[name]
        documented = [
            record for record in spec.read(window_of(name), recorded(name)).records if not record.extra
        ]

        filled = {
            column
            for record in documented
            for column in record.KEY
            if getattr(record, column) is not None and column not in MAY_COME.get(name, ())
        }

        assert filled <= spec.dimensions


# Columns that a query does not ask for, shown here because the row has room for them.
MAY_COME = {"usage_report": {"context_window", "inference_geo", "speed"}}


@pytest.mark.parametrize("name", COSTS)
def test_the_sum_of_the_recorded_cents_is_kept(name):
    cents = [amount for page in recorded(name) for amount in find_all(json.loads(page), "amount")]

    reading = ALL[name].read(THREE_DAYS, recorded(name))

    assert total(record.amount_usd for record in reading.records) == sum(map(Fraction, cents)) / 100
