"""Settings that the runtime supplies: reads `.env`, makes missing secrets once; never overrides what is set."""

import base64
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

SECRETS = ("SECRET_KEY", "CREDENTIAL_KEYS")
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*\Z")


def is_set(name: str, environ: Mapping[str, str]) -> bool:
    """Say whether a setting is given: by value, as a file or by a function; an empty value counts as absent."""
    return any(environ.get(f"{name}{form}") for form in ("", "_FILE", "_PROVIDER"))


def parse_env_file(text: str) -> dict[str, str]:
    """Read NAME=value lines: `#` starts a comment line or follows a space, one pair of quotes is taken off."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if line.lstrip().startswith("#") or not match:
            continue
        name, value = match.groups()
        if value[:1] in {"'", '"'} and (end := value.find(value[0], 1)) > 0:
            values[name] = value[1:end]
        else:
            values[name] = re.sub(r"(?:^|\s)#.*", "", value).strip()
    return values


def load_env_file(path: Path) -> None:
    """Put what `.env` gives into this process's environment, except for what is set already."""
    if not path.is_file():
        return
    for name, value in parse_env_file(path.read_text(encoding="utf-8")).items():
        if value and not is_set(name, os.environ):
            os.environ[name] = value


def new_secrets() -> dict[str, str]:
    """Make a fresh Django secret key and a credential ring of one AES-256 key."""
    ring_key = base64.b64encode(secrets.token_bytes(32)).decode("ascii")
    # An id of its own: two rings that both call their key k1 are told apart only by what fails to open.
    return {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "CREDENTIAL_KEYS": f"k-{secrets.token_hex(4)}:{ring_key}",
    }


def kept_secrets(path: Path) -> dict[str, str]:
    """
    Read the secrets kept for this folder, making the missing ones first.

    Effects: writes `path` with mode 0600. Call it under the folder's lock, or two first commands would
    each keep a key and the data encrypted with one of them would be lost.
    """
    kept = parse_env_file(path.read_text(encoding="utf-8")) if path.exists() else {}
    if all(kept.get(name) for name in SECRETS):
        return {name: kept[name] for name in SECRETS}
    values = {**new_secrets(), **{name: value for name, value in kept.items() if value}}
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(
            "# Made by Tallystick. Without CREDENTIAL_KEYS the stored API keys cannot be read: back it up.\n"
        )
        file.writelines(f"{name}={value}\n" for name, value in values.items())
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    return {name: values[name] for name in SECRETS}


def missing(values: Mapping[str, str]) -> dict[str, str]:
    """Keep of `values` only what the environment does not give itself."""
    return {name: value for name, value in values.items() if not is_set(name, os.environ)}
