"""`manage.py rungrpc` as a process: how it starts, serves and ends."""
