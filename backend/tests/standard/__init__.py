"""The servicers of grpcio's own packages, registered with the servers under test: health and reflection. A Django app.

Each package has one servicer for `grpc.server` and one for `grpc.aio.server`, with the same name for their service. The
second is registered as `/aio.<name>/*` here, so that one server can have both.
"""
