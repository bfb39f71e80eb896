"""Settings: `base` is common, `local` runs on a developer's machine, `test` under pytest, `prod` in the world."""
