"""What other modules ask of the bridge's own servers while a call is open, asked of Envoy and rungrpc, in binary mode.

Left out is what Envoy or grpcio does otherwise by design: headers of HTTP, the caller's address, how a malformed
`grpc-timeout` or `-bin` entry is worded, and that a connection outlives a call that was answered before its request was
there.
"""

from __future__ import annotations

import pytest

from tests.contract.control import Control
from tests.contract.envoy import EnvoyTransport
from tests.contract.grpc_web import MODES
from tests.contract.test_deadline import (  # noqa: F401
    test_a_call_that_waits_for_its_requests_is_ended_on_time,
    test_a_stream_is_ended_on_time,
    test_a_stream_that_never_pauses_is_ended_on_time,
    test_a_unary_call_is_answered_on_time,
    test_the_handler_learns_of_it_while_it_waits_for_a_request,
    test_the_handler_of_a_stream_learns_of_it,
    test_the_handler_of_a_unary_call_learns_of_it,
    test_time_remaining,
)
from tests.contract.test_deadline import test_no_time_at_all as no_time_at_all
from tests.contract.test_disconnect import (  # noqa: F401
    leaving,
    test_a_handler_that_waits_for_requests_is_stopped,
    test_a_stream_that_sends_is_stopped,
    test_a_stream_that_waits_is_stopped,
    test_a_unary_handler_is_stopped,
    test_requests_that_break_off_are_not_taken_for_their_end,
)
from tests.contract.test_echo_service import test_method  # noqa: F401
from tests.contract.test_streaming import (  # noqa: F401
    test_a_chunked_request_is_read_to_its_end,
    test_an_answer_may_end_before_its_requests,
    test_any_answer_leaves_the_connection_usable,
    test_calls_follow_each_other_on_one_connection,
    test_many_calls_at_the_same_time,
    test_messages_arrive_while_the_stream_is_open,
    test_requests_are_answered_one_by_one,
    test_requests_reach_the_handler_one_by_one,
)
from tests.contract.test_upload import test_messages_that_are_not_taken_hold_back_the_sender  # noqa: F401
from tests.servers import Server


@pytest.fixture
def transport(envoy_server: Server) -> EnvoyTransport:
    """Envoy instead of each server in each mode."""
    return EnvoyTransport(envoy_server, MODES[0])


@pytest.fixture
def binary_transport(transport: EnvoyTransport) -> EnvoyTransport:
    """Envoy instead of each server."""
    return transport


@pytest.fixture
def asgi_transport(transport: EnvoyTransport) -> EnvoyTransport:
    """Envoy instead of the ASGI server."""
    return transport


@pytest.fixture
def control(transport: EnvoyTransport) -> Control:
    """The bookkeeping of rungrpc."""
    return Control(transport)


@pytest.fixture
def asgi_control(control: Control) -> Control:
    """The same."""
    return control


@pytest.mark.parametrize(
    ("method", "timeout"),
    [("Echo", "0m"), ("Echo", "0S"), ("Echo", "000000000000n"), ("Sleep", "0m"), ("Sleep", "0S"), ("Sleep", "1n")],
)
def test_no_time_at_all(transport: EnvoyTransport, flavour: str, method: str, timeout: str) -> None:
    """grpcio makes a millisecond of a nanosecond, which is time enough for an echo."""
    no_time_at_all(transport, flavour, method, timeout)
