"""Messages above the default limits, on servers that are set to take them: 6 MB each way, on every wire."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.wrappers_pb2 import Int32Value

from tests.contract.case import Answer, Call, check
from tests.contract.cases.messages import MEBIBYTE, texts
from tests.contract.grpc_web import MODES, GrpcWebTransport
from tests.contract.native import NativeTransport, connect
from tests.contract.transports import NATIVE, WIRES
from tests.databases import NO_DATABASE
from tests.servers import KINDS, Server, running_server

SETTINGS = "tests.contract.large_settings"

SIX_MEGABYTES = 6_000_000
LIMIT = 8 * MEBIBYTE

_TEXT = "0123456789abcdef" * (SIX_MEGABYTES // 16)

CALLS = {
    "unary": (Call("Echo", texts(_TEXT)), Answer(texts(_TEXT))),
    "server streaming": (
        Call("LargeStream", [Int32Value(value=SIX_MEGABYTES)]),
        Answer(texts("small", "x" * SIX_MEGABYTES, "never sent after one that is too large")),
    ),
    "client streaming": (Call("Collect", texts("a", _TEXT, "b")), Answer(texts(f"a,{_TEXT},b"))),
    "both streaming": (Call("Gather", texts(_TEXT, "", _TEXT)), Answer(texts(_TEXT, "", _TEXT))),
    "both streaming, compressed": (
        Call("Gather", texts(_TEXT, "", _TEXT), compression=grpc.Compression.Gzip),
        Answer(texts(_TEXT, "", _TEXT)),
    ),
    "above the limit": (
        Call("Echo", texts("x" * LIMIT)),
        Answer(
            (),
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"SERVER: Received message larger than max ({LIMIT + 5} vs. {LIMIT})",
        ),
    ),
}


@pytest.fixture(scope="module", params=KINDS)
def large_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Each kind of server with the settings above."""
    with running_server(
        request.param, tmp_path_factory.mktemp("large"), settings=SETTINGS, database=NO_DATABASE
    ) as server:
        yield server


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("name", CALLS)
def test_six_megabytes(large_server: Server, flavour: str, wire: str, name: str) -> None:
    call, answer = CALLS[name]
    if wire == NATIVE:
        with connect(large_server.authority) as channel:
            check(answer, NativeTransport(channel).call(flavour, call))
    else:
        check(answer, GrpcWebTransport(large_server, MODES[WIRES.index(wire)]).call(flavour, call))
