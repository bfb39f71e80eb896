"""gunicorn's settings, one file for a developer's machine and for production; the environment makes the difference.

Environment read here, besides gunicorn's own WEB_CONCURRENCY (number of workers, default: 1) and FORWARDED_ALLOW_IPS
(the proxies whose word counts for the scheme, separated by commas, default: this machine). What makes no sense is
refused.
    WEB_WORKER            "asgi" (default) serves config.asgi; "gthread" serves config.wsgi
    WEB_THREADS           threads of a gthread worker, of which each open stream holds one (default: 16)
    WEB_BIND, PORT        address and port (default: 127.0.0.1:8000)
    WEB_H2C               "1" takes native gRPC (HTTP/2 without TLS) on the same port, from the peers that
                          FORWARDED_ALLOW_IPS trusts: this machine, or the load balancer in front (default: off)
    WEB_TLS_CERT, _KEY    files with a certificate and its key: HTTPS, with HTTP/2 for whoever asks (default: none)
    WEB_TIMEOUT           seconds after which a worker that hangs is replaced, 0 for never; under asgi a request may
                          pause for so long, too (default: 30)
    WEB_KEEPALIVE         seconds an idle connection stays open; more than the load balancer's own (default: 75)
    WEB_GRACEFUL_TIMEOUT  seconds that open requests may take to end after SIGTERM (default: 30)
    WEB_STREAM_GRACE      seconds after which streams are ended meanwhile, for their clients to resume (default: 1)
    WEB_MAX_REQUESTS      number of requests after which a worker is replaced, 0 for never (default: 0)
    WEB_MAX_REQUESTS_JITTER
                          up to so many requests more, or all workers would go at once (default: a tenth of that)
    WEB_LOG_LEVEL         gunicorn's own log level (default: info)
    WEB_ACCESS_LOG        "1" writes a line for each request to standard output (default: off, because RPCs are logged)
    WEB_RELOAD            "1" restarts workers when Python code or a template changes (default: off)
    WEB_OPEN_URL          address that is shown once requests are answered (default: nothing is shown)
    DJANGO_LOG_FORMAT     form of both logs, as of the application's: see config/logs.py

uvloop needs no setting: gunicorn takes it where it is installed.
"""

import os
import signal
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.version import Version  # comes with gunicorn

BACKEND_DIR = Path(__file__).resolve().parent.parent

chdir = str(BACKEND_DIR)
if chdir not in sys.path:
    sys.path.insert(0, chdir)  # as gunicorn does, but not before it has read this

from config.logs import JSON, log_format  # noqa: E402


def choice(name: str, *possible: str) -> str:
    """Gives what the environment has chosen; the first one is the default."""
    value = os.environ.get(name) or possible[0]
    if value not in possible:
        raise SystemExit(f"{name} must be {' or '.join(possible)}, not {value!r}")
    return value


def is_on(name: str) -> bool:
    """Whether the environment says 1."""
    return choice(name, "0", "1") == "1"


def number(name: str, default: int, least: int = 0) -> int:
    """Gives a number that the environment may set."""
    value = os.environ.get(name) or str(default)
    if not value.isdecimal() or int(value) < least:
        raise SystemExit(f"{name} must be a whole number, {least} or more, not {value!r}")
    return int(value)


is_asgi = choice("WEB_WORKER", "asgi", "gthread") == "asgi"
worker_class = f"config.gunicorn_workers.{'AsgiWorker' if is_asgi else 'ThreadWorker'}"
wsgi_app = "config.asgi:application" if is_asgi else "config.wsgi:application"
# Nothing here takes part in it, and of its end the worker tells the bridge in a better order by itself.
asgi_lifespan = "off"
workers = number("WEB_CONCURRENCY", 1, least=1)
# The asgi worker has no threads of its own and warns about the setting.
threads = 1 if is_asgi else number("WEB_THREADS", 16, least=1)
bind = os.environ.get("WEB_BIND") or f"127.0.0.1:{number('PORT', 8000)}"


def fast_parser_is_sound() -> bool:
    """Whether gunicorn's optional parser in C is installed in a version that gunicorn 27 itself asks for.

    It would take any, but older ones drop connections whose request body comes in several pieces.
    """
    try:
        return Version(metadata.version("gunicorn_h1c")) >= Version("0.6.14")
    except metadata.PackageNotFoundError:
        return False


http_parser = "fast" if fast_parser_is_sound() else "python"

# HTTP/2 carries native gRPC. Without TLS a client has to begin with it; gunicorn calls that prior knowledge, and "both"
# is its name for a port that goes on to serve browsers by HTTP/1.1.
certfile = os.environ.get("WEB_TLS_CERT")
keyfile = os.environ.get("WEB_TLS_KEY")
if bool(certfile) != bool(keyfile):
    raise SystemExit("WEB_TLS_CERT and WEB_TLS_KEY belong together")
h2c = is_on("WEB_H2C")
http_protocols = "h2,h1" if h2c or certfile else "h1"
http2_cleartext = "both" if h2c else "off"

timeout = number("WEB_TIMEOUT", 30)
keepalive = number("WEB_KEEPALIVE", 75)
graceful_timeout = number("WEB_GRACEFUL_TIMEOUT", 30, least=1)
stream_grace = number("WEB_STREAM_GRACE", 1)
max_requests = number("WEB_MAX_REQUESTS", 0)
max_requests_jitter = number("WEB_MAX_REQUESTS_JITTER", max_requests // 10)
# Its socket would lie in the home directory, which servers often do not have.
control_socket_disable = True

loglevel = choice("WEB_LOG_LEVEL", "info", "debug", "warning", "error", "critical")
accesslog = "-" if is_on("WEB_ACCESS_LOG") else None
if log_format() == JSON:
    logger_class = "config.gunicorn_logs.JsonLogger"

reload = is_on("WEB_RELOAD")
# Python files too: one that could not be imported is not among the modules that gunicorn watches.
reload_extra_files = [str(BACKEND_DIR / "**" / f"*.{suffix}") for suffix in ("py", "html")] if reload else []


def when_ready(server: Any) -> None:
    """Lets a server that somebody watches end with its terminal. gunicorn would take the signal for "reload"."""
    if os.environ.get("WEB_OPEN_URL"):
        signal.signal(signal.SIGHUP, lambda _number, frame: server.signal(signal.SIGTERM, frame))


def post_worker_init(worker: Any) -> None:
    """Shows the address to open: the socket listens already, and this worker has just loaded the application."""
    worker.stream_grace = stream_grace
    url = os.environ.get("WEB_OPEN_URL")
    is_first = worker.age == 1
    if url and is_first:
        print(f"\nOpen {url} (Ctrl-C stops the server)\n", flush=True)
