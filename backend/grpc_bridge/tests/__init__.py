"""Tests of the bridge without a server. Those against real servers are in `tests/contract`."""
