"""Ports for servers that a test starts as processes of their own."""

import random
import socket

# Below those that the kernel hands out (32768 and up): nobody's outgoing connection takes it meanwhile.
_PORTS = range(20_000, 32_000)


def free_port() -> int:
    """Return a port of the loopback address on which nobody listens."""
    # Of the system: other processes of the same test run have the same seed.
    for port in random.SystemRandom().sample(_PORTS, 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("a hundred ports are in use")
