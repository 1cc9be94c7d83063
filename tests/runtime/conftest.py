"""Short private folders for real servers: pytest's own temporary paths can be too long for a unix socket."""

import shutil
import tempfile
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _no_given_services(monkeypatch):
    for name in (
        "DATABASE_URL",
        "REDIS_URL",
        "SECRET_KEY",
        "CREDENTIAL_KEYS",
        "TALLYSTICK_HOME",
        "TALLYSTICK_NO_VENV",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)


@pytest.fixture
def project():
    folder = Path(tempfile.mkdtemp(prefix="ts-"))
    folder.chmod(0o755)  # mkdtemp closes it, and the server's user must reach its data
    yield folder
    shutil.rmtree(folder)
