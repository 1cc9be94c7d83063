"""Row 15 of the matrix: the ring of credential keys is wrong, incomplete, empty or changed."""

from __future__ import annotations

import pytest

from runtime import environment
from tests.faults.lab import Lab
from tests.faults.verdict import judge

pytestmark = pytest.mark.faults


def test_ring_wrong_missing_empty_and_changed(lab: Lab) -> None:
    """Row 15: refuses clearly and loses nothing; with the right ring it goes on, and the active key can change."""
    right, other = lab.environment["CREDENTIAL_KEYS"], environment.new_secrets()["CREDENTIAL_KEYS"]
    right_id, other_id = right.partition(":")[0], other.partition(":")[0]
    # Under the id of the right one, as two who followed the same instructions once named theirs.
    namesake = f"{right_id}:{other.partition(':')[2]}"
    lab.run_engine()
    lab.kill("worker-1")
    # Nothing is stored yet, so a worker with a ring of its own starts; then the web process stores a key.
    lab.start_worker(CREDENTIAL_KEYS=other)
    connection = lab.connect()
    lab.eventually(
        lambda: lab.api.get(f"connections/{connection.id}/")["reason"] == "key_unreadable",
        "the person reads the cause",
    )
    assert right_id in lab.api.get(f"connections/{connection.id}/")["detail"]
    assert lab.api.get(f"connections/{connection.id}/")["status"] == "degraded"
    lab.kill("worker-1")
    sealed = lab.rows("SELECT key_id, sealed FROM integrations_credential")

    lab.start_worker(CREDENTIAL_KEYS="")
    assert lab.processes["worker-1"].wait(60) != 0
    assert "CREDENTIAL_KEYS: it is not set" in lab.log("worker-1")
    lab.kill("worker-1")
    checked = lab.manage("check", "--database", "default", CREDENTIAL_KEYS=other)
    assert (checked.returncode, f"lacks key '{right_id}'" in checked.stderr) == (1, True)

    lab.start_worker(CREDENTIAL_KEYS=other)
    assert lab.processes["worker-1"].wait(60) != 0
    assert f"CREDENTIAL_KEYS lacks key '{right_id}'" in lab.log("worker-1")
    assert lab.rows("SELECT key_id, sealed FROM integrations_credential") == sealed
    lab.kill("worker-1")
    lab.start_worker(CREDENTIAL_KEYS=namesake)
    assert lab.processes["worker-1"].wait(60) != 0
    assert f"CREDENTIAL_KEYS has another key '{right_id}'" in lab.log("worker-1")
    lab.kill("worker-1")

    # The right ring with a new active key in front: the work that was left to others goes on.
    both = f"{other},{right}"
    lab.start_worker(CREDENTIAL_KEYS=both)
    assert lab.api.post(f"connections/{connection.id}/test/", {})["ok"]
    lab.note_recovery("ring key put back: going on")
    assert lab.manage("rotate_credentials", CREDENTIAL_KEYS=both).returncode == 0
    assert lab.value("SELECT key_id FROM integrations_credential") == other_id
    lab.kill("worker-1")
    lab.start_worker(CREDENTIAL_KEYS=other)

    judge(lab, connection)
