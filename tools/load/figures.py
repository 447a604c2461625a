"""Tables of measurements."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tools.load.protections import Protection
from tools.load.stages import Run, Stage


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile: the value that a fraction `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def print_run(console: Console, result: Run, *, cores: int) -> None:
    """Print the stages, the kinds of requests and the server's resource usage."""
    console.print(f"{cores} cores; each stage {result.stages[-1].report.seconds:.0f} s\n")
    console.print(_stages(result))
    for stage in result.stages:
        if stage.clients == result.stages[-1].clients and stage.name.startswith("mix"):
            console.print(_kinds(stage))
    if result.before and result.after:
        console.print(
            f"server before and after: {result.before.memory:.0f} -> {result.after.memory:.0f} MiB, "
            f"{result.before.files} -> {result.after.files} open files"
        )
    console.print(f"jobs accepted {len(result.accepted)}, lost {len(result.lost)}")


def print_protection(console: Console, protection: Protection) -> None:
    """Print the test and its outcome."""
    console.print(f"{protection.name}: {'; '.join(protection.figures)}", highlight=False)


def _stages(result: Run) -> Table:
    table = Table("stage", "clients", "req/s", "of baseline", "p50 ms", "p99 ms", "max ms", "failed", box=None)
    for name in ("server ms/req", "MiB", "files", "jobs/min", "client cores", "late ms"):
        table.add_column(name)
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.justify = "right"
    bare = {stage.clients: stage.rate for stage in result.stages if stage.usage is None}
    for stage in result.stages:
        table.add_row(*_row(stage, bare[stage.clients]))
    table.add_row(*["painter undisturbed", *[""] * 10, f"{result.undisturbed:.0f}"])
    return table


def _row(stage: Stage, bare: float) -> list[str]:
    took = [1000 * seconds for kind in stage.report.took.values() for seconds in kind]
    failed = {name: count for name, count in stage.report.answers.items() if not name.startswith(("2", "3"))}
    held = (
        [f"{1000 * stage.cores / stage.rate:.2f}", f"{stage.usage.memory:.0f}", str(stage.usage.files)]
        if stage.usage
        else ["", "", ""]
    )
    return [
        stage.name,
        str(stage.clients),
        f"{stage.rate:.0f}",
        f"{stage.rate / bare:.2f}",
        *(f"{value:.1f}" for value in (percentile(took, 0.5), percentile(took, 0.99), max(took))),
        ", ".join(f"{count} x {name}" for name, count in failed.items()) or "0",
        *held,
        "" if stage.painted is None else f"{stage.painted:.0f}",
        f"{stage.report.busy:.2f}",
        f"{1000 * stage.report.late:.1f}",
    ]


def _kinds(stage: Stage) -> Table:
    table = Table("kind", "requests", "p50 ms", "p99 ms", "max ms", title=f"{stage.name}, {stage.clients} clients")
    for column in table.columns[1:]:
        column.justify = "right"
    for kind, seconds in sorted(stage.report.took.items()):
        took = [1000 * second for second in seconds]
        table.add_row(
            kind,
            str(len(took)),
            *(f"{value:.1f}" for value in (percentile(took, 0.5), percentile(took, 0.99), max(took))),
        )
    return table
