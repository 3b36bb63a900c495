"""How a command explains itself: its usage line as we wrote it, and examples at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typer.core import TyperArgument, TyperCommand

if TYPE_CHECKING:
    import typer

WIDTH = 100  # characters of a line of help, where the terminal has as many

_EXAMPLES = {
    "get": (
        ("harvest -c BING -c FLICKR -p snakes.csv -s 500", "two sources, no padding, longest side 500"),
        ("harvest --license open --target 200 birds.csv", "200 a class, of those you may pass on"),
        ("harvest -n snakes.csv", "what the sources have, and nothing fetched"),
    ),
    "demo": (("harvest demo", "a small set in demo/, in ten seconds"),),
    "status": (
        ("harvest status", "of the dataset in dataset/"),
        ("harvest status snakes --all", "of another, with every line"),
        ("harvest status snakes --accept-missing", "you did delete all those files"),
    ),
    "why": (
        ("harvest why dataset/coral_snake/bing-1f3c9a2e7b01.jpg", "as the shell completes it"),
        ("harvest why snakes bing-1f3c9a2e7b01.jpg", "by name, also when the file is gone"),
        ("harvest why https://example.com/snake.jpg", "what became of an address"),
    ),
    "restore": (
        ("harvest restore", "what can be restored"),
        ("harvest restore --last", "undo the last pruning"),
        ("harvest restore dataset.rejected/king/bing-1f3c9a2e7b01.jpg", "one picture"),
        ("harvest restore snakes --class coral_snake -n", "what restoring a class would bring"),
    ),
    "train": (
        ("harvest train dataset", "four epochs from pretrained weights"),
        ("harvest train dataset --epochs 0", "the head alone, in seconds"),
        ("harvest train demo --from-scratch", "no download"),
        (
            "harvest train dataset --model runs/first --lr find",
            "from an earlier run, at a rate that is found",
        ),
    ),
    "predict": (
        ("harvest predict snakes.runs/first unknown.jpg", "the five most probable labels"),
        ("harvest predict snakes.runs/first camera/ --csv camera.csv", "a folder, as a table"),
        ("harvest predict snakes.runs/first camera/ --top 1 --json", "for a script"),
    ),
    "serve": (
        ("harvest serve snakes.runs/first", "a page at http://127.0.0.1:8000/"),
        ("harvest serve snakes.runs/first --host 0.0.0.0", "for the telephone in the same network, too"),
    ),
    "keys": (
        ("harvest keys set flickr", "asks for Flickr's key, and keeps it"),
        ("harvest keys set GOOGLE_CSE_ID < engine.txt", "by its variable, from a file"),
        ("harvest keys list", "which keys there are, and where each comes from"),
    ),
    "doctor": (
        ("harvest doctor", "everything, with one live question to each source"),
        ("harvest doctor bing", "is it me, or everyone?"),
        ("harvest doctor --offline", "only what can be seen from here"),
    ),
}


def examples(command: str) -> str:
    """Return the end of a command's help."""
    lines = _EXAMPLES[command]
    width = max(len(line) for line, _ in lines)
    # Typer keeps the lines of a paragraph that begins with this mark as they are.
    return "\n".join(["\b", "Examples:", *(f"  {line:<{width}}  {what}" for line, what in lines)])


class Command(TyperCommand):
    """A command whose usage names its arguments as they are declared; Typer would add brackets of its own."""

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Name the arguments, and that there are options."""
        arguments = [param.metavar for param in self.get_params(ctx) if isinstance(param, TyperArgument)]
        return ["[OPTIONS]", *(name for name in arguments if name)]
