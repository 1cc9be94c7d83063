"""What the OpenAPI document allows or forbids is answered as it says, for every role: requests made by schemathesis.

Half of the requests are allowed, half forbidden. The long form has a hundred for each operation and role:
`TALLYSTICK_EXAMPLES=100 python3 manage.py test tests/api/test_generated.py`
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.core.cache import cache
from django.core.handlers.wsgi import WSGIHandler
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.specs.openapi.checks import positive_data_acceptance

from accounts.models import ApiToken, Role
from devtools.simulator.keys import key_text
from integrations.errors import Reason
from tests.api.conftest import ACORN, caller, record, store, utc
from tests.api.test_costs import FIRST, named
from workers import lifecycle
from workers.lifecycle import NewConnection
from workers.models import SyncRun

EXAMPLES = int(os.environ.get("TALLYSTICK_EXAMPLES", "10"))
SCHEMA = schemathesis.openapi.from_path(
    Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml", config=SchemathesisConfig()
)
SCHEMA.app = WSGIHandler()
OPERATIONS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations()}
# Rules about several values at once, or about what is stored, which no schema can say. Everything else that the document
# allows has to be accepted.
BEYOND_A_SCHEMA = {
    "backwards", "too_long", "not_begun", "bad_cursor", "not_reported_together", "label_taken", "generations_differ",
    *{*Reason} - {Reason.KEY_MALFORMED},
}  # fmt: skip

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(transactional_db, account):
    return account


@pytest.fixture
def world(account, simulator, settings) -> dict[str, str]:
    """Something of everything, so that most requests find something; the ids of what can be asked for."""
    settings.ANTHROPIC_REQUESTS_PER_MINUTE = settings.ANTHROPIC_ANALYTICS_REQUESTS_PER_MINUTE = 60_000
    settings.ANTHROPIC_BURST = settings.ANTHROPIC_ANALYTICS_BURST = 10_000
    connection = lifecycle.connect(account, NewConnection(api_key=key_text(ACORN)), actor="alice")
    store(connection, record(FIRST, "1", workspace_id="wrkspc_1", model="opus"))
    store(connection, record(FIRST, "2", workspace_id="wrkspc_1", model="opus"), as_of=utc("2027-01-01"))
    named(connection, "wrkspc_1", "Lab")
    return {"connection_id": str(connection.pk), "run_id": str(SyncRun.objects.latest("requested_at").pk)}


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("label", sorted(OPERATIONS))
def test_is_answered_as_the_document_says(label, role, world, account, admin_user):
    operation = OPERATIONS[label]
    token = caller(account, role, admin_user).token
    ids = {**world, "token_id": str(ApiToken.objects.latest("created").public_id)}

    @seed(7)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        # A request that fails says itself how to repeat it; making it smaller takes minutes.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases_of(operation, ids))
    def answer(case: Any) -> None:
        # Of the minute's allowance: 429 would pass for an answer to anything.
        cache.clear()
        case.call_and_validate(
            headers={"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"},
            excluded_checks=[positive_data_acceptance],
            additional_checks=[accepts_what_is_allowed],
        )

    answer()


def test_the_guide_names_what_is_beyond_a_schema():
    """Whoever runs schemathesis from outside finds there why an allowed request was refused."""
    guide = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text("utf-8")
    section = guide.split("## Rules that the document cannot say")[1].split("\n## ")[0]

    assert {*re.findall(r"`([a-z_]+)`", section)} >= BEYOND_A_SCHEMA - {*Reason}


def cases_of(operation: Any, ids: dict[str, str]) -> st.SearchStrategy[Any]:
    """Requests that the document allows and that it forbids, about what exists and about what does not."""
    wanted = {name: value for name, value in ids.items() if f"{{{name}}}" in operation.path}
    places: list[dict[str, Any]] = [{}, {"path_parameters": wanted}] if wanted else [{}]
    return st.one_of(
        *(
            operation.as_strategy(generation_mode=mode, **place)
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
            for place in places
        )
    )


def accepts_what_is_allowed(context: Any, response: Any, case: Any) -> None:
    if not case.meta.generation.mode.is_positive or response.status_code != 400:
        return
    problem = response.json()
    codes = {error["code"] for error in problem["errors"]} | {problem["code"]}
    refused = codes - BEYOND_A_SCHEMA - {"invalid"}
    if refused or codes == {"invalid"}:
        raise Failure(
            operation=case.operation.label,
            title="Refused what the document allows",
            message=json.dumps(problem),
        )
