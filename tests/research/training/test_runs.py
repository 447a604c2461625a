from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from training import runs
from training.checkpoints import CHECKPOINT, read_checkpoint, write_checkpoint
from training.runs import Run, RunSettings, run_parser, schedule, share_at, train

FLAGS = ["--content=a", "--style=b", "--out=c"]


class Small(Run):
    """A training of two filters, which the power leaves at step `until`."""

    def __init__(self, until: int | None = None) -> None:
        torch.manual_seed(0)
        filters = [nn.Conv2d(1, 2, 3), nn.Conv2d(2, 1, 3)]
        super().__init__(nn.Sequential(*filters), filters[1:], RunSettings(warm_up=1, decay_from=0.5, clip=1.0))
        self.until = until

    def losses(self) -> tuple[Tensor, dict[str, object]]:
        if self.step == self.until:
            raise InterruptedError
        return self.module(torch.ones(1, 1, 8, 8)).square().mean(), {}


def take(run: Run, out: Path, *, save_every: int = 100) -> None:
    train(run, lambda: run.step / 8, out, save_every=save_every)


def test_a_training_that_breaks_off_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    whole, resumed = Small(), Small()
    take(whole, tmp_path)
    with pytest.raises(InterruptedError):
        take(Small(until=5), tmp_path, save_every=2)
    resumed.restore(tmp_path)
    assert resumed.step == 4
    take(resumed, tmp_path)
    for key, value in whole.average.items():
        assert torch.equal(resumed.average[key], value), key


class Clock:
    """Shows what it is set to, in seconds."""

    shown = 1000.0

    def monotonic(self) -> float:
        return self.shown


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The one that trainings look at."""
    clock = Clock()
    monkeypatch.setattr(runs, "time", clock)
    return clock


def test_a_training_by_the_clock_counts_the_time_before_it_was_resumed(clock: Clock) -> None:
    run = Small()
    run.seconds = 30.0
    progress = schedule(run_parser("x", None).parse_args([*FLAGS, "--minutes=2"]), run)
    for shown, done in ((1000, 30 / 120), (1045, 75 / 120), (1090, 1)):
        clock.shown = shown
        assert progress() == pytest.approx(done)


def test_a_training_until_a_time_of_day_has_what_is_left_until_then(clock: Clock) -> None:
    then = datetime.now().astimezone() + timedelta(hours=2)
    progress = schedule(run_parser("x", None).parse_args([*FLAGS, f"--until={then:%H:%M}"]), Small())
    assert progress() == 0
    clock.shown += 3600
    assert progress() == pytest.approx(0.5, abs=0.02)  # the flag takes whole minutes


def test_a_training_by_its_steps_is_done_when_they_are_taken() -> None:
    run = Small()
    progress = schedule(run_parser("x", None).parse_args([*FLAGS, "--steps=8"]), run)
    run.step = 6
    assert progress() == 0.75


def test_the_learning_rate_warms_up_stays_and_falls_to_nearly_nothing() -> None:
    rates = [share_at(step, step / 100, warm_up=10, decay_from=0.5) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[10:51] == [1.0] * 41
    assert rates[50:] == sorted(rates[50:], reverse=True)
    assert rates[100] == pytest.approx(1e-3)


@pytest.mark.parametrize("end", ["--steps=0", "--steps=1.5", "--minutes=0", "--minutes=nan", "--minutes=soon"])
def test_a_training_that_would_never_begin_is_refused(end: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_parser("training.distill", None).parse_args([*FLAGS, end])
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
