"""The contract suite: what every servicer may rely on, as cases that run on every transport. Also a Django app.

methods.py          the methods there are: kind and message types
servicers/          their handlers, each once as `def` and once as `async def`
rpc.py              registers both, as generated code does
settings.py         Django settings of the servers under test: this app is installed
case.py             a case: what is called, with what, and what must come back; and what a transport is
cases/              the cases
grpc_web.py         the gRPC-Web transports, binary and text; http_client.py is the connection under them
http2_client.py     a client of HTTP/2 that keeps no deadlines
native.py           the native gRPC transport; grpcio_servers.py are the servers that the bridge is compared with
transports.py       the names of all transports
differences.py      where transports answer otherwise than a case says, with reasons
control.py          what a test asks a server beside the call that it looks at
test_cases.py       runs the cases; the other tests hold what is too much about bytes and time to be a case
"""
