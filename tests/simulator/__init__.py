"""Tests of the simulator, against the real process."""
