"""The commands under one name; a query file alone is `get`."""

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
from harvest.cli.command_help import WIDTH, Command, examples
from harvest.cli.demo import demo
from harvest.cli.doctor import doctor
from harvest.cli.environment import explain
from harvest.cli.get import get
from harvest.cli.interrupts import CUT_OFF, InterruptibleCommand
from harvest.cli.keys import keys
from harvest.cli.predict import predict
from harvest.cli.restore import restore
from harvest.cli.serve import serve
from harvest.cli.status import status
from harvest.cli.streams import set_up_streams
from harvest.cli.train import TrainCommand, train
from harvest.cli.why import why
from harvest.errors import HarvestError, Interrupted, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

EPILOG = """\b
Examples:
  harvest demo                                            a small set, no key, no Internet
  harvest -c BING -c FLICKR -p snakes.csv -s 500          two sources, no padding, longest side 500
  harvest --license open -c FLICKR --target 200 birds.csv 200 a class that you may publish
  harvest status dataset                                  what changed since, like git
"""


SHOW_CURSOR = b"\x1b[?25h"  # a live table hides it


class Commands(InterruptibleCommand, TyperGroup):
    """Takes what is no command for the arguments of `get`, so that `harvest snakes.csv` works."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `get` in front, unless the first word is a command or a mistyped one."""
        first = args[0] if args else "--help"
        own = {name for param in self.get_params(ctx) for name in param.opts}
        if first in self.commands or first in own:
            return super().parse_args(ctx, args)
        asks = not ctx.resilient_parsing  # the shell, for completions, must hear no complaint
        if asks and not first.startswith("-") and not os.path.lexists(first) and not Path(first).suffix:
            close = get_close_matches(first, self.commands, n=1, cutoff=0.5)
            guess = f" Did you mean '{close[0]}'?" if close else ""
            raise UsageError(f"no file or command '{first}'.{guess}", "harvest --help lists the commands.")
        return super().parse_args(ctx, ["get", *args])


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
for command in (get, demo, status, why, restore, train, predict, serve, keys, doctor):
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
    """Harvest pictures into one folder per class, and remember where they came from.

    harvest QUERIES.csv is short for harvest get QUERIES.csv.
    """


def main() -> NoReturn:
    """Run the command line; a known error is a message and an exit code, never a traceback."""
    _run_to_the_end(app, "harvest")


def run_alone(command: Callable[..., None], kind: type[Command], *, name: str, obj: object) -> NoReturn:
    """Run one command as a program of its own, which knows of something that `harvest` does not."""
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
    # A kind kill and a closed terminal end a run as Ctrl-C does; what nohup had ignored stays ignored.
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
        # An import that a stop interrupts fails as it likes.
        problem = Interrupted("stopped.") if stop is not None and stop.asked else explain(error)
        if problem is None:
            raise
        return _report(problem)
    return 0


def _report(problem: HarvestError) -> int:
    console.error(problem)
    return problem.exit_code


def _leave(code: int) -> NoReturn:
    """Leave, though whoever read along may be gone, and stopped threads may still wait for the network."""
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
    """Winds down at the first signal, and leaves at once at the second: the tree is whole at any moment."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, _signal: int, _frame: FrameType | None) -> NoReturn:
        if self.asked:
            if sys.stderr.isatty():
                os.write(sys.stderr.fileno(), SHOW_CURSOR)
            os._exit(Interrupted.exit_code)
        self.asked = True
        raise KeyboardInterrupt
