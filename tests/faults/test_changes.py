"""Row 11 of the matrix: people change what is being fetched: key, pause, disconnection, plan, account."""

from __future__ import annotations

import pytest

from tests.faults.lab import Connected, Lab
from tests.faults.verdict import judge, rest

pytestmark = pytest.mark.faults

# Every table that holds something of a connection.
TABLES = {
    "costs_costfact": "connection_id", "costs_supersededcost": "connection_id", "costs_daydigest": "connection_id",
    "costs_restatement": "connection_id", "costs_resource": "connection_id", "workers_syncrun": "connection_id",
    "integrations_credential": "connection_id", "integrations_connection": "id",
}  # fmt: skip


def left_of(lab: Lab, connection: Connected) -> dict[str, int]:
    counts = {
        table: lab.value(f"SELECT count(*) FROM {table} WHERE {column} = %s", connection.id)  # noqa: S608
        for table, column in TABLES.items()
    }
    return {table: count for table, count in counts.items() if count}


def pages_of(lab: Lab, connection: Connected) -> int:
    return lab.value(
        "SELECT count(*) FROM workers_page p JOIN workers_syncstep s ON s.id = p.step_id "
        "JOIN workers_syncrun r ON r.id = s.run_id WHERE r.connection_id = %s", connection.id
    )  # fmt: skip


def under_way(lab: Lab, *connections: Connected) -> None:
    """Wait until each has stored something and asks slowly for more."""
    for each in connections:
        lab.simulator.fault("slow", organisation=each.slug, seconds=0.5, times=-1)
    lab.eventually(lambda: all(pages_of(lab, each) >= 2 for each in connections), "all are under way")


def test_key_rotated_or_revoked_and_plan_changed(lab: Lab) -> None:
    """Row 11: rotated, the old key revoked; revoked first, then replaced; the plan made smaller meanwhile."""
    lab.run_engine()
    rotated, revoked = lab.connect(), lab.connect()
    under_way(lab, rotated, revoked)
    lab.plan(30)
    key = lab.new_key(rotated.slug)
    lab.api.post(f"connections/{rotated.id}/rotate-key/", {"api_key": key})
    lab.simulator.world(rotated.slug, "revoke_key", key=rotated.key)
    lab.simulator.world(revoked.slug, "revoke_key", key=revoked.key)
    lab.eventually(
        lambda: lab.api.get(f"connections/{revoked.id}/")["reason"] == "key_rejected",
        "the person reads the cause",
    )
    told = lab.rows(
        "SELECT kind, count(*) FROM alerts_outboxmessage WHERE kind = 'connection.needs_you' GROUP BY 1"
    )
    lab.simulator.clear_faults()
    lab.api.post(f"connections/{revoked.id}/rotate-key/", {"api_key": lab.new_key(revoked.slug)})

    judge(lab, rotated, revoked)
    assert told == [("connection.needs_you", 1)]


def test_paused_disconnected_and_erased(lab: Lab) -> None:
    """Row 11: whatever is in flight when somebody pauses, disconnects or erases writes nothing afterwards."""
    lab.run_engine()
    paused, kept, erased = lab.connect(), lab.connect(), lab.connect()
    under_way(lab, paused, kept, erased)
    lab.api.post(f"connections/{paused.id}/pause/", {})
    assert lab.call("DELETE", f"connections/{kept.id}/?history=keep")[0] == 204
    after_keeping = left_of(lab, kept)
    assert lab.call("DELETE", f"connections/{erased.id}/?history=erase")[0] == 204
    assert left_of(lab, erased) == {}
    lab.eventually(
        lambda: lab.value("SELECT count(*) FROM workers_lane WHERE state <> 'idle'") == 0,
        "nobody works any more",
    )
    lab.simulator.clear_faults()

    assert left_of(lab, kept) == after_keeping
    assert "integrations_credential" not in after_keeping
    assert left_of(lab, erased) == {}
    lab.api.post(f"connections/{paused.id}/resume/", {})
    again = [lab.connect(kept.slug), lab.connect(erased.slug)]
    judge(lab, paused, *again)
    assert again[0].id == kept.id  # revived, so that its days are not counted twice


_SECOND_ACCOUNT = """
from accounts import tokens; from accounts.models import *; from accounts.tokens import Terms
account = Account.objects.create(name='Doomed')
owner = User.objects.get(); Membership.objects.create(account=account, user=owner, role='admin')
print('token', tokens.issue(account, owner, Terms('t', Role.ADMIN), actor='set-up')[1])
"""


def test_account_deleted(lab: Lab) -> None:
    """Row 11: the account is deleted with everything in it while a request is under way; nothing of it comes back."""
    made = lab.manage("shell", "-c", _SECOND_ACCOUNT)
    own, lab.token = lab.token, made.stdout.split("token ")[1].strip()
    try:
        lab.run_engine()
        connection = lab.connect()
    finally:
        lab.token = own
    under_way(lab, connection)
    done = lab.manage("erase_account", "--account", "Doomed", "--confirm", "Doomed")
    assert done.returncode == 0, done.stderr
    rest(lab)

    assert left_of(lab, connection) == {}
    assert lab.value("SELECT count(*) FROM workers_page") == 0
    judge(lab)
