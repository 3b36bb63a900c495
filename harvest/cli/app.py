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
from harvest.cli.demo import demo
from harvest.cli.doctor import doctor
from harvest.cli.get import get
from harvest.cli.help import WIDTH, Command, examples
from harvest.cli.restore import restore
from harvest.cli.status import status
from harvest.cli.why import why
from harvest.errors import HarvestError, Interrupted, UsageError

if TYPE_CHECKING:
    from types import FrameType

EPILOG = """\b
Examples:
  harvest demo                                            a small set, no key, no Internet
  harvest -c BING -c FLICKR -p snakes.csv -s 500          two sources, no padding, longest side 500
  harvest --license open -c FLICKR --target 200 birds.csv 200 a class that you may publish
  harvest status dataset                                  what changed since, like git
"""


class Commands(TyperGroup):
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


app = typer.Typer(
    cls=Commands,
    name="harvest",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDTH},
)
for command in (get, demo, status, why, restore, doctor):
    app.command(cls=Command, epilog=examples(command.__name__))(command)


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
    for name in ("SIGTERM", "SIGHUP"):  # a closed terminal ends a run as Ctrl-C does
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _interrupt)
    try:
        app(prog_name="harvest")
    except HarvestError as error:
        console.error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        console.error(Interrupted("stopped.", "The same line goes on where this one ended."))
        # Threads may still wait for the network: there is nothing left to save, so do not wait for them.
        sys.stdout.flush()
        os._exit(Interrupted.exit_code)
    except BrokenPipeError:
        os._exit(1)
    sys.exit(0)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
