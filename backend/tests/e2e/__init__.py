"""Tests that use the page as people do: a real Chromium, a real gunicorn, and nothing between the two."""
