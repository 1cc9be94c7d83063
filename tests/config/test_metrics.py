from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from workers import lifecycle
from workers.lifecycle import NewConnection

pytestmark = pytest.mark.django_db(transaction=True)


def scrape(client) -> dict[str, float]:
    text = client.get("/metrics").content.decode()
    return {
        sample.name + "".join(f"/{value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def connected(account, simulator) -> str:
    key = simulator.organisations(organisation="acorn-studio")[0]["admin_key"]
    return lifecycle.connect(account, NewConnection(key, label="Secret label"), actor="alice").label


class TestMetrics:
    def test_follow_a_connection_from_backfill_to_rest(self, client, connected, run_due):
        before = scrape(client)
        run_due()
        after = scrape(client)

        assert before["tallystick_connections/backfilling"] == 1
        assert before["tallystick_open_runs/queued/connect"] == before["tallystick_lanes_active"] == 1
        assert after["tallystick_connections/active"] == 1
        assert after["tallystick_lanes_active"] == after["tallystick_lane_overdue_seconds"] == 0
        assert after["tallystick_outbox_waiting"] == 1

    def test_count_what_upstream_says_that_nobody_knows(self, client, connected, simulator, run_due):
        simulator.fault("new_field", times=-1)
        run_due()
        simulator.clear_faults()

        found = scrape(client)

        assert found["tallystick_new_upstream_values/field"] >= 1
        assert found["tallystick_new_upstream_values/unread"] == 0

    def test_without_a_stored_day_no_age_is_told(self, client, connected, run_due):
        before = scrape(client)
        run_due()

        assert "tallystick_newest_answer_age_seconds" not in before
        assert scrape(client)["tallystick_newest_answer_age_seconds"] >= 0

    def test_name_nobody(self, client, connected, account):
        text = client.get("/metrics").content.decode()

        assert connected not in text
        assert "Acorn" not in text
        assert account.name not in text

    def test_cost_a_fixed_number_of_queries(self, client, connected, django_assert_max_num_queries):
        with django_assert_max_num_queries(12):
            client.get("/metrics")
