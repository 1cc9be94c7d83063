"""Holds that every locked set is complete: what one of its packages needs, or its own list asks for, is locked in it.

Sets are installed without resolving anything (`--no-deps`), so that a missing package would be found by whoever imports
it first. What packages need is read from those installed in this environment, which holds the largest set.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
SETS = ("runtime", "demo", "test")
# Where the product is said to run; every set is one lock for all of them.
_PYTHONS = ("3.11.0", "3.11.9", "3.12.9", "3.13.9", "3.14.0")
_SYSTEMS = (("linux", "Linux", "x86_64"), ("linux", "Linux", "aarch64"), ("darwin", "Darwin", "arm64"))

Environment = dict[str, str]
# What a package needs, for each extra that may be asked for.
Needs = Mapping[str, list[Requirement]]


def environments() -> Iterator[Environment]:
    """Give the marker environments of every Python and system that the product supports."""
    for python in _PYTHONS:
        for platform, system, machine in _SYSTEMS:
            yield {
                **{name: str(value) for name, value in default_environment().items()},
                "python_version": ".".join(python.split(".")[:2]),
                "python_full_version": python,
                "implementation_version": python,
                "sys_platform": platform,
                "platform_system": system,
                "platform_machine": machine,
            }


def requirements_in(text: str) -> list[Requirement]:
    """Read the requirements of a list or a lock; hashes, comments and references to other files are left out."""
    lines = (line.split(" #")[0].rstrip(" \\") for line in text.splitlines())
    return [Requirement(line) for line in lines if re.match(r"[A-Za-z0-9]", line)]


def lacking(
    asked: list[Requirement], locked: list[Requirement], needs: Needs, environment: Environment
) -> list[str]:
    """Say what a lock lacks in one environment, following what is asked for, extras and all."""
    pins = {
        canonicalize_name(pin.name): pin
        for pin in locked
        if pin.marker is None or pin.marker.evaluate(environment)
    }
    found: list[str] = []
    waiting = [("the list", "", each) for each in (*asked, *pins.values())]
    seen: set[tuple[str, str]] = set()
    while waiting:
        who, extra, wanted = waiting.pop()
        if wanted.marker and not wanted.marker.evaluate({**environment, "extra": extra}):
            continue
        name = canonicalize_name(wanted.name)
        if name not in pins:
            found.append(f"{who} needs {wanted.name}, which is not locked")
            continue
        version = next(iter(pins[name].specifier)).version
        if not wanted.specifier.contains(version, prereleases=True):
            found.append(f"{who} needs {wanted.name}{wanted.specifier}, and {version} is locked")
        for each in ("", *wanted.extras):
            if (name, each) not in seen:
                seen.add((name, each))
                waiting += [(name, each, need) for need in needs.get(name, [])]
    return found


def installed_needs() -> Needs:
    """Return what every installed package says it needs."""
    return {
        canonicalize_name(each.name): [Requirement(line) for line in each.requires or []]
        for each in metadata.distributions()
    }


def main() -> int:
    """Look at every set in every environment and say what was found."""
    needs = installed_needs()
    asked: list[Requirement] = []
    bad: dict[str, str] = {}
    unread: set[str] = set()
    for name in SETS:
        asked += requirements_in((ROOT / f"requirements/{name}.in").read_text("utf-8"))
        locked = requirements_in((ROOT / f"requirements/{name}.txt").read_text("utf-8"))
        for environment in environments():
            where = " ".join(
                environment[key] for key in ("python_full_version", "sys_platform", "platform_machine")
            )
            for told in lacking(asked, locked, needs, environment):
                bad.setdefault(f"requirements/{name}.txt: {told}", where)
            there = [pin for pin in locked if pin.marker is None or pin.marker.evaluate(environment)]
            unread |= {pin.name for pin in there if canonicalize_name(pin.name) not in needs}
    sys.stderr.writelines(f"   {told} (first seen for {where})\n" for told, where in bad.items())
    if unread:
        sys.stderr.write(
            f"   Not installed here, so that what they need was not read: {', '.join(sorted(unread))}\n"
        )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
