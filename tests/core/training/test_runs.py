from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training.checkpoints import CHECKPOINT, read_checkpoint, write_checkpoint
from training.runs import run_parser, share_at


def test_the_learning_rate_warms_up_stays_and_falls_to_nearly_nothing() -> None:
    rates = [share_at(step, step / 100, warm_up=10, decay_from=0.5) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[10:51] == [1.0] * 41
    assert rates[50:] == sorted(rates[50:], reverse=True)
    assert rates[100] == pytest.approx(1e-3)


@pytest.mark.parametrize("end", ["--steps=0", "--steps=1.5", "--minutes=0", "--minutes=nan", "--minutes=soon"])
def test_a_training_that_would_never_begin_is_refused(end: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_parser("training.distill", None).parse_args(["--content=a", "--style=b", "--out=c", end])
    assert "number above 0" in capsys.readouterr().err


def test_a_checkpoint_holds_nested_state_to_the_last_digit_and_as_it_lay_in_memory(tmp_path: Path) -> None:
    filters = torch.rand(4, 3, 2, 2).contiguous(memory_format=torch.channels_last)
    state = {"step": 3, "seconds": 0.1 + 0.2, "state": {0: {"step": torch.tensor(3.0), "sum": filters}, 1: {}}}
    write_checkpoint(state | {"betas": (0.9, 0.99), "decay": None}, tmp_path)
    read = read_checkpoint(tmp_path)
    assert (read["step"], read["seconds"], read["betas"], read["decay"]) == (3, 0.1 + 0.2, [0.9, 0.99], None)
    assert list(read["state"]) == [0, 1]
    assert torch.equal(read["state"][0]["sum"], filters)
    assert read["state"][0]["sum"].stride() == filters.stride()
    assert read["state"][0]["step"].shape == ()
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


def test_what_a_checkpoint_cannot_hold_is_refused_and_leaves_the_last_one_alone(tmp_path: Path) -> None:
    write_checkpoint({"step": 1}, tmp_path)
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_checkpoint({"step": object()}, tmp_path)
    assert read_checkpoint(tmp_path) == {"step": 1}
