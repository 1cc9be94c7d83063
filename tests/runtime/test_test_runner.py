"""The hand-over from Django's `test` command to pytest."""

import pytest

from runtime.test_runner import PytestRunner


class TestRunTests:
    @pytest.mark.parametrize(("body", "status"), [("assert True", 0), ("assert False", 1)])
    def test_gives_the_exit_status_of_pytest(self, tmp_path, capfd, body, status):
        file = tmp_path / "test_it.py"
        file.write_text(f"def test_it():\n    {body}\n")

        assert (
            PytestRunner(verbosity=1).run_tests(["-q", "-p", "no:django", "-c", "/dev/null", str(file)])
            == status
        )
        capfd.readouterr()
