"""Builds or completes `.venv` with pip; imported only when there is something to install."""

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from runtime.bootstrap import PINNED, SETS, VirtualEnvironment, lacking_distributions

_BUILDING = "tallystick-building"
_PROGRESS_SECONDS = 10.0
_UNREACHABLE = (
    "NewConnectionError", "Failed to establish a new connection", "Temporary failure in name resolution",
    "Name or service not known", "ConnectTimeoutError", "ReadTimeoutError", "ProxyError", "Network is unreachable",
    "(from versions: none)",  # all that pip says with retries turned off
)  # fmt: skip


def refresh(venv: VirtualEnvironment, needed: str) -> None:
    """
    Build or complete it, one process at a time; whoever waited finds the work done.

    Effects: ends the process with a sentence when it cannot be done.
    """
    # The project folder itself carries the lock: no file is left, and it goes with the process.
    descriptor = os.open(venv.root, os.O_RDONLY)
    try:
        _wait_for_turn(descriptor)
        if not venv.is_current(needed):
            _install(venv, needed)
    except OSError as error:
        sys.exit(f"Cannot prepare {venv.folder}: {error}.")
    finally:
        os.close(descriptor)


def _wait_for_turn(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _say("Waiting for another command that prepares .venv …")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _install(venv: VirtualEnvironment, needed: str) -> None:
    if adopted := _adoptable(venv, needed):
        venv.write_stamp(adopted)
        return
    started = time.monotonic()
    _say("Preparing .venv … (about a minute, once)")
    if not _is_usable(venv):
        _create(venv)
    Installer(venv.python, venv.root / "requirements" / f"{needed}.txt").run()
    venv.write_stamp(needed)
    (venv.folder / _BUILDING).unlink(missing_ok=True)
    _say(f".venv is ready ({time.monotonic() - started:.0f} s).")


def _adoptable(venv: VirtualEnvironment, needed: str) -> str | None:
    """Name the largest set that it holds already, put there by a person; None when `needed` is not whole."""
    if not (venv.is_active() and venv.runs_this_python()):
        return None
    enough = SETS[SETS.index(needed) :]
    return next((name for name in reversed(enough) if not lacking_distributions(venv.root, name)), None)


def _is_usable(venv: VirtualEnvironment) -> bool:
    """Say whether it can be completed: it is whole, and of this Python."""
    return venv.python.exists() and not (venv.folder / _BUILDING).exists() and venv.runs_this_python()


def _create(venv: VirtualEnvironment) -> None:
    if importlib.util.find_spec("ensurepip") is None:
        sys.exit(
            "This Python comes without venv and pip. On Debian or Ubuntu install them with: "
            f"apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        )
    shutil.rmtree(venv.folder, ignore_errors=True)
    venv.folder.mkdir()
    (venv.folder / _BUILDING).touch()  # until the stamp is written, the next command starts over
    # Not from within: the interpreter of the folder just removed cannot build it anew.
    base = getattr(sys, "_base_executable", sys.executable)
    answer = subprocess.run(
        [base, "-m", "venv", str(venv.folder)], capture_output=True, text=True, check=False
    )
    if answer.returncode:
        sys.exit(f"Cannot create {venv.folder}:\n{(answer.stdout + answer.stderr).strip()}")


class Installer:
    """One run of pip, with a line of progress every few seconds and a sentence when it fails."""

    def __init__(self, python: Path, requirements: Path) -> None:
        """Say with which interpreter's pip, and what."""
        self._requirements = requirements
        # The lock is complete, so nothing has to be resolved. Before release 23.3 pip resolved it wrongly: in hash mode
        # it ignored the pin of a package that another one asks for with an extra, took the newest release and stopped.
        # Compiling everything costs more than compiling on first use what is used.
        self._argv = [
            str(python), "-m", "pip", "install", "--require-hashes", "--no-deps", "--no-compile",
            "--disable-pip-version-check", "--no-input", "--progress-bar", "off", "-r", str(requirements),
        ]  # fmt: skip
        self._total = len(PINNED.findall(requirements.read_text("utf-8")))
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
