"""Images that were made with AI, as their files state: marked and counted, or refused."""

from __future__ import annotations

import pytest


@pytest.fixture
def generated(internet, cli) -> str:
    """Write a query file with two photographs and an image made with AI, and return the URL of the latter."""
    results = internet.addresses(3, generated=1)
    (cli.folder / "list.txt").write_text("\n".join(results.urls))
    (cli.folder / "q.csv").write_text("class,query\ncorals,list.txt\n")
    return results.of("generated")[0].url


def test_an_image_made_with_ai_is_marked_and_counted(cli, generated):
    """It is kept; the summary and `status` count it, and `why` shows its source type."""
    run = cli("-c", "URLS", "q.csv")

    assert "1 made with AI, as their files state" in run.out
    assert cli("status", "--json").json["classes"][0]["ai"] == 1
    assert "AI: made with AI, as their downloads stated" in cli("status").out
    assert "with AI, as its download stated: trainedAlgorithmicMedia" in cli("why", generated).out
    assert cli("why", generated, "--json").json["source_type"] == "trainedAlgorithmicMedia"
    assert cli("-c", "URLS", "q.csv", "--json").json["made_with_ai"] == 1


def test_images_made_with_ai_are_refused_on_request(cli, generated):
    """With `--no-ai` it is refused, which `why` explains; the next run without it downloads the image."""
    run = cli("-c", "URLS", "q.csv", "--json", "--no-ai")

    assert run.json["total"]["verdicts"] == {"kept": 2, "ai_generated": 1}
    assert "made with AI, as its file states (digital source type trainedAlgorithmicMedia)" in cli("why", generated).out
    assert cli("-c", "URLS", "q.csv", "--json").json["total"]["verdicts"] == {"kept": 1}
