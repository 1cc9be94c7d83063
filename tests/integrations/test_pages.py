from __future__ import annotations

from dataclasses import replace

from integrations.pages import PageRequest

REQUEST = PageRequest("cost_report", "/v1/cost", (("a", "1"), ("group_by[]", "é")))


class TestQueryHash:
    def test_ignores_the_cursor(self):
        assert replace(REQUEST, cursor="page_2").query_hash() == REQUEST.query_hash()

    def test_differs_by_path(self):
        assert replace(REQUEST, path="/v1/usage").query_hash() != REQUEST.query_hash()

    def test_differs_by_every_parameter_and_its_order(self):
        queries = [
            (),
            (("a", "1"),),
            (("a", "2"),),
            (("a", "1"), ("b", "")),
            (("b", ""), ("a", "1")),
            (("a", "1b"),),
        ]

        assert len({replace(REQUEST, query=query).query_hash() for query in queries}) == len(queries)

    def test_stays_what_it_is(self):
        """It is stored beside cursors: a changed hash restarts every window that is being read."""
        assert REQUEST.query_hash() == "30384b79f122f5ffb24dc8988a8cfc3c"
