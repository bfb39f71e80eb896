"""What every caller in Python is made of, whatever carries its calls: grpcio's channels, stub methods and calls.

No bytes move here, and Django is not known. `grpc_bridge.client` carries calls over HTTP, `grpc_bridge.testing` in
memory; each brings its own exchange, which is one request on its way and the answer that comes back.

    method.py           what a stub says of a method and of a call; request messages to frames
    answer.py           an answer as it arrives, and how a call ends
    sync_exchange.py    what a sync call needs of its exchange
    sync_calls.py       what a stub gives: `grpc.Call` and `grpc.Future`
    sync_channel.py     `grpc.Channel`
    aio_exchange.py     what an asyncio call needs of its exchange, and what all such exchanges do alike
    aio_calls.py        what a stub gives: the calls of `grpc.aio`
    aio_intercepted.py  the same, where interceptors stand before the call
    aio_interceptors.py the way through them
    aio_channel.py      `grpc.aio.Channel`
"""
