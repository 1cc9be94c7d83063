"""Holds the locked packages of the service against known vulnerabilities; says so when the advisory source is away.

pip-audit counts a package that it could not look up as skipped and ends well, so that a machine without a way to
the advisories would pass for a safe one.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
_SECONDS = 300


def report() -> dict[str, Any] | None:
    """Ask pip-audit about the locked packages; None when it could not ask anybody."""
    argv = [
        str(Path(sys.executable).with_name("pip-audit")), "--requirement", str(_ROOT / "requirements/runtime.txt"),
        "--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off",
    ]  # fmt: skip
    try:
        answer = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=_SECONDS)  # noqa: S603
    except subprocess.TimeoutExpired:
        return None
    try:
        found: dict[str, Any] = json.loads(answer.stdout)
    except json.JSONDecodeError:
        return None
    return found


def verdict(found: dict[str, Any] | None) -> tuple[int, str]:
    """Return the exit status and what to say about a report."""
    packages = (found or {}).get("dependencies", [])
    asked = [package for package in packages if "vulns" in package]
    if not asked:
        return (
            0,
            "NOT CHECKED: the source of advisories cannot be reached from here. Run this step where it can.",
        )
    bad = [
        f"{package['name']} {package['version']}: {each['id']}, mended in {', '.join(each['fix_versions']) or 'nothing yet'}"
        for package in asked
        for each in package["vulns"]
    ]
    unknown = len(packages) - len(asked)
    told = f"{len(asked)} packages, {len(bad)} known vulnerabilities" + (
        f", {unknown} unknown there" if unknown else ""
    )
    return (1 if bad else 0), "\n".join([*bad, told])


if __name__ == "__main__":
    status, words = verdict(report())
    sys.stderr.write(f"   {words}\n")
    sys.exit(status)
