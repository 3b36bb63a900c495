"""The usage line of a command, and the examples at the end of its help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typer.core import TyperArgument, TyperCommand

if TYPE_CHECKING:
    import typer

WIDTH = 100  # maximum characters in a line of help

_EXAMPLES = {
    "get": (
        ("harvest -c BING -c FLICKR -p snakes.csv -s 500", "two sources, no padding, longest side 500"),
        ("harvest --license open --target 200 birds.csv", "200 images a class, openly licensed"),
        ("harvest -n snakes.csv", "search only, download nothing"),
    ),
    "demo": (("harvest demo", "a small dataset in demo/, in ten seconds"),),
    "adopt": (
        ("harvest adopt photos", "make a dataset of photos/, which has a folder for each class"),
        ("harvest adopt photos/train", "of the part of a split tree"),
    ),
    "status": (
        ("harvest status", "the dataset in dataset/"),
        ("harvest status snakes --all", "another dataset, with complete lists"),
        ("harvest status snakes --accept-missing", "confirm that you deleted the missing files"),
    ),
    "why": (
        ("harvest why dataset/coral_snake/bing-1f3c9a2e7b01.jpg", "by path"),
        ("harvest why snakes bing-1f3c9a2e7b01.jpg", "by name, also when the file is gone"),
        ("harvest why https://example.com/snake.jpg", "the result of a URL"),
    ),
    "restore": (
        ("harvest restore", "list what can be restored"),
        ("harvest restore --last", "undo the last rejections"),
        ("harvest restore dataset.rejected/king/bing-1f3c9a2e7b01.jpg", "one image"),
        ("harvest restore snakes --class coral_snake -n", "show what a class would restore"),
    ),
    "review": (
        ("harvest review", "the dataset in dataset/, in the browser"),
        ("harvest review snakes --host 0.0.0.0", "on a telephone in the same network too"),
        ("harvest review snakes --export-ratings ratings.csv", "write the ratings, as fcc does"),
    ),
    "train": (
        ("harvest train dataset", "four epochs from pretrained weights"),
        ("harvest train dataset --epochs 0", "the head only, in seconds"),
        ("harvest train demo --from-scratch", "from random weights, no download"),
        (
            "harvest train dataset --model runs/first --lr find",
            "from an earlier run, searching for rates",
        ),
    ),
    "predict": (
        ("harvest predict snakes.runs/first unknown.jpg", "the five most probable labels"),
        ("harvest predict snakes.runs/first camera/ --csv camera.csv", "a folder, as a CSV table"),
        ("harvest predict snakes.runs/first camera/ --top 1 --json", "for a script"),
    ),
    "serve": (
        ("harvest serve snakes.runs/first", "web page at http://127.0.0.1:8000/"),
        ("harvest serve snakes.runs/first --host 0.0.0.0", "also for other devices in the network"),
    ),
    "export": (
        ("harvest export snakes snakes-hf", "Parquet for Hugging Face"),
        ("harvest export snakes out --to imagefolder --license open", "class folders, open licences"),
        ("harvest export snakes mine --nd", "for yourself: with ND licences"),
    ),
    "recipe": (
        ("harvest recipe snakes", "snakes.recipe.jsonl, to publish"),
        ("harvest recipe snakes -o recipe.jsonl", "another file"),
    ),
    "replay": (
        ("harvest replay snakes.recipe.jsonl -o snakes", "download the images again"),
        ("harvest replay snakes.recipe.jsonl -o snakes --archive", "also from the Wayback Machine"),
    ),
    "render": (
        ("harvest render snakes -s 224 -o snakes-224", "longest side 224, padded to a square"),
        ("harvest render snakes -s 500 --no-pad -o snakes-500", "longest side 500, not padded"),
    ),
    "merge": (("harvest merge snakes more-snakes -o all-snakes", "two datasets into a third"),),
    "keys": (
        ("harvest keys set flickr", "ask for the Flickr key, and store it"),
        ("harvest keys set GOOGLE_CSE_ID < engine.txt", "by variable, from a file"),
        ("harvest keys list", "show which keys are set, and where"),
    ),
    "doctor": (
        ("harvest doctor", "everything, with one query to each source"),
        ("harvest doctor bing", "one source"),
        ("harvest doctor --offline", "local checks only"),
    ),
}


def examples(command: str) -> str:
    """Return the examples at the end of a command's help."""
    lines = _EXAMPLES[command]
    width = max(len(line) for line, _ in lines)
    # Typer does not wrap a paragraph that starts with this mark.
    return "\n".join(["\b", "Examples:", *(f"  {line:<{width}}  {what}" for line, what in lines)])


class Command(TyperCommand):
    """A command whose usage shows its arguments as they are declared; Typer would add its own brackets."""

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Return the parts of the usage line: the options, then the arguments."""
        arguments = [param.metavar for param in self.get_params(ctx) if isinstance(param, TyperArgument)]
        return ["[OPTIONS]", *(name for name in arguments if name)]
