"""The page's JSON interface: what it answers, what it refuses."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from asked import LABELS, NEW, TEXTS
from serving import served

from fewshot.classify.examples import Labelled, labelled
from fewshot.classify.learned import learned
from fewshot.serve import app as served_app
from fewshot.serve.app import FILES, create_app
from fewshot.serve.guard import Guard, Limits
from fewshot.serve.tasks import Tasks

EXAMPLES = [{"text": text, "label": label} for text, label in zip(TEXTS, LABELS, strict=True)]
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def address(runs: Callable[[str], str]) -> Iterator[str]:
    """The page of a tiny run that allows for many requests."""
    with served(create_app(learned(runs("ProtoNet")), limits=Limits(rate=1000, burst=1000))) as found:
        yield found


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    """Asks it."""
    with httpx.Client(base_url=address, timeout=60) as found:
        yield found


@pytest.fixture
def task(client: httpx.Client) -> str:
    """The name of a task that was learned."""
    name: str = client.post("/api/learn", json={"examples": EXAMPLES}).json()["task"]
    return name


def test_learn_ask_correct_and_forget(client: httpx.Client) -> None:
    learnt = client.post("/api/learn", json={"examples": EXAMPLES}).json()
    assert learnt["classes"] == ["card", "exchange", "refund"]
    assert learnt["shots"] == {"card": 3, "exchange": 3, "refund": 3}
    assert learnt["examples"] == EXAMPLES
    task = learnt["task"]
    (found,) = client.post("/api/predict", json={"task": task, "texts": [TEXTS[0]]}).json()
    assert found["label"] == "card"
    assert sum(found["scores"].values()) == pytest.approx(1, abs=1e-4)
    assert found["nearest"][0] == {"text": TEXTS[0], "label": "card", "distance": pytest.approx(0, abs=1e-4)}
    assert found["truncated"] is False
    again = client.post("/api/correct", json={"task": task, "text": TEXTS[0], "label": "mine"}).json()
    assert again["task"] == task
    assert again["shots"] == {"card": 2, "exchange": 3, "mine": 1, "refund": 3}
    assert again["note"] == "fewer examples than of others: card, mine"
    (found,) = client.post("/api/predict", json={"task": task, "texts": [TEXTS[0]]}).json()
    assert found["label"] == "mine"
    fewer = client.post("/api/learn", json={"task": task, "examples": EXAMPLES[:6]}).json()
    assert (fewer["task"], fewer["classes"]) == (task, ["card", "exchange"])
    assert client.delete(f"/api/tasks/{task}").status_code == 204
    gone = client.post("/api/predict", json={"task": task, "texts": ["a"]})
    assert (gone.status_code, gone.json()["error"]) == (
        404,
        "there is no such task, or none any more: learn it again",
    )


def test_the_page_and_its_description(client: httpx.Client) -> None:
    for path in FILES:
        found = client.get(path)
        assert found.status_code == 200
        assert found.headers["content-security-policy"].startswith("default-src 'self'")
        assert found.headers["x-content-type-options"] == "nosniff"
        assert "https://" not in found.text, "nothing comes from elsewhere"
        assert "innerHTML" not in found.text
    about = client.get("/api/about").json()
    assert (about["run"], about["backbone"]) == ("ProtoNet", "tiny")
    assert about["ran"].startswith("backbone: cpu, float32")
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {"/api/about", "/api/learn", "/api/predict", "/api/correct", "/api/tasks/{name}"}


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/api/learn", {"examples": []}, "there is nothing to learn from"),
        ("/api/learn", {"examples": EXAMPLES[:3]}, "there is one class alone"),
        ("/api/learn", {"examples": [*EXAMPLES, {"text": " ", "label": "card"}]}, "a text is empty"),
        ("/api/learn", {"examples": [*EXAMPLES, {"text": "a", "label": " "}]}, "an example has no label"),
        ("/api/learn", {"examples": [{"text": 3, "label": "a"}]}, "body.examples.0.text: Input should be"),
        ("/api/learn", {"examples": [{"text": "a", "label": None}]}, "body.examples.0.label"),
        ("/api/learn", {"examples": [{"text": "a"}]}, "Field required"),
        ("/api/learn", {"examples": EXAMPLES, "path": "/etc/passwd"}, "Extra inputs are not permitted"),
        ("/api/learn", {"examples": EXAMPLES * 300}, "at most 2000 items"),
        ("/api/learn", [], "body"),
        ("/api/predict", {"task": "TASK", "texts": []}, "at least 1 item"),
        ("/api/predict", {"task": "TASK", "texts": ["a"] * 101}, "at most 100 items"),
        ("/api/predict", {"task": "TASK", "texts": ["a" * 10_001]}, "at most 10000 characters"),
        ("/api/predict", {"task": "TASK", "texts": [" "]}, "a text is empty"),
        ("/api/correct", {"task": "TASK", "text": "a", "label": ""}, "at least 1 character"),
    ],
)
def test_what_cannot_be_used_is_said(
    path: str, body: Any, said: str, client: httpx.Client, task: str
) -> None:
    content = json.dumps(body).replace('"TASK"', json.dumps(task))
    found = client.post(path, content=content, headers=JSON)
    assert found.status_code == 422
    assert said in found.json()["error"]
    assert "Traceback" not in found.text


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 422),
        (b"\xff\xfe", 422),
        (b"[" * 100_000, 400),
        (b'{"examples": [{"text": "a", "label": NaN}]}', 422),
        (b'{"examples": ' + b" " * 1_000_001 + b"[]}", 413),
    ],
)
def test_hostile_bodies(content: bytes, status: int, client: httpx.Client) -> None:
    found = client.post("/api/learn", content=content, headers=JSON)
    assert found.status_code == status
    assert "error" in found.json()
    assert "Traceback" not in found.text


def test_what_was_sent_is_not_sent_back(client: httpx.Client) -> None:
    found = client.post("/api/learn", json={"examples": [], "k" * 500_000: 1})
    assert found.status_code == 422
    assert len(found.text) < 1000


def test_what_was_not_foreseen_is_said_without_its_traceback(
    client: httpx.Client, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(served_app, "answer", fails)
    found = client.post("/api/predict", json={"task": task, "texts": ["a"]})
    assert found.status_code == 500
    assert found.json() == {"error": "this failed: the console of `fewshot serve` has more"}
    assert found.headers["x-content-type-options"] == "nosniff"


def test_corrections_at_once_are_all_kept(client: httpx.Client, task: str) -> None:
    def correct(number: int) -> int:
        body = {"task": task, "text": f"word {number}", "label": "mine"}
        return client.post("/api/correct", json=body).status_code

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(correct, range(6))) == [200] * 6
    learnt = client.post("/api/correct", json={"task": task, "text": "word 0", "label": "mine"}).json()
    assert learnt["shots"]["mine"] == 6


def test_corrections_have_the_limit_of_examples(
    client: httpx.Client, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served_app, "MOST_EXAMPLES", len(EXAMPLES))
    found = client.post("/api/correct", json={"task": task, "text": "one more", "label": "card"})
    assert found.status_code == 422
    assert "no room for another example" in found.json()["error"]
    known = client.post("/api/correct", json={"task": task, "text": TEXTS[0], "label": "refund"})
    assert known.json()["shots"] == {"card": 2, "exchange": 3, "refund": 4}, "in place of another"


def test_a_body_of_unknown_length_is_cut_off(client: httpx.Client) -> None:
    parts = (b"[" + b"1," * 50_000 for _ in range(30))
    assert client.post("/api/learn", content=parts, headers=JSON).status_code == 413


@pytest.mark.parametrize(
    "path",
    ["/../app.py", "/%2e%2e/app.py", "/page.js/../../app.py", "/etc/passwd", "/page/index.html"],
)
def test_no_file_is_reached_by_its_path(path: str, client: httpx.Client) -> None:
    found = client.get(path)
    assert found.status_code == 404
    assert "create_app" not in found.text


def test_other_sites_cannot_post(client: httpx.Client) -> None:
    body = json.dumps({"examples": EXAMPLES}).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        assert client.post("/api/learn", content=body, headers={"content-type": kind}).status_code == 415
    for host in ("evil.example", "127.0.0.1.evil.example", "evil.example:80", ""):
        found = client.get("/api/about", headers={"host": host})
        assert found.status_code == 400, "a name that was bound to this address elsewhere"
    assert client.get("/api/about", headers={"host": "localhost:1234"}).status_code == 200
    found = client.options("/api/learn", headers={"origin": "http://evil.example"} | JSON)
    assert not [name for name in found.headers if name.startswith("access-control")]
    assert client.put("/api/learn", json={}).status_code == 405


def test_too_many_requests_wait(runs: Callable[[str], str]) -> None:
    app = create_app(learned(runs("ProtoNet")), limits=Limits(rate=0.5, burst=3))
    with served(app) as address, httpx.Client(base_url=address) as client:
        found = [client.get("/api/about") for _ in range(4)]
    assert [each.status_code for each in found] == [200, 200, 200, 429]
    assert found[-1].headers["retry-after"] in ("2", "3")


def test_requests_come_back_with_time() -> None:
    now = [0.0]

    async def nothing(*_: Any) -> None:
        return

    guard = Guard(nothing, (), Limits(rate=2, burst=2), lambda: now[0])
    assert [guard._wait("one") > 0 for _ in range(3)] == [False, False, True]
    assert guard._wait("two") == 0, "each client has its own"
    now[0] = 0.5
    assert [guard._wait("one") > 0 for _ in range(2)] == [False, True]


def test_the_oldest_task_goes_first(runs: Callable[[str], str]) -> None:
    tasks = Tasks(learned(runs("ProtoNet")), most=2)
    support = labelled(TEXTS, LABELS)
    one, two = tasks.learn(support), tasks.learn(support)
    assert tasks.find(one.name)
    three = tasks.learn(support)
    assert len({one.name, two.name, three.name}) == 3
    assert tasks.find(two.name) is None
    assert tasks.find(one.name)
    assert not tasks.forget(two.name)
    assert tasks.change(two.name, lambda known: known) is None
    assert tasks.change(one.name, lambda known: forgets(tasks, one.name, known)) is None
    assert tasks.find(one.name) is None, "what was forgotten meanwhile does not come back"


def forgets(tasks: Tasks, name: str, known: Labelled) -> Labelled:
    assert tasks.forget(name)
    return known


@pytest.mark.parametrize("length", ["\xb2", "9" * 5000, "-1", "a"])
def test_lengths_that_are_none_are_too_large(length: str) -> None:
    async def nothing(*_: Any) -> None:
        return

    refused = Guard(nothing, (), Limits())._refused(
        {"method": "GET"}, {"host": "localhost", "content-length": length}
    )
    assert refused
    assert refused[0] == 413


def test_markup_is_text(client: httpx.Client, task: str) -> None:
    sign = "<script>alert(1)</script>"
    client.post("/api/correct", json={"task": task, "text": sign, "label": sign})
    (found,) = client.post("/api/predict", json={"task": task, "texts": [NEW[0], sign][1:]}).json()
    assert found["label"] == sign
