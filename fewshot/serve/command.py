"""The command `fewshot serve`."""

import argparse
import errno
import importlib.util
import ipaddress
import socket
import sys
from collections.abc import Sequence

from fewshot.classify.learned import learned
from fewshot.errors import InputError, MissingPartError

SERVE = """A small page on this machine: paste labelled examples, see them learned, label texts, correct it.

RUN is the directory of a meta-trained run; without it the one that comes with the package is taken. The JSON
interface is described at /docs. Nothing is written to disk."""


def serve(arguments: Sequence[str]) -> int:
    """`fewshot serve`."""
    parser = argparse.ArgumentParser(
        prog="fewshot serve",
        description=SERVE,
        epilog="example: fewshot serve runs/demo --port 8000",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", nargs="?", help="directory of a run; by default the one of the package")
    parser.add_argument(
        "--host", default="127.0.0.1", help="the address to listen at; by default this machine's"
    )
    parser.add_argument("--port", type=int, default=8000, help="8000 by default; 0 for one that is free")
    parser.add_argument("--device", choices=["cpu", "cuda"], help="by default the run's own")
    given = parser.parse_args(list(arguments))
    _check_installed()
    taken = listening(given.host, given.port)  # before the run is read, which takes seconds
    import uvicorn

    from fewshot.serve.app import create_app

    meta = learned(given.run, given.device)
    port = taken.getsockname()[1]
    shown = f"[{given.host}]" if ":" in given.host else given.host
    if not is_local(given.host):
        print("anybody on the network can use this page: it knows no passwords", file=sys.stderr)
    print(f"http://{shown}:{port}  (Ctrl-C ends it)", flush=True)
    config = uvicorn.Config(create_app(meta, [shown]), log_level="warning", server_header=False)
    uvicorn.Server(config).run(sockets=[taken])
    return 0


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        InputError: the port is taken or not allowed, or there is no such address.
    """
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen()  # who asks while the run is being read waits
    except (OSError, OverflowError) as error:
        found.close()
        taken = getattr(error, "errno", None) == errno.EADDRINUSE
        raise InputError(
            "the page cannot be served there",
            where=f"--host {host} --port {port}",
            got="another program listens there" if taken else str(error),
            needed="an address of this machine and a port that is free",
            fix="choose another --port, or 0 for any",
        ) from error
    return found


def is_local(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_installed() -> None:
    for name in ("fastapi", "uvicorn"):
        if importlib.util.find_spec(name) is None:
            raise MissingPartError(
                "the page needs a package that is not installed",
                got=f"no {name}",
                fix='python -m pip install "fewshot[serve]"',
            )
