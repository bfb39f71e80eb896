"""One module for each application that is measured, with the name `wsgi` or `asgi` for a server to load."""
