"""The page on a port of this machine."""

import contextlib
import threading
from collections.abc import Iterator

import uvicorn

from fewshot.serve.command import listening
from fewshot.serve.guard import App


@contextlib.contextmanager
def served(app: App) -> Iterator[str]:
    """Where an application answers."""
    taken = listening("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        taken.close()
