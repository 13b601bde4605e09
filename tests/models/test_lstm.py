from pathlib import Path

import pytest
import torch
from conftest import attribute_episodes
from torch import Tensor, nn

from fewshot.algorithms.algorithm import ready
from fewshot.algorithms.maml import MAML
from fewshot.chunks import Chunks
from fewshot.data.example import Example
from fewshot.engine import Engine
from fewshot.errors import InputError
from fewshot.models.batch import Rows
from fewshot.models.lstm import LstmEncoder
from fewshot.models.stack import Stack
from fewshot.models.words import WordVectors, hashed, words
from fewshot.tasks.episode import Episode


def small(**options: object) -> LstmEncoder:
    return LstmEncoder(embedding=6, hidden=8, features=7, rows=40, **options)  # type: ignore[arg-type]


def episode(*pairs: tuple[str, str], other: str | None = None) -> Episode:
    support = tuple(Example(text, label, other) for text, label in pairs)
    query = tuple(Example(f"{text} too", label, other) for text, label in pairs)
    return Episode(support, query, tuple(dict.fromkeys(label for _, label in pairs)))


def test_each_task_is_an_lstm_of_torch_with_its_own_weights() -> None:
    learner = small().double()
    drawn = [*attribute_episodes(1, way=2, shot=3), *attribute_episodes(1, way=4, shot=1)]
    support, _ = ready(learner, drawn)
    generator = torch.Generator().manual_seed(0)
    stack = {
        name: torch.randn(2, *value.shape, generator=generator, dtype=torch.float64)
        for name, value in learner.adapter().items()
    }
    found = learner.features(Stack(stack), support)
    for row in range(len(support.labels)):
        own = {name: value[support.task[row]] for name, value in stack.items()}
        lstm = nn.LSTM(6, 8, batch_first=True).double()
        lstm.load_state_dict(
            {
                "weight_ih_l0": own["lstm.input"],
                "weight_hh_l0": own["lstm.state"],
                "bias_ih_l0": own["lstm.bias"],
                "bias_hh_l0": torch.zeros_like(own["lstm.bias"]),
            }
        )
        ids = support.inputs.ids[row, : support.inputs.lengths[row]]
        _, (last, _) = lstm(own["embedding"][ids][None])
        expected = own["dense.weight"] @ last[0, 0] + own["dense.bias"]
        assert torch.allclose(found[row], expected, atol=1e-10)


def test_rows_need_not_come_in_the_order_of_their_tasks() -> None:
    learner = small()
    texts = [("one red", None), ("two", None), ("three blue cars", None)]
    sorted_batch = learner.batch(Rows(texts, [0, 0, 0], [0, 0, 1], [1, 1]))
    mixed = learner.batch(Rows([texts[2], *texts[:2]], [0, 0, 0], [1, 0, 0], [1, 1]))
    weights = {name: torch.stack([value, 2 * value]) for name, value in learner.adapter().items()}
    ours, theirs = (learner.features(Stack(weights), each) for each in (mixed, sorted_batch))
    assert torch.allclose(ours, theirs[[2, 0, 1]], atol=1e-6)


def test_words_are_hashed_alike_everywhere() -> None:
    assert words("It's 5 o'clock, Ünal!") == ["it", "'", "s", "5", "o", "'", "clock", ",", "ünal", "!"]
    assert hashed("card", 4096) == 2259


def test_a_text_of_a_pair_is_set_apart() -> None:
    learner = small()
    batch = learner.batch(Rows.of([("a b", "c"), "a b c"]))
    assert batch.inputs.lengths.tolist() == [4, 3]


def test_texts_are_cut_and_an_empty_one_is_a_word() -> None:
    batch = small(max_length=3).batch(Rows.of(["a b c d e", ""]))
    assert batch.inputs.lengths.tolist() == [3, 1]


def test_dropout_holds_through_a_step_and_is_off_elsewhere() -> None:
    learner = small(dropout=0.5)
    drawn = attribute_episodes(2)
    plain = ready(learner, drawn)[0]
    assert plain.inputs.dropped is None
    learner.learning(3)
    first, again = (ready(learner, drawn)[0] for _ in range(2))
    learner.learning(4)
    later = ready(learner, drawn)[0]
    learner.learning(None)
    kept = first.inputs.dropped
    assert sorted(set(kept.flatten().tolist())) == [0.0, 2.0]
    assert kept.mean().item() == pytest.approx(1, abs=0.3)
    assert torch.equal(kept, again.inputs.dropped)
    assert not torch.equal(kept, later.inputs.dropped)
    assert not torch.equal(kept[0], kept[1])
    stack = learner.start_body(2)
    assert torch.equal(learner.features(stack, first), learner.features(stack, first))
    assert not torch.equal(learner.features(stack, first), learner.features(stack, plain))


def test_dropout_is_the_same_however_the_meta_batch_is_cut() -> None:
    drawn, found = attribute_episodes(4), []
    for tasks in (4, 1):
        learner, algorithm = small(dropout=0.5).double(), MAML(inner_steps=1)
        algorithm.prepare(learner)
        engine = Engine(learner, algorithm, Chunks(learner, tasks, True))
        engine.measure(drawn[0], None)  # as a training begins; it must draw nothing away
        engine.gradient(engine.collate(drawn), step=2)
        found.append([value.grad for value in learner.adapter().values() if value.grad is not None])
    for ours, theirs in zip(*found, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_second_order_drops_the_same_in_the_step_that_is_taken_again() -> None:
    learner = small(dropout=0.5).double()
    learner.learning(0)
    support, query = ready(learner, attribute_episodes(2))
    learner.learning(None)
    algorithm = MAML(2, 3, 0.1, learn_inner_lr=False)
    parameter = learner.adapter()["dense.weight"]

    def loss() -> Tensor:
        return algorithm.meta_step(learner, support, query).losses.sum()

    (grad,) = torch.autograd.grad(loss(), [parameter])
    values = []
    for shift in (1e-5, -1e-5):
        with torch.no_grad():
            parameter[0, 0] += shift
        values.append(loss().item())
        with torch.no_grad():
            parameter[0, 0] -= shift
    assert grad[0, 0].item() == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-5)


def test_word_vectors_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text("3 2\ncard 0.5 1\nlost -1 2\ncard 9 9\n", encoding="utf-8")
    read = WordVectors.read(path)
    assert read.row == {"card": 0, "lost": 1}
    assert read.table.tolist() == [[0.5, 1.0], [-1.0, 2.0], [0.0, 0.0]]
    learner = LstmEncoder(hidden=4, features=3, vectors=str(path))
    assert "embedding" not in learner.adapter()
    support, query = ready(learner, [episode(("lost card", "a"), ("other words", "b"))])
    assert support.inputs.ids.tolist() == [[1, 0], [2, 2]]
    algorithm = MAML()
    algorithm.prepare(learner)
    assert bool(torch.isfinite(algorithm.adapt(learner, support)(query)).all())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("card 0.5 1\nlost 2\n", "line 2"),
        ("card 0.5 x\n", "line 1"),
        ("", "no word vectors"),
    ],
)
def test_word_vectors_that_are_wrong_name_their_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        WordVectors.read(path)


def test_word_vectors_that_are_missing() -> None:
    with pytest.raises(InputError, match="cannot be read"):
        LstmEncoder(vectors="nowhere.txt")


def test_weights_come_back(tmp_path: Path) -> None:
    learner, other = small(), small(seed=3)
    learner.save_adapter(tmp_path / "adapter")
    assert not torch.equal(other.adapter()["dense.weight"], learner.adapter()["dense.weight"])
    other.load_adapter(tmp_path / "adapter")
    assert all(torch.equal(value, learner.adapter()[name]) for name, value in other.adapter().items())
    with pytest.raises(InputError, match="others than the configuration asks for"):
        LstmEncoder(hidden=9).load_adapter(tmp_path / "adapter")
    with pytest.raises(InputError, match="cannot be read"):
        other.load_adapter(tmp_path)


@pytest.mark.parametrize(("name", "value"), [("hidden", 0), ("rows", -1), ("scale", 0.0), ("dropout", 1.0)])
def test_impossible_arguments_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"model.{name}"):
        LstmEncoder(**{name: value})  # type: ignore[arg-type]
