"""Makes sure that the locked dependencies are importable: builds or refreshes `.venv` and continues in it.

Standard library only, and little of it: every command passes here twice, before and after the change of
interpreter. Speaks on standard error only, because standard output belongs to the command.
"""

import json
import os
import re
import sys
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

SETS = ("runtime", "demo", "test")  # each holds all of the one before it
_STAMP = "tallystick-stamp.json"
_ENTERED = "TALLYSTICK_ENTERED_VENV"
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)\s*(;)?", re.MULTILINE)


def required_set(argv: Sequence[str], environ: Mapping[str, str]) -> str:
    """Decide which locked set a command needs: servers in wheels only where none are given."""
    command = argv[1] if len(argv) > 1 else "help"
    if environ.get("TALLYSTICK_IMAGE"):
        return "runtime"  # what else is asked for is not for there, which the launcher says
    if command == "test":
        return "test"
    given = all(environ.get(name) or environ.get(f"{name}_FILE") for name in ("DATABASE_URL", "REDIS_URL"))
    return "runtime" if given and command != "demo" else "demo"


def ensure_dependencies(project: str, argv: Sequence[str]) -> None:
    """
    Return when this interpreter has what the command needs; otherwise continue in `.venv`, made if need be.

    Effects: may build `.venv`, may replace this process. Ends with a sentence when neither is possible.
    """
    root = Path(project)
    needed = required_set(
        argv, {**_written_down(root), **{name: value for name, value in os.environ.items() if value}}
    )
    venv = VirtualEnvironment(root)
    if venv.is_active():
        venv.keep_bytecode()
        if not venv.is_current(needed):
            _install(venv, needed)
            if not venv.runs_this_python():
                venv.enter(argv)
    elif os.environ.get("TALLYSTICK_NO_VENV"):
        if lacking := lacking_distributions(root, needed):
            names = ", ".join(lacking[:5]) + (" …" if len(lacking) > 5 else "")  # noqa: PLR2004
            sys.exit(
                f"TALLYSTICK_NO_VENV is set, but this Python lacks {names}. "
                f"Install them with: python3 -m pip install --require-hashes --no-deps -r requirements/{needed}.txt "
                "Or unset it."
            )
    elif not venv.is_current(needed):
        # A container or a virtual environment of the user's own may have everything already.
        if not _has_django() or lacking_distributions(root, needed):
            _install(venv, needed)
            venv.enter(argv)
    elif not (os.environ.get("VIRTUAL_ENV") and _has_django() and not lacking_distributions(root, needed)):
        venv.enter(argv)


def _written_down(root: Path) -> dict[str, str]:
    """Read `.env`: it may name the servers that would otherwise be installed."""
    if not (root / ".env").is_file():
        return {}
    from runtime import environment  # noqa: PLC0415 - most commands find no such file

    try:
        return environment.parse_env_file((root / ".env").read_text(encoding="utf-8"))
    except OSError as error:
        sys.exit(f"{root / '.env'} cannot be read: {error.strerror}. Let this user read it, or remove it.")


def _install(venv: "VirtualEnvironment", needed: str) -> None:
    from runtime import installation  # noqa: PLC0415 - what it imports would slow every command down

    installation.refresh(venv, needed)


def _has_django() -> bool:
    """Answer cheaply for the common case of a bare interpreter."""
    return any(Path(folder, "django").is_dir() for folder in sys.path if folder)


def lacking_distributions(root: Path, needed: str) -> list[str]:
    """List the pins of a set that this interpreter does not have in exactly that version."""
    from importlib import metadata  # noqa: PLC0415 - 30 ms that the fast path must not pay

    lacking = []
    for name, version, conditional in PINNED.findall(
        (root / "requirements" / f"{needed}.txt").read_text("utf-8")
    ):
        try:
            is_there = metadata.version(name) == version
        except metadata.PackageNotFoundError:
            is_there = False
        # A pin with a marker may be for another Python or system; pip decided that when it installed.
        if not (is_there or conditional):
            lacking.append(f"{name}=={version}")
    return lacking


class VirtualEnvironment:
    """`.venv` beside manage.py, with a stamp that says what was installed into it."""

    def __init__(self, root: Path) -> None:
        """Name the folder; nothing is read yet."""
        self.root = root
        self.folder = root / ".venv"
        self.python = self.folder / "bin" / "python"

    def is_active(self) -> bool:
        """Say whether this process runs in it."""
        return os.path.realpath(sys.prefix) == os.path.realpath(self.folder)

    def runs_this_python(self) -> bool:
        """Say whether its packages are those of this interpreter's version."""
        return (
            self.folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
        ).is_dir()

    def is_current(self, needed: str) -> bool:
        """Say whether the stamp covers the set as it is locked now."""
        stamp = self._stamp()
        if stamp.get(needed) != self._digest(needed) or not self.python.exists():
            return False
        # Only the process inside can know the version that the link bin/python leads to today.
        return not self.is_active() or stamp.get("python") == _python_version()

    def enter(self, argv: Sequence[str]) -> NoReturn:
        """Replace this process by the same command in the virtual environment."""
        if os.environ.get(_ENTERED) == str(os.getpid()):  # exec keeps the pid
            sys.exit(f"{self.folder} does not work with this Python. Remove it and repeat the command.")
        os.environ[_ENTERED] = str(os.getpid())
        os.environ.pop("__PYVENV_LAUNCHER__", None)  # macOS: it would lead back to the outer interpreter
        sys.stdout.flush()
        os.execv(self.python, [str(self.python), *argv])  # noqa: S606 - the same command, nothing else

    def keep_bytecode(self) -> None:
        """
        Let this command and all it starts keep compiled modules in here, where the environment forbids them elsewhere.

        PYTHONDONTWRITEBYTECODE, common in containers, keeps files away from sources, and so it stays. But with no
        bytecode at all every process compiles a thousand modules at its start: 2.5 s of processor instead of 1.
        """
        if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
            sys.dont_write_bytecode = False
            sys.pycache_prefix = os.environ.setdefault("PYTHONPYCACHEPREFIX", str(self.folder / "bytecode"))

    def _stamp(self) -> dict[str, str]:
        try:
            stamp = json.loads((self.folder / _STAMP).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def write_stamp(self, installed: str) -> None:
        """Note that a set, and with it every smaller one, is installed as locked now."""
        covered = SETS[: SETS.index(installed) + 1]
        python = _python_version()
        stamp = {"python": python, **{name: self._digest(name) for name in covered}}
        unfinished = self.folder / f"{_STAMP}.new"
        unfinished.write_text(json.dumps(stamp, indent=1), "utf-8")
        unfinished.rename(self.folder / _STAMP)

    def _digest(self, name: str) -> str:
        # To notice a change, not to prove anything; pip checks the hashes inside the file.
        return f"{zlib.crc32((self.root / 'requirements' / f'{name}.txt').read_bytes()):08x}"


def _python_version() -> str:
    return "{}.{}".format(*sys.version_info[:2])
