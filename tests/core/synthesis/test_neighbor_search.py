"""Search, coherence and seeds, each against a plain loop."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stylizer.synthesis import neighbor_search
from stylizer.synthesis.neighbor_search import (
    _nearest_seeds,
    hubness_cost,
    most_similar,
    propagate_matches,
    search,
    spread_seeds,
)

NEIGHBORS = ((0, 1), (0, -1), (1, 0), (-1, 0))  # as `propagate_matches` takes them: from the left, the right, ...


def _noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _units(*shape: int, seed: int = 0) -> Tensor:
    return torch.nn.functional.normalize(_noise(*shape, seed=seed), dim=-1)


def _matches(rows: int, columns: int, style: tuple[int, int], seed: int = 0) -> Tensor:
    """A random match for each cell, (2, rows, columns)."""
    return torch.stack([torch.randint(side, (rows, columns), generator=_generator(seed + side)) for side in style])


@pytest.mark.parametrize(("count", "keys"), [(3, 1), (5, 127), (5, 128), (5, 129), (40, 300)])
def test_most_similar_in_float32_equals_a_double_loop(count: int, keys: int) -> None:
    queries, stock = _noise(count, 6), _noise(keys, 6, seed=1)
    for query, found in zip(queries, most_similar(queries, stock, torch.float32).tolist(), strict=True):
        products = [sum(a * b for a, b in zip(query.tolist(), key.tolist(), strict=True)) for key in stock]
        assert found == max(range(keys), key=products.__getitem__)


def test_most_similar_in_bfloat16_is_best_up_to_its_rounding() -> None:
    queries, keys = _units(200, 16), _units(500, 16, seed=1)
    products = queries @ keys.T
    found = most_similar(queries, keys, torch.bfloat16)
    # Two factors and the product are rounded, each by 2^-8 at most.
    assert (products.amax(1) - products[torch.arange(200), found]).max() <= 4 * 2**-8


def test_queries_in_several_blocks_are_all_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, keys = _noise(50, 6), _noise(200, 6, seed=1)
    whole = most_similar(queries, keys, torch.float32)
    monkeypatch.setattr(neighbor_search, "ROWS", 7)
    assert torch.equal(most_similar(queries, keys, torch.float32), whole)


def test_hubness_cost_is_the_mean_of_a_keys_best_similarities() -> None:
    queries, keys = _units(40, 5), _units(12, 5, seed=1)
    costs = hubness_cost(queries, keys, _generator())
    for key, cost in zip(keys, costs.tolist(), strict=True):
        best = sorted((float(key @ query) for query in queries), reverse=True)[: neighbor_search.HUB_NEIGHBORS]
        assert cost == pytest.approx(neighbor_search.HUBNESS * sum(best) / len(best), abs=1e-5)


def test_search_equals_a_loop_over_product_less_hubness_cost() -> None:
    queries, keys = _noise(3, 4, 7), _noise(5, 6, 7, seed=1)
    matches, longer_queries, longer_keys = search(queries, keys, 5, torch.float32, _generator())
    cost = hubness_cost(queries.flatten(0, 1)[:, :5], keys.flatten(0, 1)[:, :5], _generator()).view(5, 6)
    for row in range(3):
        for column in range(4):
            scores = {(i, j): float(queries[row, column] @ keys[i, j] - cost[i, j]) for i in range(5) for j in range(6)}
            assert tuple(matches[:, row, column].tolist()) == max(scores, key=scores.__getitem__)
            product = longer_keys @ longer_queries[row, column]
            expected = torch.tensor([[scores[i, j] for j in range(6)] for i in range(5)])
            torch.testing.assert_close(product, expected, atol=1e-5, rtol=1e-5)


def test_a_hub_is_held_back_for_a_key_that_is_nearly_as_similar() -> None:
    """The first key is like all queries; the second is a little less like one of them, and unlike the rest."""
    queries = torch.nn.functional.normalize(torch.cat([torch.full((9, 1), 2.0), torch.eye(9)], 1), dim=1).view(3, 3, 10)
    hub = torch.nn.functional.one_hot(torch.tensor(0), 10).float()
    own = torch.nn.functional.one_hot(torch.tensor(3), 10).float()
    near = 0.85 * hub + (1 - 0.85**2) ** 0.5 * own
    keys = torch.stack([hub, near * 0.88]).view(1, 2, 10)
    plain = most_similar(queries.flatten(0, 1), keys[0], torch.float32)
    found, _, _ = search(queries, keys, 10, torch.float32, _generator())
    assert plain[2] == 0
    assert found[1].flatten()[2] == 1


@pytest.mark.parametrize("rows", [6, 7])
def test_strided_search_continues_the_matches_it_finds(rows: int) -> None:
    queries, keys = _units(rows, 5, 8), _units(9, 4, 8, seed=1)
    dense, *_ = search(queries, keys, 8, torch.float32, _generator())
    sparse, *_ = search(queries, keys, 8, torch.float32, _generator(), stride=2)
    for row, column in product(range(rows), range(5)):
        start = dense[:, row // 2 * 2, column // 2 * 2].tolist()
        expected = [min(start[0] + row % 2, 8), min(start[1] + column % 2, 3)]
        assert sparse[:, row, column].tolist() == expected


def test_of_many_keys_only_those_on_a_lattice_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, keys = _noise(4, 5, 7), _noise(9, 11, 7, seed=1)
    monkeypatch.setattr(neighbor_search, "MAX_KEYS", 30)
    matches, _, longer_keys = search(queries, keys, 7, torch.float32, _generator())
    assert (matches % 2 == 0).all()
    sparse, _, sparse_keys = search(queries, keys[::2, ::2], 7, torch.float32, _generator())
    assert torch.equal(matches, 2 * sparse)
    assert longer_keys.shape == (9, 11, 8)
    assert torch.equal(longer_keys[::2, ::2], sparse_keys)
    assert torch.equal(longer_keys[1::2, 1::2, -1], longer_keys[:-1:2, :-1:2, -1])


def _swept_by_loop(matches: Tensor, queries: Tensor, keys: Tensor, bonus: float) -> Tensor:
    """One sweep, cell by cell."""
    _, rows, columns = matches.shape
    height, width = keys.shape[:2]
    result = torch.empty_like(matches)
    for row in range(rows):
        for column in range(columns):
            shown, continued = [], []
            for down, across in NEIGHBORS:
                i, j = min(max(row - down, 0), rows - 1), min(max(column - across, 0), columns - 1)
                top, left = matches[:, i, j].tolist()
                shown.append((top, left))
                continued.append((min(max(top + down, 0), height - 1), min(max(left + across, 0), width - 1)))
            own = tuple(matches[:, row, column].tolist())
            best = float("-inf")
            for option in (own, *continued):
                score = float(queries[row, column] @ keys[option])
                score += bonus * (continued.count(option) - shown.count(option))
                if score > best + 1e-6:
                    best, chosen = score, option
            result[:, row, column] = torch.tensor(chosen)
    return result


@settings(max_examples=15, deadline=None)
@given(
    rows=st.integers(1, 6),
    columns=st.integers(1, 6),
    style=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    bonus=st.sampled_from([0.0, 0.25, 3.0]),
)
def test_a_sweep_equals_a_loop_over_cells(rows: int, columns: int, style: tuple[int, int], bonus: float) -> None:
    matches, queries, keys = _matches(rows, columns, style), _units(rows, columns, 4), _units(*style, 4, seed=1)
    swept = propagate_matches(matches, queries, keys, bonus=bonus, sweeps=1)
    assert torch.equal(swept, _swept_by_loop(matches, queries, keys, bonus))


def test_keys_in_half_precision_are_continued_alike() -> None:
    matches, queries, keys = _matches(6, 7, (8, 9)), _units(6, 7, 4), _units(8, 9, 4, seed=1).half()
    halves = propagate_matches(matches, queries, keys, bonus=0.25, sweeps=2)
    assert torch.equal(halves, propagate_matches(matches, queries, keys.float(), bonus=0.25, sweeps=2))


def test_pieces_grow_from_seeds_as_in_a_loop() -> None:
    matches, queries, keys = _matches(12, 13, (9, 8)), _units(12, 13, 4), _units(9, 8, 4, seed=1)
    grown = spread_seeds(matches, queries, keys, bonus=0.5, spacing=4, generator=_generator(3))
    seeds = _nearest_seeds(12, 13, 4, _generator(3))
    rejected = accepted = 0
    for row in range(12):
        for column in range(13):
            own = matches[:, row, column].tolist()
            i, j = seeds[:, row, column].tolist()
            option = [int(matches[0, i, j]) + row - i, int(matches[1, i, j]) + column - j]
            inside = 0 <= option[0] < 9 and 0 <= option[1] < 8
            expected = own
            if inside and queries[row, column] @ keys[tuple(option)] + 0.5 > queries[row, column] @ keys[tuple(own)]:
                expected = option
            assert grown[:, row, column].tolist() == expected
            rejected += not inside
            accepted += expected != own
    assert rejected > 0
    assert accepted > 0


@pytest.mark.parametrize(("rows", "columns", "spacing"), [(30, 41, 8), (16, 16, 16), (3, 50, 4), (1, 1, 16)])
def test_nearest_seeds_equal_brute_force(rows: int, columns: int, spacing: int) -> None:
    nearest = _nearest_seeds(rows, columns, spacing, _generator(5))
    seeds = {tuple(seed) for seed in nearest.flatten(1).T.tolist()}
    assert all(0 <= i < rows and 0 <= j < columns for i, j in seeds)
    assert len(seeds) > 0.5 * (rows / spacing) * (columns / spacing)
    for row in range(rows):
        for column in range(columns):
            found = nearest[:, row, column].tolist()
            distance = min((i - row) ** 2 + (j - column) ** 2 for i, j in seeds)
            assert (found[0] - row) ** 2 + (found[1] - column) ** 2 == distance
