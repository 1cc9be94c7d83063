"""The decisions of the preamble, and its messages, without installing anything from an index."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runtime import bootstrap, installation
from runtime.bootstrap import VirtualEnvironment

PROJECT = Path(__file__).resolve().parents[2]
SERVERS = {"DATABASE_URL": "postgres://u@h/d", "REDIS_URL": "redis://h"}


class TestRequiredSet:
    @pytest.mark.parametrize(
        ("command", "environ", "expected"),
        [
            (["test", "-x"], SERVERS, "test"),
            (["up"], {}, "demo"),
            (["up"], {"DATABASE_URL": "postgres://u@h/d"}, "demo"),
            (["up"], SERVERS, "runtime"),
            (["up"], {"DATABASE_URL_FILE": "/run/d", "REDIS_URL_FILE": "/run/r"}, "runtime"),
            (["demo"], SERVERS, "demo"),
            (["demo"], {"TALLYSTICK_IMAGE": "1"}, "runtime"),
            ([], {}, "demo"),
        ],
    )
    def test_follows_command_and_given_servers(self, command, environ, expected):
        assert bootstrap.required_set(["manage.py", *command], environ) == expected


class TestLackingDistributions:
    def test_names_pins_that_are_absent_or_of_another_version(self, tmp_path):
        (tmp_path / "requirements").mkdir()
        (tmp_path / "requirements/demo.txt").write_text(
            "pytest==0.0.1 \\\n    --hash=sha256:00\nno-such-thing[extra]==2.0\n"
            "other-platform==1 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n"
        )

        assert bootstrap.lacking_distributions(tmp_path, "demo") == ["pytest==0.0.1", "no-such-thing==2.0"]


class TestStamp:
    @pytest.fixture
    def venv(self, tmp_path):
        (tmp_path / "requirements").mkdir()
        for name in bootstrap.SETS:
            (tmp_path / f"requirements/{name}.txt").write_text(f"# {name}\n")
        (tmp_path / ".venv/bin").mkdir(parents=True)
        (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
        return VirtualEnvironment(tmp_path)

    def test_a_larger_set_covers_the_smaller_ones(self, venv):
        venv.write_stamp("demo")

        assert [venv.is_current(name) for name in bootstrap.SETS] == [True, True, False]

    def test_a_changed_lock_file_asks_for_an_installation(self, venv):
        venv.write_stamp("test")

        (venv.root / "requirements/demo.txt").write_text("# other\n")

        assert not venv.is_current("demo")

    def test_without_a_stamp_nothing_is_current(self, venv):
        assert not venv.is_current("runtime")

    def test_a_dead_interpreter_link_is_not_current(self, venv):
        venv.write_stamp("test")

        venv.python.unlink()
        venv.python.symlink_to(venv.root / "gone")

        assert not venv.is_current("runtime")


class TestExplain:
    @pytest.mark.parametrize(
        ("output", "sentence"),
        [
            ("WARNING: Retrying ... NewConnectionError\n", "no package index can be reached"),
            ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES\n", "differs from the one locked"),
            ("OSError: [Errno 28] No space left on device\n", "disk is full"),
            ("ERROR: something else\n", "pip could not install"),
        ],
    )
    def test_names_the_cause(self, tmp_path, output, sentence):
        (tmp_path / "demo.txt").write_text("a==1\n")
        installer = installation.Installer(tmp_path / "python", tmp_path / "demo.txt")

        installer._note(output)

        assert sentence in installer._explain()


@pytest.fixture
def copy(project):
    """A copy of the entry point with requirements that need no index."""
    shutil.copy(PROJECT / "manage.py", project)
    shutil.copytree(PROJECT / "runtime", project / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
    (project / "requirements").mkdir()
    for name in bootstrap.SETS:
        (project / f"requirements/{name}.txt").write_text("")
    return project


def _outside_any_venv(*arguments, folder, **environ):
    """Run the entry point as on a fresh machine: with the interpreter that made this virtual environment."""
    return subprocess.run(
        [sys._base_executable, "manage.py", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environ},
    )  # fmt: skip


class TestEntryPoint:
    def test_builds_the_environment_once_and_leaves_standard_output_alone(self, copy):
        # The copy has no Django, so each command ends at its import; what counts is what came before.
        first = _outside_any_venv("check", folder=copy)
        second = _outside_any_venv("check", folder=copy)

        assert "Preparing .venv" in first.stderr
        assert (copy / ".venv/tallystick-stamp.json").exists()
        assert "Preparing .venv" not in second.stderr
        assert "No module named 'django'" in second.stderr
        assert first.stdout == second.stdout == ""

    def test_keeps_bytecode_in_the_environment_where_it_may_not_lie_beside_sources(self, copy):
        program = copy / "runtime/launcher.py"
        program.write_text("def run(project, argv):\n    import subprocess, sys\n"
                           "    subprocess.run([sys.executable, '-c', 'import runtime.imported_by_a_child'], check=True)\n")  # fmt: skip
        (copy / "runtime/imported_by_a_child.py").write_text("")

        ended = _outside_any_venv("check", folder=copy, PYTHONDONTWRITEBYTECODE="1")

        kept = {path.name.partition(".")[0] for path in (copy / ".venv/bytecode").rglob("*.pyc")}
        assert ended.returncode == 0, ended.stderr
        assert kept >= {"launcher", "imported_by_a_child"}
        assert not list((copy / "runtime").rglob("*.pyc"))

    def test_builds_a_half_built_environment_anew(self, copy):
        (copy / ".venv").mkdir()
        (copy / ".venv/tallystick-building").touch()
        (copy / ".venv/rubbish").touch()

        _outside_any_venv("check", folder=copy)

        assert (copy / ".venv/tallystick-stamp.json").exists()
        assert not (copy / ".venv/rubbish").exists()

    def test_two_first_commands_build_it_once(self, copy):
        command = [sys._base_executable, "manage.py", "check"]
        both = [subprocess.Popen(command, cwd=copy, stderr=subprocess.PIPE, text=True) for _ in range(2)]

        messages = "".join(process.communicate(timeout=120)[1] for process in both)

        assert messages.count("Preparing .venv") == 1

    def test_knows_the_servers_that_are_written_down(self, copy):
        """Whoever has servers of their own needs none in wheels."""
        (copy / ".env").write_text("DATABASE_URL=postgres://u@h/d\nREDIS_URL=redis://h/0\n")

        _outside_any_venv("check", folder=copy)

        assert set(json.loads((copy / ".venv/tallystick-stamp.json").read_text())) == {"python", "runtime"}

    def test_says_that_what_is_written_down_cannot_be_read(self, copy):
        # Unreadable for root, too.
        (copy / ".env").symlink_to("/proc/self/mem")

        answer = _outside_any_venv("check", folder=copy)

        assert (answer.returncode, answer.stderr.count("\n")) == (1, 1)
        assert ".env cannot be read" in answer.stderr

    def test_says_what_a_given_interpreter_lacks(self, copy):
        (copy / "requirements/demo.txt").write_text("no-such-thing==2.0\n")

        answer = _outside_any_venv("check", folder=copy, TALLYSTICK_NO_VENV="1")

        assert answer.returncode == 1
        assert "this Python lacks no-such-thing==2.0" in answer.stderr
        assert not (copy / ".venv").exists()

    def test_says_that_a_package_cannot_be_fetched(self, copy):
        (copy / "requirements/demo.txt").write_text(f"no-such-thing==2.0 --hash=sha256:{'0' * 64}\n")

        answer = _outside_any_venv(
            "check", folder=copy,
            PIP_INDEX_URL="http://127.0.0.1:9/", PIP_RETRIES="0", PIP_CONFIG_FILE=os.devnull,
        )  # fmt: skip

        assert answer.returncode == 1
        assert "no package index can be reached" in answer.stderr
