"""Clients of the native gRPC server, one file for each thing that a client may need. Read, run, copy.

    make grpc                                                        # in one terminal, from the top folder
    cd backend && ../.venv/bin/python -m examples.streaming          # in another; --help tells the options

A file here needs grpcio, the generated code and `client.py`, and nothing of Django. `grpc_web.py` does without HTTP/2:
it calls the site, by `grpc_bridge.client`.
"""
