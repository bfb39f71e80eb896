"""The smoke test passes where everything is there, and each check fails where its part is not as it should be."""

from __future__ import annotations

import http.client
import http.server
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest

from generated.orders.v1 import orders_pb2 as pb
from tests.contract.grpc_web import MODES, Mode
from tests.databases import Database, migrated_database
from tests.envoy_process import Envoy, running_envoy
from tests.native_server.process import Rungrpc, running_rungrpc
from tests.servers import ASGI, BACKEND_DIR, HOST, Server, running_server
from tests.smoke import checks, live, site
from tests.smoke.__main__ import main, run

SETTINGS = "tests.smoke.settings"
BUNDLES = ("main.js", "main.css", "theme.js")
MANAGE_SECONDS = 60.0


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A demo shop, beside a folder with its static files."""
    folder = tmp_path_factory.mktemp("site")
    sources, root = folder / "sources", folder / "static"
    sources.mkdir()
    for name in BUNDLES:
        (sources / name).write_text(f"/* {name} */")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SMOKE_STATIC_SOURCES", str(sources))
        environment.setenv("SMOKE_STATIC_ROOT", str(root))
        with migrated_database(folder, SETTINGS) as database:
            for words in (["seed"], ["collectstatic", "--no-input"]):
                subprocess.run(
                    [sys.executable, "manage.py", *words, "--verbosity", "0"],
                    cwd=BACKEND_DIR,
                    env=os.environ | {"DJANGO_SETTINGS_MODULE": SETTINGS} | database.environment,
                    stdout=subprocess.DEVNULL,
                    check=True,
                    timeout=MANAGE_SECONDS,
                )
            yield database


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, database: Database) -> Iterator[Server]:
    """gunicorn."""
    directory = tmp_path_factory.mktemp("web")
    with running_server(ASGI, directory, settings=SETTINGS, database=database, copy=False) as server:
        yield server


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory, database: Database) -> Iterator[Rungrpc]:
    """rungrpc on the same database."""
    directory = tmp_path_factory.mktemp("grpc")
    with running_rungrpc(directory, database=database, settings=SETTINGS, copy=False) as server:
        yield server


@pytest.fixture(scope="module")
def envoy(tmp_path_factory: pytest.TempPathFactory, web: Server, native: Rungrpc) -> Iterator[Envoy]:
    """Envoy in front of both."""
    with running_envoy(tmp_path_factory.mktemp("envoy"), web=web.authority, grpc=native.address) as envoy:
        yield envoy


def lines(output: str) -> dict[str, list[str]]:
    """Gives the checks that a run has printed, by how they went."""
    found: dict[str, list[str]] = {"ok": [], "skip": [], "FAIL": []}
    for line in output.splitlines()[:-1]:
        word, _, rest = line.partition(" ")
        found[word].append(rest.strip())
    return found


def test_all_of_it_works(web: Server, native: Rungrpc, envoy: Envoy, capsys: pytest.CaptureFixture[str]):
    code = main([web.url, "--envoy", f"http://{envoy.edge}", "--grpc", native.address])
    output = capsys.readouterr().out
    assert (code, output.splitlines()[-1]) == (0, "26 checks, 0 failed"), output
    assert len(lines(output)["ok"]) == 26
    assert not checks.speaks_http2(site.Server.at(f"http://{envoy.in_process}")), (
        "the plain listener has no native gRPC"
    )


def test_what_has_no_native_grpc_is_no_failure(capsys: pytest.CaptureFixture[str]):
    assert run(("native gRPC", "in-process", checks.no_native))
    assert lines(capsys.readouterr().out + "end")["skip"]


def test_nobody_is_there(capsys: pytest.CaptureFixture[str]):
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        address = f"{HOST}:{taken.getsockname()[1]}"
        code = main([f"http://{address}", "--grpc", address])
    output = capsys.readouterr().out
    assert (code, output.splitlines()[-1]) == (1, "13 checks, 12 failed"), output
    assert lines(output)["ok"] == []


CSP = {"content-security-policy": "default-src 'none'"}
KEPT = {"cache-control": "max-age=315360000, public, immutable"}
DOCUMENT = b'<link href="/static/main.0fefa56e9cd6.css"><script src="/static/main.dbc1e1a4075d.js">'


@pytest.mark.parametrize(
    ("document", "file", "problem"),
    [
        (site.Page(500, CSP, b""), None, "/ was answered with 500"),
        (site.Page(200, {}, DOCUMENT), None, "no Content-Security-Policy"),
        (site.Page(200, CSP, b"<p>"), None, "no script"),
        (site.Page(200, CSP, DOCUMENT.partition(b">")[2]), None, "no style sheet"),
        (site.Page(200, CSP, DOCUMENT.replace(b".0fefa56e9cd6", b"")), None, "main.css has no hash in its name"),
        (site.Page(200, CSP, DOCUMENT), site.Page(404, KEPT, b"?"), "css was answered with 404"),
        (site.Page(200, CSP, DOCUMENT), site.Page(200, KEPT, b""), "is empty"),
        (site.Page(200, CSP, DOCUMENT), site.Page(200, {}, b"..."), "may not be kept"),
    ],
)
def test_a_page_that_is_not_as_it_should_be(
    document: site.Page, file: site.Page | None, problem: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(site.Visitor, "get", lambda _, path, *__: document if path == "/" else file)
    with pytest.raises(AssertionError, match=problem):
        checks.page(site.Server.at("http://there"))


def test_a_page_that_is(monkeypatch: pytest.MonkeyPatch):
    pages = {"/": site.Page(200, CSP, DOCUMENT)}
    monkeypatch.setattr(site.Visitor, "get", lambda _, path, *__: pages.get(path, site.Page(200, KEPT, b"...")))
    assert checks.page(site.Server.at("http://there")) == "2 static files"


class Buffering(http.server.BaseHTTPRequestHandler):
    """A proxy that has the whole answer before it passes anything on."""

    server: Proxy

    def do_POST(self) -> None:
        """Passes a call on."""
        connection = http.client.HTTPConnection(*self.server.upstream)
        body = self.rfile.read(int(self.headers["content-length"]))
        connection.request("POST", self.path, body, {"content-type": self.headers["content-type"]})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        self.send_response(answer.status)
        self.send_header("content-type", answer.headers["content-type"])
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class Proxy(http.server.ThreadingHTTPServer):
    """Such a proxy before a server."""

    upstream: tuple[str, int]


@contextmanager
def buffering_proxy(server: Server) -> Iterator[site.Server]:
    """A server that holds messages back."""
    with Proxy((HOST, 0), Buffering) as proxy:
        proxy.upstream = server.address
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield site.Server.at(f"http://{HOST}:{proxy.server_port}")
        finally:
            proxy.shutdown()
            thread.join()


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_a_proxy_that_holds_messages_back(asgi_server: Server, mode: Mode):
    with buffering_proxy(asgi_server) as proxy:
        assert checks.unary(proxy, mode) == "echoed"
        with pytest.raises(AssertionError, match="held back"):
            checks.stream(proxy, mode)


def test_a_server_without_the_service(grpcio_without_services: str):
    with grpc.insecure_channel(grpcio_without_services) as channel:
        for check in (checks.native_unary, checks.native_stream, checks.native_bidi):
            with pytest.raises(grpc.RpcError, match="UNIMPLEMENTED"):
                check(channel)


@pytest.fixture
def grpcio_without_services() -> Iterator[str]:
    """A gRPC server that serves nothing."""
    server = grpc.server(None)
    port = server.add_insecure_port(f"{HOST}:0")
    server.start()
    yield f"{HOST}:{port}"
    server.stop(None).wait()


def update(order_id: int, version: int, **order: object) -> pb.StreamOrderUpdatesResponse:
    """A message of a stream of updates."""
    return pb.StreamOrderUpdatesResponse(order=pb.Order(id=order_id, version=version, **order), resume_token="t")


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([], "has ended"),
        ([update(2, 1)], "has ended"),
        ([update(1, 2)], "has ended"),
        ([update(1, 1, customer_email="ada@example.com")], "another order"),
    ],
)
def test_an_update_that_does_not_come(messages: list[pb.StreamOrderUpdatesResponse], problem: str):
    follower = live.Follower("there", site.Server.at("http://there"), iter(messages))
    with pytest.raises(AssertionError, match=problem):
        follower.wait_for(pb.Order(id=1, version=1))


def test_an_update_that_comes_too_late(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live, "ORDER_SECONDS", 0.0)
    follower = live.Follower("there", site.Server.at("http://there"), iter([update(2, 1), update(1, 1)]))
    with pytest.raises(AssertionError, match="no update"):
        follower.wait_for(pb.Order(id=1, version=1))


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://there", "http://", "http://there/page", "http://there?x"])
def test_what_is_no_address(url: str):
    with pytest.raises(ValueError, match="is no address"):
        site.Server.at(url)


def test_a_page_for_signing_in_without_demo_users(monkeypatch: pytest.MonkeyPatch):
    page = site.Page(200, {}, b'<input name="csrfmiddlewaretoken" value="x">')
    monkeypatch.setattr(site.Visitor, "get", lambda *_: page)
    with pytest.raises(site.Skipped, match="no demo users"):
        site.Visitor(site.Server.at("http://there")).sign_in_as_demo()
