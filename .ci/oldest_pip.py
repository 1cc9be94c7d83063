"""Installs every locked set, up to the unpacking, with the oldest pip that a supported Python comes with.

Beside the package index stands a folder with a release of each locked package that is newer than the locked one, made
here: what pip does when the world has moved on shows today. `runtime.installation` calls pip as on a fresh machine.
"""

import base64
import hashlib
import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from runtime import installation  # noqa: E402 - the line above leads to it
from runtime.bootstrap import PINNED, SETS  # noqa: E402

# Python 3.11.0 bundles it. It does not run on later ones; there the pip that they bundle is the oldest.
_OLDEST = "pip==22.3 --hash=sha256:1daab4b8d3b97d1d763caeb01a4640a2250a0ea899e257b1e44b9eded91e15ab"
_NEWER = "99999.0"  # later than any date that a package takes for its version


def make_newer_releases(folder: Path, names: list[str]) -> None:
    """Write a wheel for each name: empty, but of a later version than anybody has published."""
    for name in names:
        wheel = name.replace("-", "_").replace(".", "_")
        about = f"{wheel}-{_NEWER}.dist-info"
        files = {
            f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {_NEWER}\n",
            f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: tallystick\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in files.items())
        with zipfile.ZipFile(folder / f"{wheel}-{_NEWER}-py3-none-any.whl", "w") as archive:
            for path, text in {**files, f"{about}/RECORD": f"{record}{about}/RECORD,,\n"}.items():
                archive.writestr(path, text)


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def make_environment(folder: Path) -> Path:
    """Make a virtual environment with the oldest pip and return its interpreter."""
    is_first = sys.version_info[:2] == (3, 11)
    venv.create(folder / "venv", with_pip=not is_first, symlinks=True)
    if is_first:
        (folder / "pip.txt").write_text(_OLDEST)
        fetch = ("-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--dest", str(folder))
        subprocess.run([sys.executable, *fetch, "-r", str(folder / "pip.txt")], check=True)  # noqa: S603
        (wheel,) = folder.glob("pip-*.whl")
        site_packages = folder / "venv/lib/python3.11/site-packages"
        zipfile.ZipFile(wheel).extractall(site_packages)  # its hash is the one above
    return folder / "venv/bin/python"


def main() -> None:
    """Try every set, the largest first: what it fetched is there for the others."""
    with tempfile.TemporaryDirectory(prefix="oldest-pip-") as name:
        folder = Path(name)
        python = make_environment(folder)
        newer = folder / "newer"
        newer.mkdir()
        links = f"{os.environ.get('PIP_FIND_LINKS', '')} {newer}".strip()
        os.environ.update(PIP_FIND_LINKS=links, PIP_DRY_RUN="1")
        for locked in reversed(SETS):
            requirements = ROOT / f"requirements/{locked}.txt"
            make_newer_releases(newer, [pin[0] for pin in PINNED.findall(requirements.read_text("utf-8"))])
            installation.Installer(python, requirements).run()


if __name__ == "__main__":
    main()
