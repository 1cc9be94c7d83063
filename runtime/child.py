"""Becomes another program that dies with its parent: `child.py PARENT_PID SIGNAL UID:GID|- PROGRAM ARGUMENT…`.

Run as a script in a bare interpreter, because it must be quick and Python must be left before privileges
could matter: as root, Python itself may lie where the unprivileged user cannot read.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(parent: int, number: int) -> None:
    """
    Ask the kernel to send this process signal `number` when its parent ends, even by kill -9.

    Linux only; elsewhere nothing is asked, and the next start ends what was left. The kernel means the parent
    *thread*, and it forgets the request when the process changes its user: ask after that, see `processes`.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the request was made
        os.kill(os.getpid(), signal.SIGKILL)


def main(arguments: list[str]) -> None:
    """Drop privileges when asked, tie this process to its parent, become the program."""
    parent, number, owner, *program = arguments
    if owner != "-":
        user_id, group_id = (int(part) for part in owner.split(":"))
        os.setgroups([])
        os.setgid(group_id)
        os.setuid(user_id)
    die_with_parent(int(parent), int(number))
    os.execvp(program[0], program)  # noqa: S606 - becoming the program is what this script is for


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        sys.exit(f"cannot start {sys.argv[4]}: {error}")
