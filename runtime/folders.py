"""Where things lie: work folder, server data, sockets, throw-away folders; and the locks that guard them.

As root, PostgreSQL must run as another user, who often cannot enter the project folder. Then the data goes
elsewhere: permissions of folders that are not ours are never changed.
"""

import contextlib
import fcntl
import hashlib
import os
import pwd
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runtime.processes import Owner

SYSTEM_FOLDER = Path("/var/lib/tallystick")
_NOBODY = 65534
# sun_path holds 104 bytes on macOS and 108 on Linux, with the final zero; PostgreSQL appends 14.
_SOCKET_FOLDER_BYTES = 104 - 1 - len("/.s.PGSQL.5432")
# Anything else would need quoting in three kinds of address (django-environ, redis-py, kombu).
_PLAIN = re.compile(r"[A-Za-z0-9/._+-]+\Z")


def home_of(project: Path) -> Path:
    """Give the work folder of a project (TALLYSTICK_HOME or `.tallystick`), made when missing."""
    home = Path(os.environ.get("TALLYSTICK_HOME") or project / ".tallystick").absolute()
    # As root others may pass through (not list), or the unprivileged server could not reach its data.
    home.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    (home / "logs").mkdir(mode=0o700, exist_ok=True)
    return home


def server_owner() -> Owner | None:
    """Give the user that servers which refuse to be root run as; None when we are not root."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return Owner(_NOBODY, _NOBODY)
    return Owner(entry.pw_uid, entry.pw_gid)


def is_reachable(path: Path) -> bool:
    """Say whether any user may enter this folder and all above it."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def persistent_folder(home: Path) -> Path:
    """
    Give the folder that holds the embedded servers' data from one command to the next, made when missing.

    Existing data decides first, so that a changed permission somewhere above cannot make data seem lost.
    """
    inside = home / "servers"
    outside = SYSTEM_FOLDER / folder_id(home)
    if os.geteuid() != 0 or (inside / "postgres").exists():
        chosen = inside
    elif (outside / "postgres").exists() or not is_reachable(home):
        chosen = outside
    else:
        chosen = inside
    chosen.mkdir(mode=home_mode(), parents=True, exist_ok=True)
    return chosen


def home_mode() -> int:
    """Give the mode of our own folders: private, but passable for the server's user when we are root."""
    return 0o711 if os.geteuid() == 0 else 0o700


def folder_id(path: Path) -> str:
    """Name a folder by a short hash of its path."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:10]


def give(path: Path, owner: Owner | None) -> Path:
    """Make a private folder that belongs to the server's user."""
    path.mkdir(mode=0o700, exist_ok=True)
    if owner:
        os.chown(path, owner.user_id, owner.group_id)
    return path


@contextlib.contextmanager
def socket_folder(base: Path, name: str, owner: Owner | None) -> Iterator[Path]:
    """Give a private folder for a socket: inside `base`, or a temporary one when that path is long or odd."""
    inside = base / f"{name}-socket"
    if len(os.fsencode(inside)) <= _SOCKET_FOLDER_BYTES and _PLAIN.match(str(inside)):
        yield give(inside, owner)
        return
    outside = Path(tempfile.mkdtemp(prefix="tallystick-", dir=_passable_temporary()))
    try:
        if owner:
            os.chown(outside, owner.user_id, owner.group_id)
        yield outside
    finally:
        shutil.rmtree(outside, ignore_errors=True)


def _passable_temporary() -> str:
    """Pick a temporary folder with a short, plain path that the server's user may enter."""
    for candidate in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108 - only for mkdtemp inside
        short_and_plain = len(candidate) < _SOCKET_FOLDER_BYTES // 2 and _PLAIN.match(candidate)
        if short_and_plain and Path(candidate).is_dir() and is_reachable(Path(candidate)):
            return candidate
    return tempfile.gettempdir()


@contextlib.contextmanager
def throw_away_folder(home: Path, name: str) -> Iterator[Path]:
    """
    Give a fresh folder that is removed at the end.

    What a killed command left behind is removed by the next one: a folder whose lock nobody holds is nobody's.
    """
    bases = [home] if is_reachable(home) or os.geteuid() != 0 else [Path(_passable_temporary())]
    prefix = f"tallystick-{folder_id(home)}-"
    with Lock(home / "throw-away.lock").held(seconds=30):
        for left in bases[0].glob(f"{prefix}*"):
            if not Lock(left / "owner.lock").is_held():
                shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{prefix}{name}-", dir=bases[0]))
        folder.chmod(home_mode())
        owner = Lock(folder / "owner.lock")
        owner.acquire()
    try:
        yield folder
    finally:
        owner.release()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(slots=True)
class Lock:
    """An advisory lock on a file, held by this process until released or ended in any way."""

    path: Path
    _descriptor: int | None = None

    def acquire(self, *, shared: bool = False, seconds: float = 0) -> bool:
        """Take the lock, trying for `seconds`; False when somebody else keeps it."""
        # Not inherited by children (PEP 446), so that a child cannot keep our lock alive.
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    return False
                time.sleep(0.02)
            else:
                self._descriptor = descriptor
                return True

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def is_held(self) -> bool:
        """Say whether another process holds it exclusively."""
        if not self.path.exists():
            return False
        probe = Lock(self.path)
        if probe.acquire(shared=True):
            probe.release()
            return False
        return True

    @contextlib.contextmanager
    def held(self, *, seconds: float) -> Iterator[None]:
        """Hold the lock for a block; TimeoutError when it cannot be had."""
        if not self.acquire(seconds=seconds):
            raise TimeoutError(f"{self.path} is held by another process")
        try:
            yield
        finally:
            self.release()
