import torch

from fewshot.models.batch import TaskBatch, task_losses


def test_means_are_over_each_tasks_own_rows() -> None:
    batch = TaskBatch(None, torch.zeros(3, dtype=torch.int64), torch.tensor([0, 1, 1]), (2, 2))
    assert batch.mean_by_task(torch.tensor([1.0, 2.0, 4.0])).tolist() == [1.0, 3.0]


def test_losses_ignore_classes_that_a_task_lacks() -> None:
    batch = TaskBatch(None, torch.tensor([0, 2]), torch.tensor([0, 1]), (2, 3))
    scores = torch.zeros(2, 3).masked_fill(batch.absent[batch.task], -torch.inf)
    assert torch.allclose(task_losses(scores, batch), torch.tensor([2.0, 3.0]).log())
