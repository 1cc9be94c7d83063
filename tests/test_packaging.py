"""What surrounds the code agrees with it: settings and their example, containers, locks, the check script."""

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from foundation import env
from runtime import environment, stack

ROOT = Path(__file__).resolve().parent.parent
SECRETS = {"SECRET_KEY", "CREDENTIAL_KEYS", "DATABASE_URL", "REDIS_URL", "EMAIL_URL", "OIDC_CLIENT_SECRET"}
# Nothing that a person sets: a switch of the crash tests, and what an activated virtual environment, the image and
# honcho set.
NOT_FOR_PEOPLE = {"TALLYSTICK_FAILPOINT", "VIRTUAL_ENV", "TALLYSTICK_IMAGE", "HONCHO_PROCESS_NAME"}
# How Celery gets over a lost Redis was measured for exactly these: docs/adr/0002-celery-pins.md.
PINS = {"celery": "5.6.3", "kombu": "5.7.0", "redis": "8.1.0"}


def read(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


def documents(pattern: str) -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(pattern))


def read_by_settings() -> dict[str, str]:
    """Every variable that the settings read, with its default; empty when there is none."""
    calls = re.findall(r'env\.\w+\(\s*"([A-Z_]+)"(?:,\s*(?:default=)?"([^"]*)")?', read("config/settings.py"))
    return dict(calls)


def read_elsewhere() -> set[str]:
    """Every variable that the runtime, the workers, the Procfile and the containers read."""
    paths = [*ROOT.glob("runtime/*.py"), *ROOT.glob("workers/*.py"), ROOT / "Procfile"]
    text = read("docker-compose.yml") + "".join(path.read_text("utf-8") for path in paths)
    return set(re.findall(r'(?:environ\.get\("|\$\{)([A-Z][A-Z_]+)', text)) - NOT_FOR_PEOPLE


def example() -> dict[str, str]:
    return dict(re.findall(r"^#?([A-Z][A-Z_]+)=(.*)$", read(".env.example"), re.MULTILINE))


def locked(name: str) -> dict[str, str]:
    pins = re.findall(
        r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", read(f"requirements/{name}.txt"), re.MULTILINE
    )
    return dict(pins)


def one_liners() -> list[str]:
    return re.findall(r'^#\s+python3 -c "(.*)"$', read(".env.example"), re.MULTILINE)


class TestEnvironmentExample:
    def test_has_every_variable_that_the_settings_read(self) -> None:
        assert set(read_by_settings()) - set(example()) == set()

    def test_has_the_file_form_of_every_secret_and_of_nothing_else(self) -> None:
        assert {name for name in example() if name.endswith("_FILE")} == {f"{name}_FILE" for name in SECRETS}

    def test_names_every_secret_that_the_settings_read(self) -> None:
        found = re.findall(r'env\.(?:secret|key_ring|redis_url)\(\s*"([A-Z_]+)"', read("config/settings.py"))

        assert set(found) == SECRETS

    def test_has_nothing_that_nobody_reads(self) -> None:
        files = {f"{name}_FILE" for name in SECRETS}

        assert set(example()) - set(read_by_settings()) - read_elsewhere() - files == set()

    def test_has_every_variable_that_is_read_elsewhere(self) -> None:
        assert read_elsewhere() - set(example()) == set()

    def test_states_the_defaults_of_the_settings(self) -> None:
        assert {name: example()[name] for name in read_by_settings()} == read_by_settings()

    def test_sets_nothing_by_itself(self) -> None:
        assert set(environment.parse_env_file(read(".env.example")).values()) == {""}

    def test_one_liners_make_what_the_settings_accept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made = [
            subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True).stdout
            for line in one_liners()
        ]
        monkeypatch.delenv("CREDENTIAL_KEYS_FILE", raising=False)
        monkeypatch.setenv("CREDENTIAL_KEYS", made[1].strip())

        ((key_id, key),) = env.key_ring("CREDENTIAL_KEYS")

        assert len(made[0]) > 50
        assert re.fullmatch(r"k-[0-9a-f]{8}", key_id)
        assert len(key) == 32
        assert re.fullmatch(r"[0-9a-f]{48}\n", made[2])


class TestContainers:
    compose = yaml.safe_load(read("docker-compose.yml"))

    def test_stop_at_once_when_a_secret_is_missing(self) -> None:
        required = set(re.findall(r"\$\{([A-Z_]+):\?", read("docker-compose.yml")))

        assert required == {"SECRET_KEY", "CREDENTIAL_KEYS", "POSTGRES_PASSWORD"}

    @pytest.mark.parametrize("name", ["migrate", "web", "worker", "beat"])
    def test_run_the_product_read_only_and_without_privileges(self, name: str) -> None:
        service = self.compose["services"][name]

        assert service["read_only"] is True
        assert service["tmpfs"] == ["/tmp"]  # noqa: S108 - the container's
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]

    def test_run_as_nobody_in_particular(self) -> None:
        """The last USER of the image counts; a number, so that a cluster can see that it is not root."""
        users = re.findall(r"^USER (\S+)$", read("Dockerfile"), re.MULTILINE)

        assert users[-1].isdigit()
        assert int(users[-1]) >= 1000
        assert [
            name for name, service in self.compose["services"].items() if service.get("user") in {"root", "0"}
        ] == []
        assert [name for name, service in self.compose["services"].items() if service.get("privileged")] == []

    @pytest.mark.parametrize("name", ["web", "worker", "beat"])
    def test_start_after_the_migration(self, name: str) -> None:
        needed = self.compose["services"][name]["depends_on"]

        assert needed["migrate"] == {"condition": "service_completed_successfully"}

    def test_worker_runs_as_everywhere_else(self) -> None:
        command = self.compose["services"]["worker"]["command"]
        long = {
            "--pool=threads",
            "--concurrency=16",
            "--queues=ticks,lanes",
            "--without-gossip",
            "--without-mingle",
        }
        short = "--pool threads -c 16 --without-gossip --without-mingle -O fair -Q ticks,lanes"

        assert long <= set(command)
        assert short in read("Procfile")
        assert short in " ".join(stack.worker().argv)

    def test_image_holds_every_room(self) -> None:
        pyproject = tomllib.loads(read("pyproject.toml"))
        admitted = set(re.findall(r"^!(\w+)/$", read(".dockerignore"), re.MULTILINE))

        assert admitted == set(pyproject["tool"]["importlinter"]["root_packages"])

    def test_image_says_that_it_is_one(self) -> None:
        assert re.search(r"^ +TALLYSTICK_IMAGE=1 ", read("Dockerfile"), re.MULTILINE)

    def test_health_check_is_a_program_that_python_can_read(self) -> None:
        dockerfile = read("Dockerfile").replace("\\\n", "")
        command = json.loads(re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", dockerfile, re.MULTILINE)[0])

        compile(command[-1], "HEALTHCHECK", "exec")

        assert command[:2] == ["python", "-c"]


class TestTree:
    def test_holds_no_links(self) -> None:
        """One to a folder of somebody's machine would stand in the way of everybody else's."""
        if not (ROOT / ".git").exists():
            pytest.skip("Not a clone.")
        tracked = subprocess.run(
            ["git", "ls-files", "--stage"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()

        assert [line for line in tracked if line.startswith("120000")] == []


class TestRequirements:
    @pytest.mark.parametrize("name", ["runtime", "demo", "test"])
    def test_are_pinned_with_hashes_and_without_addresses(self, name: str) -> None:
        text = read(f"requirements/{name}.txt")
        unhashed = re.findall(r"^[A-Za-z0-9][^\n]*(?<!\\)$", text, re.MULTILINE)

        assert unhashed == []
        assert re.findall(r"https?://|--index|--find-links", text) == []

    def test_each_set_holds_the_one_before_it(self) -> None:
        assert locked("runtime").items() <= locked("demo").items() <= locked("test").items()

    def test_project_names_the_dependencies_of_the_runtime(self) -> None:
        lines = [line for line in read("requirements/runtime.in").splitlines() if not line.startswith("#")]

        assert tomllib.loads(read("pyproject.toml"))["project"]["dependencies"] == lines

    @pytest.mark.parametrize(
        "path", ["Dockerfile", *documents("*.md"), *documents("docs/*.md"), *documents("runtime/*.py")]
    )
    def test_are_installed_without_resolving_them_anew(self, path: str) -> None:
        """Before release 23.3 pip resolved hashed requirements wrongly, and Python 3.11 comes with such a one."""
        text = read(path).replace("\\\n", "")
        lines = re.findall(r"pip install [^\n`]*-r [^\n`]*", text)

        assert [line for line in lines if "--require-hashes --no-deps" not in line] == []

    @pytest.mark.parametrize(("name", "version"), PINS.items())
    def test_broker_libraries_are_those_that_were_measured(self, name: str, version: str) -> None:
        assert locked("runtime")[name] == version
        assert importlib.metadata.version(name) == version


class TestCheckScript:
    script = read(".ci/run")
    # Steps of a whole run, and steps that run only when they are named.
    listed = dict(re.findall(r'^(ALL|ALONE)="([^"]*)"$', script, re.MULTILINE))

    def test_runs_every_step_it_defines(self) -> None:
        defined = re.findall(r"^step_(\w+)\(\)", self.script, re.MULTILINE)

        assert f"{self.listed['ALL']} {self.listed['ALONE']}".split() == defined

    def test_ends_with_the_suite(self) -> None:
        assert self.listed["ALL"].endswith(" test")

    def test_runs_what_contributing_tells_a_person_to_run(self) -> None:
        described = re.findall(r"^\| `(\w+)` \|", read("CONTRIBUTING.md"), re.MULTILINE)

        assert described == f"{self.listed['ALL']} {self.listed['ALONE']}".split()
