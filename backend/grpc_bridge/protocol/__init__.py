"""The gRPC-Web protocol without I/O: bytes and headers in, messages, bytes and statuses out.

Nothing in this package imports Django, asyncio, sockets or grpc; an import-linter contract keeps it so. Every fact of
the wire has one implementation here and every transport uses it:

    status.py       status codes, the one error type, grpc-message coding
    metadata.py     headers <-> metadata
    timeout.py      grpc-timeout
    frames.py       length-prefixed frames
    text.py         base64 text mode
    trailers.py     the trailer frame
    wire.py         one object per mode (binary, text): content types, request reader, answer bytes
    answer.py       an answer as its caller reads it
    negotiation.py  is this request an RPC, and on which wire is it answered
"""
