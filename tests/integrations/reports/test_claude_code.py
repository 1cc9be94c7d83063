from __future__ import annotations

from datetime import date

import pytest

from foundation.periods import DayRange
from integrations.anthropic.reports.claude_code import claude_code_request, read_claude_code
from integrations.errors import Fate, Reason
from tests.integrations.reports.answers import THREE_DAYS, body, refusal

A_DAY = DayRange(date(2026, 11, 17), date(2026, 11, 18))


def model(amount=1, currency="USD", **tokens):
    return {"model": "m", "tokens": tokens, "estimated_cost": {"amount": amount, "currency": currency}}


def row(**fields):
    return {
        "date": "2026-11-17T00:00:00Z",
        "actor": {"type": "user_actor", "email_address": "dev@example.com"},
        "core_metrics": {
            "num_sessions": 1,
            "lines_of_code": {"added": 2, "removed": 3},
            "commits_by_claude_code": 4,
            "pull_requests_by_claude_code": 5,
        },
        "tool_actions": {},
        "model_breakdown": [],
        **fields,
    }


def read(*rows):
    return read_claude_code(A_DAY, [body(*rows)])


class TestClaudeCodeRequest:
    def test_asks_for_one_day(self):
        assert claude_code_request(A_DAY).query == (("starting_at", "2026-11-17"), ("limit", "1000"))

    def test_cannot_ask_for_more(self):
        with pytest.raises(ValueError, match="day by day"):
            claude_code_request(THREE_DAYS)


class TestReadClaudeCode:
    def test_covers_a_day_on_which_nobody_worked(self):
        reading = read()

        assert (reading.records, reading.covered) == ([], {date(2026, 11, 17)})

    @pytest.mark.parametrize(
        ("actor", "found"),
        [
            ({"type": "user_actor", "email": "a@example.com"}, ("user_actor", "a@example.com")),
            ({"type": "api_actor", "api_key_name": "ci-bot"}, ("api_actor", "ci-bot")),
            ({"type": "user_actor"}, ("user_actor", None)),
            ({"type": "robot_actor", "robot_id": "r_1"}, ("robot_actor", '{"robot_id":"r_1"}')),
        ],
    )
    def test_knows_people_by_address_and_keys_by_name(self, actor, found):
        record = read(row(actor=actor)).records[0]

        assert (record.actor_type, record.actor_id) == found

    @pytest.mark.parametrize(
        ("amounts", "usd"),
        [([129.4], "1.294"), ([1, 2.5], "0.035"), ([1e-7], "1E-9"), ([-3], "-0.03"), ([], "0")],
    )
    def test_reads_cents_from_json_numbers(self, amounts, usd):
        record = read(row(model_breakdown=[model(amount) for amount in amounts])).records[0]

        assert str(record.estimated_cost_usd) == usd

    def test_adds_up_a_model_that_is_listed_twice(self):
        record = read(row(model_breakdown=[model(input=1, output=2), model(input=10)])).records[0]

        assert record.model_tokens == {"m.input": 11, "m.output": 2}

    def test_keeps_remote_and_local_work_apart(self):
        records = read(row(is_remote=True), row(is_remote=False), row()).records

        assert [record.is_remote for record in records] == ["true", "false", None]

    @pytest.mark.parametrize(
        ("fields", "kept"),
        [
            ({"actor": None}, {"actor": "absent"}),
            ({"is_remote": "yes"}, {}),
            ({"is_remote": 1}, {"is_remote": 1}),
            ({"customer_type": 1}, {"customer_type": 1}),
            ({"tool_actions": {"edit_tool": {"accepted": -1}}}, {"tool_actions.edit_tool.accepted": -1}),
            ({"tool_actions": {"edit_tool": 3}}, {"edit_tool": 3}),
            ({"model_breakdown": None}, {"model_breakdown": "absent"}),
            ({"model_breakdown": [model(input=1.5)]}, {"tokens.input": "1.5"}),
        ],
    )
    def test_keeps_an_odd_field_as_it_came_and_the_row_beside_it(self, fields, kept):
        (record,) = read(row(**fields)).records

        assert (record.extra, record.sessions, record.lines_removed) == (kept, 1, 3)

    @pytest.mark.parametrize(
        ("bad", "words"),
        [
            (row(date="2026-11-18T00:00:00Z"), "holds 2026-11-18, which was not asked for"),
            (row(date="2026-11-18"), "was not asked for"),
            (row(date="17 November"), "is not a day"),
            (row(date="TODAY"), "is not a time with a zone"),
            (row(date=None), "date is missing"),
            (row(model_breakdown=[model("129.4")]), "is not a number"),
            (row(model_breakdown=[model(True)]), "is not a number"),
            (row(model_breakdown=[model(None)]), "is not a number"),
            (row(model_breakdown=[model(currency="EUR")]), "not in USD"),
        ],
    )
    def test_refuses_what_it_cannot_trust(self, bad, words):
        error = refusal(read, bad)

        assert (error.reason, error.fate) == (Reason.UPSTREAM_UNREADABLE, Fate.FATAL)
        assert words in error.detail
