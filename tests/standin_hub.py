"""A stand-in for the Hugging Face hub on this machine, which keeps what comes."""

import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ID = "someone/questions"  # the repository that it has


@dataclass
class Hub:
    """What came to the stand-in.

    Args:
        url: where it listens.
        refuse: part of an address -> status and body of the answer to it.
        asked: what it was asked to do: address, token, content.
        files: by branch and name.
        messages: of the commits.
    """

    url: str = ""
    refuse: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    asked: list[tuple[str, str | None, Any]] = field(default_factory=list)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def answer(self, path: str, token: str | None, body: bytes) -> tuple[int, dict[str, Any]]:
        """The answer to one request; without a body it is one to look something up."""
        lines = [json.loads(line) for line in body.splitlines() if line]
        if lines:
            self.asked.append((path, token, lines))
        refused = next((said for part, said in self.refuse.items() if part in path), None)
        if refused:
            return refused
        place, _, branch = path.partition(f"/api/models/{ID}/")[2].partition("/")
        if path == "/api/repos/create":
            return 200, {"url": f"{self.url}/{ID}"}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if place == "branch":
            return 200, {}
        if place == "preupload":
            names = [each["path"] for each in lines[0]["files"]]
            return 200, {
                "files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]
            }
        if place == "commit":
            self.commit(branch, lines)
            return 200, {"commitUrl": f"{self.url}/{ID}/commit/{'a' * 40}", "commitOid": "a" * 40}
        return 404, {"error": f"nothing at {path}"}

    def commit(self, branch: str, lines: list[dict[str, Any]]) -> None:
        """Takes a commit: a header, then a line a file."""
        (header,) = (line["value"] for line in lines if line["key"] == "header")
        self.messages.append(header["summary"])
        assert {line["key"] for line in lines} == {"header", "file"}
        for line in lines[1:]:
            assert line["value"]["encoding"] == "base64"
            content = base64.b64decode(line["value"]["content"])
            self.files.setdefault(branch, {})[line["value"]["path"]] = content


@contextlib.contextmanager
def listening() -> Iterator[Hub]:
    """A hub that takes everything, while the block lasts."""
    found = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.reply(*found.answer(self.path, self.headers["Authorization"], body))

        def do_GET(self) -> None:
            self.reply(*found.answer(self.path, self.headers["Authorization"], b""))

        def reply(self, status: int, content: dict[str, Any]) -> None:
            sent = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            if "error" in content:
                self.send_header("X-Error-Message", content["error"])
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
