"""A replay rebuilds every report that is read by day, not only the bill; the rest is in tests/workers/test_replay.py."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from costs.models import ActivityFact, CostFact, UsageFact
from tests.sources.conftest import CONSOLE, ENTERPRISE
from workers import replay

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("organisation", [CONSOLE, ENTERPRISE])
def test_every_report_is_equal(filled, organisation):
    connection = filled(organisation)

    result = replay.replay(connection)

    assert result.is_equal
    # Shares of billed amounts are worked out from these rows and are no answer of upstream's.
    facts = CostFact.objects.exclude(source="allocated")
    assert result.totals["facts"].replayed.rows == facts.count() > 0
    assert result.totals["usage"].replayed.rows == UsageFact.objects.count() > 0
    assert result.totals["activity"].replayed.rows == ActivityFact.objects.count()


def test_names_a_changed_count_of_usage_and_of_activity(filled, capsys):
    connection = filled(CONSOLE)
    used, active = UsageFact.objects.first(), ActivityFact.objects.first()
    UsageFact.objects.filter(pk=used.pk).update(output_tokens=F("output_tokens") + 1)
    ActivityFact.objects.filter(pk=active.pk).update(sessions=F("sessions") + 1)

    result = replay.replay(connection)
    with pytest.raises(CommandError):
        call_command("replay", connection=str(connection.pk), json=True)
    told = json.loads(capsys.readouterr().out)["differences"]
    with pytest.raises(CommandError):
        call_command("replay", connection=str(connection.pk))
    text = capsys.readouterr().out

    assert [(each.table, each.day) for each in result.differences] == [
        ("usage", used.day), ("activity", active.day),
    ]  # fmt: skip
    assert {row.row_key for row in result.differences[0].rows} == {bytes(used.row_key).hex()}
    assert [row.side for row in result.differences[1].rows] == ["stored", "replayed"]
    assert [row["amount_usd"] for each in told for row in each["rows"]] == [
        None, None, str(active.estimated_cost_usd), str(active.estimated_cost_usd),
    ]  # fmt: skip
    assert f"only stored   {used.model}  [" in text
