"""One server under test, as the suite starts it: reads what is wanted from stdin, serves it, and says where on stdout.

    python -m tests.conformance.server WORKER HANDLERS DIRECTORY

`WORKER` is gunicorn's worker class, `HANDLERS` the kind of the servicer's handlers; `DIRECTORY` gets the server's log.
Messages on stdin and stdout have a prefix of four bytes with their length. SIGTERM ends the server.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

from connectrpc.conformance.v1.server_compat_pb2 import ServerCompatRequest, ServerCompatResponse

from tests.servers import ASGI, BACKEND_DIR, HOST

THREADS = 256
"""Of a gthread worker. It gives a thread to each HTTP/2 connection, and the suite leaves one open for many a case."""

START_SECONDS = 10.0
"""How long the server may take to answer its first request. The suite waits no longer."""

STOP_SECONDS = 4.0
"""How long the server may take to end. After five seconds the suite kills this process, but none below it."""


def main() -> None:
    """Serves until SIGTERM, or until the suite has gone."""
    suite = os.getppid()
    worker, handlers, directory = sys.argv[1:]
    request = ServerCompatRequest.FromString(_read_message())
    certificate: bytes = request.server_creds.cert if request.use_tls else b""
    with tempfile.TemporaryDirectory() as secrets:
        tls = _tls_environment(certificate, request.server_creds.key, Path(secrets)) if certificate else {}
        log_file, _ = tempfile.mkstemp(prefix="server-", suffix=".log", dir=directory)
        with os.fdopen(log_file, "wb") as log, socket.create_server((HOST, 0), backlog=128) as listener:
            port = listener.getsockname()[1]
            process = _start(worker, handlers, listener, request.message_receive_limit, tls, log)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        try:
            _wait_until_answering(port, certificate)
            _write_message(ServerCompatResponse(host=HOST, port=port, pem_cert=certificate).SerializeToString())
            _wait_until_ended(process, suite)
        finally:
            _stop(process)


def _read_message() -> bytes:
    (length,) = struct.unpack(">I", sys.stdin.buffer.read(4))
    return sys.stdin.buffer.read(length)


def _write_message(message: bytes) -> None:
    sys.stdout.buffer.write(struct.pack(">I", len(message)) + message)
    sys.stdout.buffer.flush()


def _tls_environment(certificate: bytes, key: bytes, directory: Path) -> dict[str, str]:
    """The suite brings a certificate for the loopback address."""
    certificate_path, key_path = directory / "certificate.pem", directory / "key.pem"
    certificate_path.write_bytes(certificate)
    key_path.write_bytes(key)
    return {"WEB_TLS_CERT": str(certificate_path), "WEB_TLS_KEY": str(key_path)}


def _start(
    worker: str, handlers: str, listener: socket.socket, receive_limit: int, tls: dict[str, str], log: BinaryIO
) -> subprocess.Popen[bytes]:
    """The configuration is the project's own; only the application is another."""
    application = "tests.conformance.application:" + ("asgi()" if worker == ASGI else "wsgi()")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("WEB_", "GUNICORN_"))}
    environment |= {
        "CONFORMANCE_HANDLERS": handlers,
        "CONFORMANCE_RECEIVE_LIMIT": str(receive_limit),
        "WEB_BIND": f"fd://{listener.fileno()}",
        "WEB_CONCURRENCY": "1",
        "WEB_GRACEFUL_TIMEOUT": "1",
        "WEB_H2C": "1",
        "WEB_THREADS": str(THREADS),
        "WEB_WORKER": worker,
        **tls,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py", application],
        cwd=BACKEND_DIR,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        pass_fds=[listener.fileno()],
    )


def _wait_until_answering(port: int, certificate: bytes) -> None:
    """The suite counts deadlines from when it sends, so the worker has to be there before.

    The connection waits in the socket's queue until it is, and is reset when the server ends instead.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=START_SECONDS)
    if certificate:
        context = ssl.create_default_context(cadata=certificate.decode())
        connection = http.client.HTTPSConnection(HOST, port, timeout=START_SECONDS, context=context)
    connection.request("GET", "/")
    connection.getresponse().read()
    connection.close()


def _wait_until_ended(process: subprocess.Popen[bytes], suite: int) -> None:
    """A suite that was killed has not told its servers to end."""
    while process.poll() is None and os.getppid() == suite:
        try:
            process.wait(1.0)
        except subprocess.TimeoutExpired:
            continue


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()  # its worker ends by itself when it sees that its parent has gone


if __name__ == "__main__":
    main()
