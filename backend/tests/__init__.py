"""Tests that look at the whole project from outside: through real servers, and through a real browser."""
