import itertools

import pytest
import torch

from fewshot.models.packing import EVEN, LEAST, Packing

LENGTHS = (7, 150, 3, 152, 9, 400)  # three groups, and what fills up
several = pytest.mark.parametrize("lengths", [(4,), (3, 3), (2, 5, 1), LENGTHS])


@pytest.mark.parametrize("heads", [1, 2, 5])
@several
def test_places_and_pieces_are_each_others_inverse(lengths: tuple[int, ...], heads: int) -> None:
    places = Packing(lengths).places(heads)
    real = places.real[:, 0].bool()
    assert torch.equal(places.piece[places.place[: sum(lengths) * heads]], torch.arange(sum(lengths) * heads))
    assert torch.equal(places.place[places.piece[real]], torch.arange(len(real))[real])
    assert int(real.sum()) == sum(lengths) * heads


@pytest.mark.parametrize("heads", [1, 3])
@several
def test_a_group_holds_its_rows_head_by_head(lengths: tuple[int, ...], heads: int) -> None:
    packing = Packing(lengths)
    starts = [0, *itertools.accumulate(lengths)]
    expected: list[int] = []
    real: list[bool] = []
    for rows, slots, longest in packing.groups:
        assert longest == max(LEAST, *(-(-lengths[row] // EVEN) * EVEN for row in rows))
        assert slots >= len(rows)
        filled = [*rows, *[None] * (slots - len(rows))]
        for row, head, at in itertools.product(filled, range(heads), range(longest)):
            inside = row is not None and at < lengths[row]
            expected.append((starts[row] + at) * heads + head if row is not None and inside else -1)
            real.append(inside)
    places = packing.places(heads)
    assert places.real[:, 0].bool().tolist() == real
    assert [n if there else -1 for n, there in zip(places.piece.tolist(), real, strict=True)] == expected


def test_a_padded_place_holds_a_piece_of_its_own_row() -> None:
    packing = Packing((2, 5, 1))
    places = packing.places(3)
    ((rows, slots, longest),) = packing.groups
    assert slots == len(rows)
    owner = torch.tensor(rows).repeat_interleave(3 * longest)
    assert torch.equal(packing.row[places.piece // 3], owner)


@several
def test_rows_and_positions_tell_tokens_apart(lengths: tuple[int, ...]) -> None:
    packing = Packing(lengths)
    expected = [(row, at) for row, length in enumerate(lengths) for at in range(length)]
    positions = packing.positions.tolist()
    assert list(zip(packing.row.tolist(), positions[: len(expected)], strict=True)) == expected
    assert positions[len(expected) :] == [0] * packing.filling
    assert packing.tokens == len(expected)
    assert sorted(row for group in packing.groups for row in group.rows) == list(range(len(lengths)))


def test_what_fills_up_stands_at_a_padded_place() -> None:
    for lengths in [(16,) * 37, (16, 17) * 20, (24, 9), LENGTHS]:
        packing = Packing(lengths)
        places = packing.places(3)
        filling = places.place[packing.tokens * 3 :]
        assert len(filling) == packing.filling * 3
        assert not bool(places.real[filling, 0].any())
        assert set(packing.row[places.piece[filling] // 3].tolist()) <= {len(lengths) - 1}
    assert any(Packing((16,) * rows).filling for rows in range(30, 40))


@pytest.mark.parametrize(
    ("lengths", "slots"), [((2001,), 1), ((130,), 1), ((509, 500), 2), ((40,), 1), ((264,), 2)]
)
def test_attention_gets_a_spare_row_only_where_nothing_is_padded(
    lengths: tuple[int, ...], slots: int
) -> None:
    (group,) = Packing(lengths).groups
    assert group.slots == slots


def test_the_same_few_sizes_recur() -> None:
    def shape(packing: Packing) -> tuple[int, ...]:
        return (packing.tokens + packing.filling, *(n for group in packing.groups for n in group[1:]))

    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randint(9, 17, (40,), generator=generator).tolist() for _ in range(100)]
    assert len({sum(lengths) for lengths in drawn}) > 30
    assert len({shape(Packing(lengths)) for lengths in drawn}) < 12


@pytest.mark.parametrize(("causal", "window"), [(False, None), (True, None), (True, 2), (True, 99)])
@pytest.mark.parametrize("lengths", [(4,), (2, 5, 1), (3, 90, 4, 5, 91, 6)])
def test_masks_show_what_a_token_sees(lengths: tuple[int, ...], causal: bool, window: int | None) -> None:
    packing = Packing(lengths)
    masks = packing.masks(causal, window, torch.float64)
    assert len(masks) == len(packing.groups)
    for mask, (rows, slots, longest) in zip(masks, packing.groups, strict=True):
        assert mask.dtype == torch.float64
        assert mask.shape == (slots, 1, longest if causal else 1, longest)
        whole = mask[:, 0].expand(slots, longest, longest)
        assert bool((whole[len(rows) :] == 0).all())
        for n, row in enumerate(rows):
            for at in range(lengths[row]):
                first = 0 if window is None else max(0, at - window + 1)
                last = at if causal else lengths[row] - 1
                seen = [0.0 if first <= other <= last else -torch.inf for other in range(longest)]
                assert whole[n, at].tolist() == seen


@pytest.mark.parametrize(("causal", "window"), [(False, None), (True, None), (True, 2), (True, 1)])
def test_even_a_padded_place_sees_something(causal: bool, window: int | None) -> None:
    (mask,) = Packing((2, 6, 1)).masks(causal, window, torch.float32)
    assert bool((mask == 0).any(-1).all())  # else its softmax would not be a number


def test_the_same_device_needs_no_copy() -> None:
    packing = Packing((2, 3))
    assert packing.to(torch.device("cpu")) is packing


def test_another_device_gets_one() -> None:
    packing = Packing((2, 3))
    other = packing.to(torch.device("meta"))
    assert other.lengths == packing.lengths
    assert other.groups == packing.groups
    tensors = [other.row, other.positions, other.places(2).piece, other.places(2).place, other.places(2).real]
    tensors += other.masks(False, None, torch.float32)
    assert {tensor.device.type for tensor in tensors} == {"meta"}


def test_indices_and_masks_are_made_once() -> None:
    packing = Packing((2, 3))
    assert packing.places(2) is packing.places(2)
    assert packing.places(2) is not packing.places(1)
    one = packing.masks(True, None, torch.float32)
    assert one is packing.masks(True, None, torch.float32)
    others = [(False, None, torch.float32), (True, 1, torch.float32), (True, None, torch.float64)]
    assert all(packing.masks(*other) is not one for other in others)


def test_groups_are_fewer_where_one_costs_more() -> None:
    assert [len(Packing(LENGTHS, overhead=each).groups) for each in (256, 10**6)] == [3, 1]
    assert len(Packing(LENGTHS, overhead=10**6).to(torch.device("meta")).groups) == 1
