import pytest

# So that a verdict lists what differs: only the modules of tests are rewritten by themselves.
pytest.register_assert_rewrite("tests.faults.lab", "tests.faults.verdict")
