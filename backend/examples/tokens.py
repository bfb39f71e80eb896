"""A token with every call: who calls, for programs that have no session.

The channel adds `authorization: Bearer <token>` to the metadata. grpcio does so on encrypted connections only: whoever
reads a token can use it. The admin makes tokens, and so does `CreateToken` of users.v1.UserService.
"""

from __future__ import annotations

import grpc

from examples.client import SECONDS, arguments, connected
from generated.users.v1 import users_pb2

if __name__ == "__main__":
    given = arguments(__doc__, "ca", "token")
    credentials = grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(root_certificates=given.ca.read_bytes()),
        grpc.access_token_call_credentials(given.token),
    )
    with connected(given.address, credentials) as client:
        response = client.users.GetCurrentUser(users_pb2.GetCurrentUserRequest(), timeout=SECONDS)
        print("called as", response.user.email or "nobody")

    # One call as somebody else: credentials of the call instead of those of the channel.
    with connected(given.address, grpc.ssl_channel_credentials(given.ca.read_bytes())) as client:
        try:
            client.users.GetCurrentUser(
                users_pb2.GetCurrentUserRequest(),
                timeout=SECONDS,
                credentials=grpc.access_token_call_credentials("no such token"),
            )
        except grpc.RpcError as error:
            print("refused:", error.code().name)
