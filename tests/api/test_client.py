"""A client that a stranger generates from the committed document connects, waits for the sync and reads the truth."""

from __future__ import annotations

import datetime as dt
import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from devtools.simulator.keys import key_text
from foundation.money import sum_usd
from tests.api.conftest import ACORN

pytestmark = pytest.mark.django_db(transaction=True)

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"
# The tool knows few kinds of files by name; everything else is bytes to it.
CONFIGURATION = """
post_hooks: []
content_type_overrides:
  application/vnd.apache.parquet: application/octet-stream
"""
PACKAGE = "tallystick_client"
DAYS = 10


@pytest.fixture
def account(transactional_db, account):
    return account


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> Iterator[Callable[[str], Any]]:
    """Give a module of the client that was generated for these tests."""
    folder = tmp_path_factory.mktemp("generated")
    configuration = folder / "configuration.yaml"
    configuration.write_text(CONFIGURATION)
    tool = Path(sys.executable).with_name("openapi-python-client")
    done = subprocess.run(
        [tool, "generate", "--path", DOCUMENT, "--output-path", folder / PACKAGE, "--meta", "none",
         "--config", configuration, "--fail-on-warning"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield lambda name: importlib.import_module(f"{PACKAGE}{name}")
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture
def client(generated, admin, live_server) -> Iterator[Any]:
    with generated(".client").AuthenticatedClient(base_url=live_server.url, token=admin.token) as opened:
        yield opened


@pytest.mark.filterwarnings("ignore:No directory at")
def test_connects_syncs_and_reads_the_costs(generated, client, simulator, run_due):
    connect = generated(".api.connections.connections_create")
    read = generated(".api.connections.connections_read")
    models = generated(".models")

    made = connect.sync(
        client=client,
        body=models.NewConnection(provider=models.ProviderEnum.ANTHROPIC, api_key=key_text(ACORN)),
        idempotency_key="generated",
    )
    run_due()
    synced = read.sync(made.id, client=client)

    assert (made.status.value, synced.status.value) == ("backfilling", "active")
    assert (synced.backfill.days_done, synced.organization.name) == (
        synced.backfill.days_total,
        "Acorn Studio",
    )

    last = dt.datetime.now(dt.UTC).date()
    span = {"client": client, "from_": last - dt.timedelta(days=DAYS), "to": last}
    truth = simulator.truth(ACORN, span["from_"], span["to"]).total_usd
    summary = generated(".api.costs.costs_summary").sync(
        **span, group_by=[models.CostsSummaryGroupByItem.MODEL], connection=[made.id]
    )
    listed = generated(".api.costs.costs_list").sync(**span, page_size=1000)
    file = generated(".api.exports.exports_costs_csv").sync_detailed(**span)

    assert truth
    assert Decimal(summary.total_usd) == truth
    assert sum_usd(Decimal(row.amount_usd) for row in summary.rows) == truth
    assert listed.next_ is None
    assert sum_usd(Decimal(row.amount_usd) for row in listed.results) == truth
    assert file.content.count(b"\r\n") == len(listed.results) + 1


@pytest.mark.filterwarnings("ignore:No directory at")
def test_reads_problems_as_objects(generated, client):
    read = generated(".api.connections.connections_read")

    problem = read.sync("00000000-0000-0000-0000-000000000007", client=client)

    assert (problem.status, problem.code) == (404, "not_found")
