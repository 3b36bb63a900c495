"""The `harvest` program with its commands; `get` is the default command."""

from __future__ import annotations

import os
import signal
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from harvest import __version__
from harvest.cli import console
from harvest.cli.adopt import adopt
from harvest.cli.command_help import WIDTH, Command, examples
from harvest.cli.demo import demo
from harvest.cli.doctor import doctor
from harvest.cli.end_on_interrupt_or_closed_pipe import CUT_OFF, InterruptibleCommand
from harvest.cli.export import export
from harvest.cli.get import get
from harvest.cli.guard_standard_streams import set_up_streams
from harvest.cli.keys import keys
from harvest.cli.merge import merge
from harvest.cli.operating_system_errors import explain
from harvest.cli.predict import predict
from harvest.cli.recipe import recipe
from harvest.cli.render import render
from harvest.cli.replay import replay
from harvest.cli.report import report
from harvest.cli.restore import restore
from harvest.cli.review import review
from harvest.cli.serve import serve
from harvest.cli.status import status
from harvest.cli.train import TrainCommand, train
from harvest.cli.why import why
from harvest.errors import HarvestError, Interrupted, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

EPILOG = """\b
Examples:
  harvest demo                                            a small dataset, no key, no Internet
  harvest -c BING -c FLICKR -p snakes.csv -s 500          two sources, no padding, longest side 500
  harvest --license open -c FLICKR --target 200 birds.csv 200 images a class, openly licensed
  harvest status dataset                                  what changed in the folders
"""


_WHOLE = 1000  # characters: no sentence is longer
SHOW_CURSOR = b"\x1b[?25h"  # the live table hides the cursor


class Commands(InterruptibleCommand, TyperGroup):
    """A group that passes unknown commands to `get` as arguments, so that `harvest snakes.csv` works."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert `get`, unless the first word is a command or a misspelled command."""
        first = args[0] if args else "--help"
        own = {name for param in self.get_params(ctx) for name in param.opts}
        if first in self.commands or first in own:
            return super().parse_args(ctx, args)
        asks = not ctx.resilient_parsing  # no errors while the shell completes
        if asks and not first.startswith("-") and not os.path.lexists(first) and not Path(first).suffix:
            close = get_close_matches(first, self.commands, n=1, cutoff=0.5)
            guess = f" Did you mean '{close[0]}'?" if close else ""
            raise UsageError(f"no file or command '{first}'.{guess}", "harvest --help lists the commands.")
        return super().parse_args(ctx, ["get", *args])

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        """Write each command with the whole first sentence of its help; Typer would cut it at the end of the line."""
        found = [(name, command) for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))]
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(_WHOLE)) for name, command in found])


SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": WIDTH}

app = typer.Typer(
    cls=Commands,
    name="harvest",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog=EPILOG,
    context_settings=SETTINGS,
)
_DATASETS = (get, demo, adopt, status, why, restore, review, report, export, recipe, replay, render, merge)
_COMMANDS = (*_DATASETS, train, predict, serve, keys, doctor)
for command in _COMMANDS:
    kind = TrainCommand if command is train else Command
    app.command(cls=kind, epilog=examples(command.__name__))(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"harvest {__version__}")
        raise typer.Exit


@app.callback()
def harvest(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Download images into one folder per class, and record where they come from.

    `harvest QUERIES.csv` is short for `harvest get QUERIES.csv`.
    """


def main() -> NoReturn:
    """Run the command line; report known errors as a message and an exit code, without a traceback."""
    _run_to_the_end(app, "harvest")


def run_alone(command: Callable[..., None], kind: type[Command], *, name: str, obj: object) -> NoReturn:
    """Run one command as a separate program, with `obj` as the object of its context."""
    alone = typer.Typer(
        rich_markup_mode=None,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={**SETTINGS, "obj": obj},
    )
    alone.command(cls=kind)(command)
    _run_to_the_end(alone, name)


def _run_to_the_end(program: typer.Typer, name: str) -> NoReturn:
    stop = _Stop()
    # SIGTERM and a closed terminal end a run as Ctrl-C does; signals that nohup ignores stay ignored.
    for kind in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        if (number := getattr(signal, kind, None)) and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
    set_up_streams()
    _leave(_run(program, name, stop))


def _run(program: typer.Typer = app, name: str = "harvest", stop: _Stop | None = None) -> int:
    try:
        program(prog_name=name)
    except BrokenPipeError:
        return CUT_OFF
    except KeyboardInterrupt:
        return _report(Interrupted("stopped."))
    except SystemExit as end:  # how Typer ends every command
        return end.code if isinstance(end.code, int) else 0
    except HarvestError as error:
        return _report(explain(error) or error)
    except Exception as error:
        # An import that a signal interrupts can raise any exception.
        problem = Interrupted("stopped.") if stop is not None and stop.asked else explain(error)
        if problem is None:
            raise
        return _report(problem)
    return 0


def _report(problem: HarvestError) -> int:
    console.error(problem)
    return problem.exit_code


def _leave(code: int) -> NoReturn:
    """Exit, even if the reader of the output is gone or stopped threads still wait for the network."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = code or CUT_OFF
    except HarvestError as error:
        console.error(error)
        code = code or error.exit_code
    sys.stderr.flush()
    if code == Interrupted.exit_code:
        os._exit(code)
    sys.exit(code)


class _Stop:
    """A signal handler that shuts down at the first signal and exits at the second.

    Exiting at once is safe: the dataset is consistent at any moment.
    """

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, _signal: int, _frame: FrameType | None) -> NoReturn:
        if self.asked:
            if sys.stderr.isatty():
                os.write(sys.stderr.fileno(), SHOW_CURSOR)
            os._exit(Interrupted.exit_code)
        self.asked = True
        raise KeyboardInterrupt
