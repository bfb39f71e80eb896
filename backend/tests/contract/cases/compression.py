"""Compression in both directions. A client sees none of it; what travels is in `test_compression.py`."""

from __future__ import annotations

import grpc
from google.protobuf.empty_pb2 import Empty

from tests.contract.case import Answer, Call, Case
from tests.contract.cases.messages import LIMIT, texts
from tests.contract.methods import ASYNC, SYNC
from tests.contract.servicers.compression import TEXT

_REQUEST = "0123456789" * 1000

CASES = (
    *(
        Case(f"{method} by {compression.name}", Call(method, texts(compression.name)), Answer(texts(TEXT)))
        for method in ("Compress", "CompressNot", "CompressTwice")
        for compression in grpc.Compression
    ),
    *(
        Case(
            f"CompressStream by {compression.name}",
            Call("CompressStream", texts(compression.name)),
            Answer(texts(TEXT) * 3),
        )
        for compression in grpc.Compression
    ),
    *(
        Case(
            f"CompressAndAbort by {compression.name}",
            Call("CompressAndAbort", texts(compression.name)),
            Answer(texts(TEXT), grpc.StatusCode.ABORTED, TEXT[:100]),
        )
        for compression in grpc.Compression
    ),
    Case("compression set too late is ignored", Call("CompressLate", [Empty()]), Answer(texts(TEXT)), [SYNC]),
    Case("compression set too late is refused", Call("CompressLate", [Empty()]), Answer(texts("refused")), [ASYNC]),
    *(
        Case(f"{name} by {compression.name}", Call(method, requests, compression=compression), Answer(answers))
        for compression in (grpc.Compression.Gzip, grpc.Compression.Deflate)
        for name, method, requests, answers in (
            ("request compressed", "Echo", texts(_REQUEST), texts(_REQUEST)),
            ("request of no bytes compressed", "Echo", texts(""), texts("")),
            ("requests compressed", "Collect", texts(_REQUEST, "", "b"), texts(f"{_REQUEST},,b")),
            ("both directions, requests compressed", "Chat", texts(_REQUEST, "", "b"), texts(_REQUEST, "", "b")),
        )
    ),
    *(
        Case(
            f"{name} that is too large once decompressed",
            Call(method, requests, compression=grpc.Compression.Gzip),
            Answer((), grpc.StatusCode.RESOURCE_EXHAUSTED, "Decompressed message larger than max"),
        )
        for name, method, requests in (
            ("request", "Echo", texts("x" * 2 * LIMIT)),
            ("second request", "Collect", texts("small", "x" * 2 * LIMIT)),
        )
    ),
)
