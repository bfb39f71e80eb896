"""Tests of the protocol core. `bodies.py` has the request bodies as cases, `fixtures/` bytes that were written down."""
