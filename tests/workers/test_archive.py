from __future__ import annotations

import pytest

from integrations.anthropic import endpoints
from integrations.pages import Page as FetchedPage
from integrations.pages import PageRequest
from workers import archive
from workers.clock import database_now
from workers.models import SyncStep

pytestmark = pytest.mark.django_db(transaction=True)


class TestStore:
    @pytest.mark.parametrize(
        ("path", "sent"), [(endpoints.COST_REPORT, "page"), (endpoints.API_KEYS, "after_id")]
    )
    def test_notes_the_cursor_under_the_name_it_was_sent_by(self, connect, path, sent):
        connect()
        step = SyncStep.objects.first()
        request = PageRequest("any", path, (("limit", "1000"),), cursor="c_7")
        page = FetchedPage(request, 200, "req_1", None, b"{}", False, None, None, 0)

        stored = archive.store(step, page, requested_at=database_now())

        stored.refresh_from_db()
        assert stored.query == [["limit", "1000"], [sent, "c_7"]]
