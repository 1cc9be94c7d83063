"""What docs/installation.md tells people to install is what the product runs, and their own tools accept it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = (ROOT / "docs/installation.md").read_text("utf-8")
UNITS = dict(re.findall(r"```ini\n# tallystick-(\w+)\.service\n(.*?)```", DOCUMENT, re.DOTALL))
PROCFILE = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text("utf-8").splitlines())
CERTIFICATE = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=costs.example.com")


def starts(unit: str) -> str:
    """The command of a unit as the Procfile would spell it."""
    (command,) = re.findall(r"^ExecStart=/opt/tallystick/\.venv/bin/(.*)$", unit, re.MULTILINE)
    return command.replace("127.0.0.1:8000", "0.0.0.0:${PORT:-8000}").replace(
        "/var/lib/tallystick/", "${TALLYSTICK_HOME:-.}/"
    )


@pytest.mark.parametrize("name", ["web", "worker", "beat"])
def test_units_start_what_the_procfile_starts(name):
    assert starts(UNITS[name]) == PROCFILE[name]


def test_procfile_gives_the_port_to_web():
    """Honcho counts ports up from line to line, by a hundred."""
    assert list(PROCFILE) == ["web", "worker", "beat", "release"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_units_are_read_by_systemd(tmp_path):
    paths = [tmp_path / f"tallystick-{name}.service" for name in UNITS]
    for path, unit in zip(paths, UNITS.values(), strict=True):
        # What systemd looks for on this machine: programs and a user.
        path.write_text(
            re.sub(r"^(ExecStart\w*=)/opt/\S+", rf"\1{shutil.which('env')}", unit, flags=re.MULTILINE)
        )

    answer = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True, check=False
    )

    assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.skipif(not (shutil.which("nginx") and shutil.which("openssl")), reason="needs nginx and openssl")
def test_site_is_read_by_nginx(tmp_path):
    (site,) = re.findall(r"```nginx\n(.*?)```", DOCUMENT, re.DOTALL)
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", *CERTIFICATE, "-keyout", key, "-out", certificate], capture_output=True, check=True
    )
    site = re.sub(r"(ssl_certificate +)\S+;", rf"\1{certificate};", site)
    site = re.sub(r"(ssl_certificate_key +)\S+;", rf"\1{key};", site)
    log = f"error_log {tmp_path}/log; pid {tmp_path}/pid; events {{}}\n"
    (tmp_path / "nginx.conf").write_text(f"{log}http {{ access_log off; {site} }}")

    answer = subprocess.run(
        ["nginx", "-t", "-c", tmp_path / "nginx.conf"], capture_output=True, text=True, check=False
    )

    assert answer.returncode == 0, answer.stderr
