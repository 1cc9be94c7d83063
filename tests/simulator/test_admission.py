"""The door: headers, keys and unknown names are refused exactly as upstream refuses them."""

import pytest

from devtools.simulator.keys import ENTERPRISE, INFERENCE, key_text

from .caller import COST_REPORT, unzip

ME = "/v1/organizations/me"
START = "starting_at=2026-11-10T00:00:00Z"


class TestHeaders:
    def test_me_names_the_organisation_of_the_key(self, acorn, sim):
        reply = acorn.get(ME)

        (known,) = sim.organisations(organisation="acorn-studio")
        assert reply.json == {"id": known["id"], "type": "organization", "name": "Acorn Studio"}
        assert reply.headers["anthropic-organization-id"] == known["id"]
        assert reply.headers["content-type"] == "application/json"
        assert reply.headers["request-id"].startswith("req_")

    @pytest.mark.parametrize(
        ("headers", "expected"),
        [
            ({"x-api-key": None}, (401, "authentication_error", "x-api-key header is required")),
            ({"x-api-key": "sk-ant-admin01-nonsense"}, (401, "authentication_error", "invalid x-api-key")),
            (
                {"x-api-key": key_text("acorn-studio", serial=2)},
                (401, "authentication_error", "invalid x-api-key"),
            ),
            ({"x-api-key": key_text("org-99999")}, (401, "authentication_error", "invalid x-api-key")),
            (
                {"anthropic-version": None},
                (400, "invalid_request_error", "anthropic-version: header is required"),
            ),
            (
                {"anthropic-version": "2020-01-01"},
                (400, "invalid_request_error", 'anthropic-version: "2020-01-01" is not a valid version'),
            ),
            (
                {"anthropic-beta": "fast-mode-2026-02-01,time-travel-2026-01-01"},
                (
                    400,
                    "invalid_request_error",
                    "Unexpected value(s) `time-travel-2026-01-01` for the `anthropic-beta` header",
                ),
            ),
            (
                {"x-api-key": key_text("acorn-studio", ENTERPRISE)},
                (
                    403,
                    "permission_error",
                    "Missing required scopes. Got: ['read:analytics'] Needed: ['api:admin']",
                ),
            ),
            (
                {"x-api-key": key_text("acorn-studio", INFERENCE)},
                (
                    403,
                    "permission_error",
                    "Missing required scopes. Got: ['user:inference'] Needed: ['api:admin']",
                ),
            ),
        ],
    )
    def test_refuses(self, acorn, headers, expected):
        reply = acorn.get(ME, headers=headers)

        assert reply.error == expected
        assert reply.json["type"] == "error"
        assert reply.json["request_id"] == reply.headers["request-id"]

    @pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
    def test_takes_both_versions_and_known_betas(self, acorn, version):
        headers = {"anthropic-version": version, "anthropic-beta": "analytics-usage-cost-2026-08-24"}

        assert acorn.get(ME, headers=headers).status == 200

    def test_compresses_long_answers_for_those_who_accept_it(self, cedar):
        query = f"{START}&limit=31"

        plain = cedar.get(COST_REPORT, query)
        packed = cedar.get(COST_REPORT, query, headers={"accept-encoding": "gzip, deflate"})

        assert packed.headers["content-encoding"] == "gzip"
        assert unzip(packed) == plain.body

    def test_unknown_paths_are_404(self, acorn):
        assert acorn.get("/v1/organizations/nothing").error[:2] == (404, "not_found_error")


class TestParameters:
    @pytest.mark.parametrize(
        "query",
        [
            "",
            "starting_at=2026-11-10",
            "starting_at=2026-11-10T00:00:00",
            "starting_at=2026-11-10T00:00:00+00:00",
            "starting_at=yesterday",
            f"{START}&starting_at=2026-11-11T00:00:00Z",
            f"{START}&group_by=description",
            f"{START}&group_by[]=model",
            f"{START}&group_by[]=workspace_id,description",
            f"{START}&bucket_width=1h",
            f"{START}&limit=0",
            f"{START}&limit=32",
            f"{START}&limit=seven",
            f"{START}&limit=",
            f"{START}&models[]=claude-opus-5",
            f"{START}&page=",
            f"{START}&page=page_nonsense",
            "starting_at=9999-12-31T00:00:00-23:00",
        ],
    )
    def test_cost_report_refuses(self, acorn, query):
        assert acorn.get(COST_REPORT, query).error[:2] == (400, "invalid_request_error")

    @pytest.mark.parametrize(
        "query",
        [
            "starting_at=2026-11-20T00:00:00Z",
            "starting_at=2026-11-20T09:00:00Z",
            f"{START}&ending_at=2026-11-10T00:00:00Z",
            f"{START}&ending_at=2026-11-09T00:00:00Z",
        ],
    )
    def test_an_end_that_is_not_after_the_start_has_upstreams_words(self, acorn, query):
        expected = "Invalid date range: ending date must be after starting date"

        assert acorn.get(COST_REPORT, query).error == (400, "invalid_request_error", expected)

    @pytest.mark.parametrize(
        "query", ["limit=1001", "include_archived=yes", "after_id=wrkspc_none", "name=x", "ids=a"]
    )
    def test_workspaces_refuses(self, acorn, query):
        assert acorn.get("/v1/organizations/workspaces", query).error[:2] == (400, "invalid_request_error")
