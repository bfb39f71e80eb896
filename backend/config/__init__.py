"""The Django project: wiring only. Settings, URLs, server entry points; behaviour belongs to the apps."""
