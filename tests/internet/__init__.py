"""The parts of the test Internet, which `tests.web` assembles."""
