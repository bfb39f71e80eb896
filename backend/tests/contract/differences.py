"""Where a transport answers otherwise than a case says, what it answers, and why that is right.

Everything else is answered alike by the bridge on each of its servers and wires and by grpcio. An entry that is not
needed fails `test_differences.py`, and so does a difference that has none fail `test_cases.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import grpc

from tests.contract.case import Answer, Case
from tests.contract.cases.messages import texts
from tests.contract.cases.metadata import values
from tests.contract.native import NEVER_ANSWERED
from tests.contract.transports import GRPCIO, GRPCIO_AIO, WEB_TEXT

Code = grpc.StatusCode


@dataclass(frozen=True)
class Difference:
    """Both patterns are those of `fnmatch`, of which the first may be one of several. `changes` are fields of an
    `Answer`."""

    cases: str | tuple[str, ...]
    transports: str
    changes: Mapping[str, object]
    reason: str

    def applies(self, case: Case, transport: str) -> bool:
        """Whether a case is answered otherwise on a transport."""
        patterns = (self.cases,) if isinstance(self.cases, str) else self.cases
        return fnmatchcase(transport, self.transports) and any(fnmatchcase(case.name, one) for one in patterns)


BOTH = "grpc.*server"
NATIVE = "*, native"

NEVER = {"messages": (), "code": None, "details": NEVER_ANSWERED}

NEVER_SECONDS = 0.3
"""How long it is waited for what never comes."""

SEVERAL_SEGMENTS = (
    "unary of *, 2 messages",
    "server streaming of *, 2 messages",
    "client streaming, 3 messages",
    "client streaming, 1000 messages",
    "client streaming, only the first is read",
    "bidirectional streaming by *, 3 messages",
    "abort with requests left",
    "abort of a stream both ways, with all metadata",
    "set_code with a message, requests stream",
    "requests compressed by *",
    "both directions, requests compressed by *",
    "second request that is too large once decompressed",
)
"""Cases whose first message does not fill its last group of base64, so that there is padding before the next."""

DONE = {"messages": texts("done"), "code": Code.OK, "details": ""}

DIFFERENCES = (
    # What a client sends.
    Difference(
        "invocation metadata, twice",
        "gthread, *",
        {"messages": [values("contract-a=1,2")]},
        "WSGI has one value for each header, so its servers join what comes twice, as HTTP allows.",
    ),
    Difference(
        "unary of *, 2 messages",
        BOTH,
        {"messages": texts("one"), "code": Code.OK, "details": ""},
        "grpcio runs the handler with the first message. A caller that sends two has another method in mind.",
    ),
    Difference(
        "server streaming of *, 2 messages",
        BOTH,
        {"messages": texts("0"), "code": Code.OK, "details": ""},
        "As above.",
    ),
    Difference(
        "* of Sync, 0 messages",
        GRPCIO,
        {"details": "\"b''\" requires exactly one request message."},
        "grpcio means to name the method and has forgotten it by then.",
    ),
    Difference("* of Async, 0 messages", GRPCIO_AIO, NEVER, "grpcio waits for a message that cannot come any more."),
    # What a handler sends.
    Difference(
        "* metadata, reserved key [!ct]*",
        BOTH,
        DONE,
        "grpcio drops what would be a second status and says nothing; the bridge tells the handler's author.",
    ),
    Difference("* metadata, reserved key content-*", BOTH, DONE, "As above."),
    Difference(
        "trailing metadata, reserved key connection",
        BOTH,
        DONE | {"trailing_metadata": (("connection", "close"),)},
        "HTTP/2 forbids the header and HTTP/1.1 acts on it, so no handler may send it through the bridge.",
    ),
    Difference(
        "initial metadata, reserved key connection",
        BOTH,
        DONE | {"initial_metadata": (("connection", "close"),)},
        "As above.",
    ),
    Difference(
        "trailing metadata, reserved key transfer-encoding",
        BOTH,
        DONE | {"trailing_metadata": (("transfer-encoding", "chunked"),)},
        "As above.",
    ),
    Difference(
        "initial metadata, reserved key transfer-encoding",
        BOTH,
        DONE | {"initial_metadata": (("transfer-encoding", "chunked"),)},
        "As above.",
    ),
    Difference(
        "initial metadata, text for a -bin key",
        BOTH,
        {"code": Code.UNKNOWN, "details": re.compile(r".*expected bytes, got <class 'str'>")},
        "grpcio takes this one mistake for one of its own; the bridge has one status for metadata that may not travel.",
    ),
    Difference("trailing metadata, text for a -bin key", BOTH, NEVER, "grpcio fails and never answers."),
    Difference(
        "handler yields no message",
        GRPCIO,
        {"code": Code.OK, "details": ""},
        "grpcio takes None for the end, and what follows is lost without a word.",
    ),
    Difference(
        "handler * no message*",
        GRPCIO_AIO,
        {"code": Code.UNKNOWN, "details": re.compile("Unexpected <class 'TypeError'>.*", re.DOTALL)},
        "grpcio's two servers disagree; the bridge answers as the first does.",
    ),
    Difference(
        "set_code with*",
        GRPCIO_AIO,
        {"messages": texts("")},
        "grpcio sends a message of no bytes in place of the handler's. A caller would take it for an answer.",
    ),
    Difference("abort with OK is no success", GRPCIO_AIO, NEVER, "grpcio fails and never answers."),
    Difference(
        "cancelled by the handler", GRPCIO_AIO, NEVER, "grpcio waits for a status, which the handler never sets."
    ),
    # What an exception gives away.
    Difference(
        ("* raised", "* raised in a stream"),
        BOTH,
        {"code": Code.UNKNOWN, "details": re.compile(r"(Exception|Unexpected) .*the password is swordfish.*")},
        "grpcio shows any caller the text of an exception, and knows nothing of Django's, nor what they mean.",
    ),
    Difference(
        ("RpcError of a call downstream", "all metadata, then an exception"),
        BOTH,
        {"details": re.compile("(Exception calling application|Unexpected <class).*", re.DOTALL)},
        "As above.",
    ),
    Difference(
        ("set_code, then an exception", "set_details, then an exception", "generated base servicer: *"),
        GRPCIO_AIO,
        {"details": re.compile("Unexpected <class .*>: .*")},
        "As above. grpcio prefers the text of an exception to the one that the handler has set.",
    ),
    # What Envoy cannot do.
    Difference(
        SEVERAL_SEGMENTS,
        f"Envoy, {WEB_TEXT}",
        {
            "messages": (),
            "code": Code.INTERNAL,
            "details": "Bad gRPC-web request, invalid base64 data.",
            "trailing_metadata": (),
            "initial_metadata": (),
        },
        "Each message is base64 of its own here, as the specification allows. Envoy takes padding at the end only. "
        "Clients in browsers send one message.",
    ),
    Difference(
        "abort, message: spaces around",
        "Envoy, gRPC-Web *",
        {"details": "spaced"},
        "A status without messages comes in the headers, and HTTP trims them.",
    ),
    # What a client says by itself.
    Difference(
        "deadline passes in *",
        NATIVE,
        {"details": re.compile(r"Deadline Exceeded|Stream removed \(Deadline Exceeded\)")},
        "grpcio's client has a clock of its own and does not wait for the server's answer.",
    ),
    Difference(
        "deadline passes in *",
        BOTH,
        {"details": re.compile(r"Deadline Exceeded|Stream removed \(Deadline Exceeded\)")},
        "As above.",
    ),
)


def expected(case: Case, transport: str) -> Answer:
    """Gives the answer that a transport has to give to a case."""
    answer = case.answer
    for difference in DIFFERENCES:
        if difference.applies(case, transport):
            answer = replace(answer, **difference.changes)
    return answer


def is_answered(case: Case, transport: str) -> bool:
    """Whether a case has an answer on a transport at all."""
    return not any(one.applies(case, transport) and one.changes is NEVER for one in DIFFERENCES)
