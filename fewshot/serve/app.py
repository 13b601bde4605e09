"""The JSON interface and the page around the tasks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException as StarletteHTTPException

from fewshot.classify.examples import BadExamplesError, Labelled, check_balance, checked_texts, labelled
from fewshot.classify.learned import Learned
from fewshot.classify.task import AdaptedTask, answer
from fewshot.config import read_config
from fewshot.errors import FewshotError
from fewshot.serve.guard import App, Guard, Limits
from fewshot.serve.tasks import Kept, Tasks
from fewshot.versions import PACKAGE, version_of

PAGE = Path(__file__).parent / "page"
FILES = {  # the only files that are sent; read once, so that no path comes from a request
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    "/docs": ("docs.html", "text/html; charset=utf-8"),
    "/docs.js": ("docs.js", "text/javascript; charset=utf-8"),
}
NEAREST = 3
MOST_EXAMPLES = 2_000  # of a task
LONGEST = 40  # characters of a field's name in a message
Found = TypeVar("Found")
Text = Annotated[str, Field(min_length=1, max_length=10_000)]
Label = Annotated[str, Field(min_length=1, max_length=200)]


class Strict(BaseModel):
    """Fields of their own types, and no others."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Example(Strict):
    """A text with its class."""

    text: Text
    label: Label


class Learn(Strict):
    """Examples to learn from; with the name of a task, in place of its examples."""

    examples: Annotated[list[Example], Field(max_length=MOST_EXAMPLES)]
    task: Annotated[str, Field(max_length=64)] | None = None


class Predict(Strict):
    """Texts to label."""

    task: Annotated[str, Field(max_length=64)]
    texts: Annotated[list[Text], Field(min_length=1, max_length=100)]


class Correct(Strict):
    """A text whose right class is told."""

    task: Annotated[str, Field(max_length=64)]
    text: Text
    label: Label


def create_app(meta: Learned, hosts: Sequence[str] = (), limits: Limits = Limits()) -> App:
    """The application.

    Args:
        meta: the run that tasks are learned with.
        hosts: further names under which this machine is asked.
        limits: of requests.
    """
    app = FastAPI(title="fewshot", version=version_of(PACKAGE) or "", docs_url=None, redoc_url=None)
    _add_page(app)
    _add_tasks(app, Tasks(meta))
    app.add_exception_handler(FewshotError, _unusable)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(StarletteHTTPException, _refused)
    app.add_exception_handler(Exception, _failed)
    return Guard(app, hosts, limits)


def _add_page(app: FastAPI) -> None:
    for path, (name, kind) in FILES.items():
        content = (PAGE / name).read_bytes()

        def send(content: bytes = content, kind: str = kind) -> Response:
            return Response(content, media_type=kind)

        app.add_api_route(path, _bound(send), methods=["GET"], include_in_schema=False)


def _bound(send: Any) -> Any:
    """Without parameters, which would be read from the request."""
    return lambda: send()


def _add_tasks(app: FastAPI, tasks: Tasks) -> None:
    facts = _about(tasks.meta)

    @app.get("/api/about")
    def about() -> dict[str, Any]:
        """The run that tasks are learned with."""
        return facts | {"ran": tasks.meta.model.note()}

    @app.post("/api/learn")
    def learn(given: Learn) -> dict[str, Any]:
        """Learns a task from examples of at least two classes."""
        support = labelled([e.text for e in given.examples], [e.label for e in given.examples])
        if given.task is None:
            return _told(tasks.learn(support))
        return _told(_there(tasks.change(given.task, lambda _: support)))

    @app.post("/api/predict")
    def predict(given: Predict) -> list[dict[str, Any]]:
        """Labels texts: classes with scores, and the nearest examples."""
        return _answers(tasks.meta, _there(tasks.find(given.task)), checked_texts(given.texts))

    @app.post("/api/correct")
    def correct(given: Correct) -> dict[str, Any]:
        """Learns a text whose class was told, beside the examples so far; the same text counts once."""
        (text,) = checked_texts([given.text])
        return _told(_there(tasks.change(given.task, lambda known: _corrected(known, text, given.label))))

    @app.delete("/api/tasks/{name}", status_code=204)
    def forget(name: str) -> None:
        """Forgets a task."""
        if not tasks.forget(name):
            raise HTTPException(404, "there is no such task")


def _about(meta: Learned) -> dict[str, Any]:
    """A folder is told by its last part alone: what else lies on the disk is nobody's business."""
    model = read_config(meta.folder / "config.yaml")["model"]
    backbone = model.get("init_args", {}).get("backbone")
    return {
        "run": meta.folder.name,
        "backbone": Path(backbone).name if backbone else None,
        "version": version_of(PACKAGE),
    }


def _there(found: Found | None) -> Found:
    if found is None:
        raise HTTPException(404, "there is no such task, or none any more: learn it again")
    return found


def _corrected(support: Labelled, text: str, label: str) -> Labelled:
    pairs = [pair for pair in zip(support.texts, support.labels, strict=True) if pair[0] != text]
    if len(pairs) >= MOST_EXAMPLES:
        raise BadExamplesError(
            "a task has no room for another example",
            got=f"{len(pairs) + 1:,} examples",
            needed=f"at most {MOST_EXAMPLES:,}",
            fix="remove some that are alike",
        )
    return labelled([*(t for t, _ in pairs), text], [*(own for _, own in pairs), label])


def _told(kept: Kept) -> dict[str, Any]:
    support = kept.task.support
    pairs = zip(support.texts, support.labels, strict=True)
    return {
        "task": kept.name,
        "classes": kept.task.classes,
        "shots": support.shots,
        "examples": [{"text": text, "label": label} for text, label in pairs],
        "seconds": kept.task.seconds,
        "note": check_balance(support),
    }


def _answers(meta: Learned, task: AdaptedTask, texts: Sequence[str]) -> list[dict[str, Any]]:
    found, long = answer(meta, task, texts), meta.model.cut([(text, None) for text in texts])
    rows = []
    for n, text in enumerate(texts):
        scores = dict(zip(task.classes, found.probabilities[n].tolist(), strict=True))
        row: dict[str, Any] = {"text": text, "label": task.classes[int(found.predicted[n])], "scores": scores}
        if found.distances is not None:
            support, own = task.support, found.distances[n]
            near = found.nearest(NEAREST)[n].tolist()
            row["distance"] = float(own.min())
            row["nearest"] = [
                {"text": support.texts[k], "label": support.labels[k], "distance": float(own[k])}
                for k in near
            ]
        rows.append(row | {"truncated": long[n]})
    return rows


def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StarletteHTTPException)
    return JSONResponse({"error": error.detail}, error.status_code)


def _unusable(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 422)


def _malformed(request: Request, error: Exception) -> JSONResponse:
    """Where and what, without what was sent: it may be large."""
    assert isinstance(error, RequestValidationError)
    said = [
        f"{'.'.join(str(part)[:LONGEST] for part in each['loc'])}: {each['msg']}"
        for each in error.errors()[:5]
    ]
    return JSONResponse({"error": "; ".join(said)}, 422)


def _failed(request: Request, error: Exception) -> JSONResponse:
    """What was not foreseen; its traceback is for the console alone."""
    return JSONResponse({"error": "this failed: the console of `fewshot serve` has more"}, 500)
