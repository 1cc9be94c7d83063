"""docs/api.md is true: its commands run in order against a real server, and its codes are the ones we use."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from foundation.api.allowance import REQUESTS_PER_MINUTE
from foundation.api.parameters import MAX_LIST_DAYS
from integrations.errors import Reason

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
# These two never are the answer to a key: one is a remark on a run, one on a key already stored.
NOT_REFUSALS = {Reason.HISTORY_FLOOR, Reason.NO_USAGE, Reason.KEY_UNREADABLE}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.filterwarnings("ignore:No directory at")
def test_every_command_succeeds(admin, simulator, acorn_key, live_server):
    commands = re.findall(r"^```sh\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)
    variables = {"BASE": live_server.url, "TOKEN": admin.token, "ANTHROPIC_KEY": acorn_key, "NO_PROXY": "*"}

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(commands)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert len(commands) == 9
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("reason", sorted(set(Reason) - NOT_REFUSALS))
def test_names_every_reason(reason):
    assert f"`{reason}`" in GUIDE


def test_states_the_limits_in_force():
    assert f"up to {MAX_LIST_DAYS} days" in GUIDE
    assert f"{REQUESTS_PER_MINUTE} requests a minute" in GUIDE
