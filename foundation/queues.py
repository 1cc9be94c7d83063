"""What the broker's keys are called in Redis: all begin with a prefix of ours, so that a server can be shared."""

# With all that kombu keeps beside the queues: bindings, messages taken and not yet acknowledged, a lock.
KEY_PREFIX = "tallystick:broker:"


def key_of(queue: str) -> str:
    """Return the key of the list in which messages of a queue wait."""
    return f"{KEY_PREFIX}{queue}"
