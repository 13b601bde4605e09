"""What every algorithm owes, as checks that a user's own can be held to.

    from fewshot.testing import check_algorithm
    check_algorithm(MyAlgorithm, lambda: LstmEncoder())

Each check raises AssertionError; `CONTRACT` has them one by one, for a parametrised test.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from fewshot.algorithms.algorithm import Algorithm, ready
from fewshot.algorithms.maml import MAML
from fewshot.models.learner import Learner
from fewshot.tasks.attributes import Attributes
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import episodes

MakeAlgorithm = Callable[[], Algorithm]
MakeLearner = Callable[[], Learner]
SMALL = 0.1  # a support loss that need not fall


def check_algorithm(make: MakeAlgorithm, make_learner: MakeLearner) -> None:
    """Runs the whole contract.

    Args:
        make: gives a new algorithm.
        make_learner: gives a new learner, always the same; small, as it is built many times.

    Raises:
        AssertionError: the algorithm breaks the contract.
    """
    for check in CONTRACT.values():
        check(make, make_learner)


def sample(count: int, way: int = 3, shot: int = 2, queries: int = 2) -> list[Episode]:
    """Short attribute episodes."""
    family = Attributes(way=way, shot=shot, queries=queries, mentions=3)
    return list(episodes(family, "train", 0, range(count)))


def adapting_changes_no_meta_parameter(make: MakeAlgorithm, make_learner: MakeLearner) -> None:
    """Nor does it leave a gradient behind."""
    learner, algorithm = _prepared(make, make_learner)
    before = {name: value.detach().clone() for name, value in _parameters(learner, algorithm).items()}
    _scores(learner, algorithm, sample(2))
    after = _parameters(learner, algorithm)
    changed = [name for name, value in before.items() if not torch.equal(value, after[name])]
    assert not changed, f"adapting changed {changed}"
    left = [name for name, value in after.items() if value.grad is not None]
    assert not left, f"adapting left gradients in {left}"


def the_same_twice(make: MakeAlgorithm, make_learner: MakeLearner) -> None:
    """Adapting is deterministic."""
    learner, algorithm = _prepared(make, make_learner)
    first, second = (_scores(learner, algorithm, sample(2)) for _ in range(2))
    assert torch.equal(first, second), "the same support set gave other scores the second time"


def tasks_together_are_tasks_alone(make: MakeAlgorithm, make_learner: MakeLearner) -> None:
    """T tasks adapted together give what each gives alone, their way and shot different too."""
    learner, algorithm = _prepared(make, make_learner)
    learner, algorithm = learner.double(), algorithm.double()
    drawn = [*sample(2, way=2, shot=3), *sample(1, way=4, shot=1, queries=3), *sample(1, way=2, shot=3)]
    support, query = ready(learner, drawn)
    together = algorithm.adapt(learner, support)(query)
    for number, episode in enumerate(drawn):
        mine = together[query.task == number]
        alone = _scores(learner, algorithm, [episode])
        error = (mine[:, : episode.way] - alone).abs().max().item()
        assert error < 1e-5, f"task {number} of {len(drawn)} differs from itself alone by {error:.1e}"
        assert bool((mine[:, episode.way :] == -torch.inf).all()), "a class that the task lacks has a score"


def the_order_of_the_support_set_does_not_matter(make: MakeAlgorithm, make_learner: MakeLearner) -> None:
    """The support set is a set, unless it is read as a text (`Algorithm.reads_in_order`)."""
    learner, algorithm = _prepared(make, make_learner)
    if algorithm.reads_in_order:
        return
    (episode,) = sample(1)
    turned = Episode(episode.support[::-1], episode.query, episode.classes, episode.source)
    error = _distance(*(_scores(learner, algorithm, [each]) for each in (episode, turned)))
    assert error < 1e-4, f"the reversed support set gave scores that differ by {error:.1e}"


def permuting_the_classes_permutes_the_scores(make: MakeAlgorithm, make_learner: MakeLearner) -> None:
    """Unless the head has a vector for each class number, and says so (`Head.equivariant`)."""
    learner, algorithm = _prepared(make, make_learner)
    if not learner.head.equivariant:
        return
    (episode,) = sample(1)
    turned = Episode(episode.support, episode.query, episode.classes[::-1], episode.source)
    ours, theirs = (_scores(learner, algorithm, [each]) for each in (episode, turned))
    error = _distance(ours, theirs.flip(-1))
    assert error < 1e-4, f"the reversed classes gave scores that differ by {error:.1e}"


def the_support_loss_falls(make: MakeAlgorithm, make_learner: MakeLearner) -> None:
    """Where an algorithm adapts by gradients and the loss starts above 0.1."""
    learner, algorithm = _prepared(make, make_learner)
    if not (algorithm.adapts and isinstance(algorithm, MAML)):
        return
    support, _ = ready(learner, sample(4))
    before = learner.losses(algorithm.before(learner, support)(support), support)
    after = learner.losses(algorithm.adapt(learner, support)(support), support)
    risen = torch.nonzero((after >= before) & (before > SMALL)).flatten().tolist()
    assert not risen, f"the support loss rose in the tasks {risen}: {before.tolist()} to {after.tolist()}"


def no_inner_step_is_the_initialisation(make: MakeAlgorithm, make_learner: MakeLearner) -> None:
    """For gradient members."""
    algorithm, learner = make(), make_learner()
    if not (algorithm.adapts and isinstance(algorithm, MAML)):
        return
    algorithm.inner_steps = 0
    algorithm.prepare(learner)
    support, query = ready(learner, sample(2))
    adapted, before = (how(learner, support)(query) for how in (algorithm.adapt, algorithm.before))
    assert torch.equal(adapted, before), "no inner step, but other scores than before adaptation"


def the_meta_gradient_reaches_what_is_learned(make: MakeAlgorithm, make_learner: MakeLearner) -> None:
    """A step of a trainable algorithm has a finite gradient in the adapter, in chunks as in one piece."""
    learner, algorithm = make_learner().double(), make()
    if not algorithm.trainable:
        return
    family = Attributes(way=3, shot=2, queries=2, mentions=3)
    algorithm.meet(family.split("train").classes())
    algorithm.prepare(learner)
    algorithm.double()
    drawn = sample(3)
    found = []
    for cuts in ([drawn], [drawn[:1], drawn[1:]]):
        for value in learner.parameters():
            value.grad = None
        for cut in cuts:
            step = algorithm.meta_step(learner, *ready(learner, cut))
            torch.autograd.backward((step.losses if step.surrogate is None else step.surrogate).sum())
        grads = {name: value.grad for name, value in learner.adapter().items()}
        silent = [name for name, grad in grads.items() if grad is None or not bool(grad.isfinite().all())]
        assert not silent, f"no finite gradient in {silent}"
        found.append(torch.cat([grad.flatten() for grad in grads.values() if grad is not None]))
    assert found[0].norm() > 0, "the meta-gradient is zero"
    error = ((found[0] - found[1]).norm() / found[0].norm()).item()
    assert error < 1e-5, f"the meta-gradient in chunks differs by {error:.1e}"


def the_course_leads_from_before_to_adapted(make: MakeAlgorithm, make_learner: MakeLearner) -> None:
    """The first predictor of `course` is `before`, the last is `adapt`; one alone where nothing adapts."""
    learner, algorithm = _prepared(make, make_learner)
    support, query = ready(learner, sample(2))
    course = [predict(query) for predict in algorithm.course(learner, support)]
    adapted = algorithm.adapt(learner, support)(query)
    assert torch.equal(course[-1], adapted), "the end of the course is not what `adapt` gives"
    if not algorithm.adapts:
        assert len(course) == 1, f"nothing adapts, but the course has {len(course)} predictors"
        return
    before = algorithm.before(learner, support)(query)
    assert torch.equal(course[0], before), "the course does not begin with what `before` gives"
    if isinstance(algorithm, MAML):
        assert len(course) == algorithm.inner_steps + 1, "the course has not a predictor for every inner step"


CONTRACT: dict[str, Callable[[MakeAlgorithm, MakeLearner], None]] = {
    check.__name__: check
    for check in (
        adapting_changes_no_meta_parameter,
        the_same_twice,
        tasks_together_are_tasks_alone,
        the_order_of_the_support_set_does_not_matter,
        permuting_the_classes_permutes_the_scores,
        the_support_loss_falls,
        no_inner_step_is_the_initialisation,
        the_course_leads_from_before_to_adapted,
        the_meta_gradient_reaches_what_is_learned,
    )
}


def _prepared(make: MakeAlgorithm, make_learner: MakeLearner) -> tuple[Learner, Algorithm]:
    learner, algorithm = make_learner(), make()
    algorithm.prepare(learner)
    return learner, algorithm


def _scores(learner: Learner, algorithm: Algorithm, drawn: Sequence[Episode]) -> Tensor:
    support, query = ready(learner, drawn)
    return algorithm.adapt(learner, support)(query)


def _parameters(learner: Learner, algorithm: Algorithm) -> dict[str, torch.nn.Parameter]:
    return dict([*learner.named_parameters(), *algorithm.named_parameters()])


def _distance(ours: Tensor, theirs: Tensor) -> float:
    return (ours - theirs).abs().max().item()
