"""What a socket tells about its client; reads nothing from it."""

import select
from typing import Any

# Linux tells of a client that has closed its side; elsewhere only one that is quite gone is noticed.
_GONE = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


def has_left(sock: Any) -> bool:
    """Say whether the client has closed its side: nobody waits for the answer any more."""
    look = select.poll()
    try:
        look.register(sock, _GONE)
    except ValueError:  # closed from our side
        return True
    return any(event & _GONE for _, event in look.poll(0))
