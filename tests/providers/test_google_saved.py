"""Saved pages of Google Images: which belong to a query, and the error if none does."""

from __future__ import annotations

import pytest

from harvest.errors import Unanswerable, Unavailable
from harvest.models import Query
from harvest.providers.google import Google
from harvest.providers.google.saved_pages import SavedPages
from tests.providers.pages import FIXTURES, serving

PAGE = (FIXTURES / "google_html" / "found.html").read_text("utf-8")
TITLE = 'Scarlet king snake – "Lampropeltis"'


def result(number):
    return (
        f'[0,"docid{number:08}",["https://encrypted-tbn0.gstatic.com/images?q=x",150,200],'
        f'["https://a.example/{number}.jpg",1200,1600],null,0,"rgb(1,2,3)"]'
    )


def page(*numbers, box=""):
    """Return a saved page with these results and this text in its search box."""
    return f"<title>x</title>{box}<script>var m=[{','.join(map(result, numbers))}]</script>"


def search(folder, text="king snake"):
    google = Google({"HARVEST_GOOGLE_PAGES": str(folder)})
    return google.search(Query(text, "snake"), serving(""))


def save(folder, name, text=PAGE):
    (folder / name).write_text(text, "utf-8")


def test_a_page_belongs_to_what_its_search_box_says(tmp_path):
    """A page belongs to the query in its search box, whatever its file name; no request is made."""
    save(tmp_path, "download.html")
    save(tmp_path, "other.html", page(1, box='<textarea name="q">coral snake</textarea>'))
    hits = list(search(tmp_path, "King  Snake"))
    assert [hit.title for hit in hits] == [TITLE, None, "King snake"]
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert hits[2].url == "https://upload.wikimedia.org/wikipedia/commons/a/ab/King_snake.jpg"


@pytest.mark.parametrize(
    "box",
    [
        '<textarea class="gLFyf" name="q" rows="1">Grüße &amp; "Flying V" -bass</textarea>',
        '<input type="text" value=\'Grüße &amp; "Flying V" -bass\' name="q">',
        "<input name=other value=x><textarea name=q>\nGrüße &amp; &quot;Flying V&quot; -bass</textarea>",
    ],
)
def test_search_boxes_of_all_kinds_are_read(tmp_path, box):
    """The boxes of old and new pages are read, with quotes, minus and entities as typed."""
    save(tmp_path, "x.html", page(1, box=box))
    assert len(list(search(tmp_path, 'Grüße & "Flying V" -bass'))) == 1


@pytest.mark.parametrize(
    "name",
    [
        "king snake - Google Search.html",
        "king snake - Google Search (1).htm",
        "King Snake – Google zoeken.html",
        "king snake - Google 検索.HTML",
        "king snake - Поиск в Google.html",
        "king_snake.html",
        "king snake (2).html",
    ],
)
def test_a_page_without_a_box_belongs_to_its_file_name(tmp_path, name):
    """A file is also matched by its name, as written by browsers and by people."""
    save(tmp_path, name, page(1))
    assert len(list(search(tmp_path))) == 1


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("king snake.html", "king -snake"),
        ("king -snake.html", "king snake"),
        ("king snakes.html", "king snake"),
        ("scarlet king snake - Google Search.html", "king snake"),
        ("google.html", ""),
    ],
)
def test_a_page_of_another_query_is_left_alone(tmp_path, name, query):
    """Excluded words count, and the words must match exactly."""
    save(tmp_path, name, page(1))
    with pytest.raises(Unanswerable):
        next(search(tmp_path, query))


def test_pages_of_one_query_are_put_together(tmp_path):
    """Several pages of a query are read in order, and each image is yielded once."""
    save(tmp_path, "king snake.html", page(1, 2))
    save(tmp_path, "king snake (1).html", page(1, 2))
    save(tmp_path, "king snake (2).html", page(2, 3, 3))
    save(tmp_path, "king snake (3).html", page(2))
    urls = [hit.url for hit in search(tmp_path)]
    assert urls == [f"https://a.example/{number}.jpg" for number in (1, 2, 3)]


def test_a_query_without_a_page_says_what_there_is(tmp_path):
    """If no page is for the query, the error names the queries of the saved pages; the next query may have one."""
    save(tmp_path, "a.html", page(1, box='<textarea name="q">coral snake</textarea>'))
    with pytest.raises(Unanswerable, match="'king snake'") as caught:
        next(search(tmp_path))
    assert "They are for: coral snake." in caught.value.hint
    assert len(list(search(tmp_path, "coral snake"))) == 1


@pytest.mark.parametrize("names", [(), ("king snake.mhtml", "notes.txt")])
def test_V03_a_folder_without_pages_says_how_to_save_one(tmp_path, names):
    """An empty folder, or one with only .mhtml files, is an error before the search."""
    for name in names:
        save(tmp_path, name, "x")
    with pytest.raises(Unavailable, match="holds no saved page") as caught:
        Google({"HARVEST_GOOGLE_PAGES": str(tmp_path)}).check()
    assert "mhtml" in caught.value.hint


def test_a_missing_folder_is_an_error(tmp_path):
    """A missing path, or a path to a file, is an error with its reason."""
    save(tmp_path, "file.html")
    for path in (tmp_path / "none", tmp_path / "file.html"):
        with pytest.raises(Unavailable, match="cannot be read"):
            Google({"HARVEST_GOOGLE_PAGES": str(path)}).check()


UNREADABLE = pytest.mark.parametrize(
    ("text", "what"),
    [
        ('<img src="data:image/png;base64,AA"><textarea name="q">king snake</textarea>', "thumbnails only"),
        ("<h1>Sorry</h1>", "no results"),
        ("", "no results"),
        ("\x00\ufffd" * 999, "no results"),
    ],
)


@UNREADABLE
def test_V02_a_page_without_results_is_never_an_empty_search(tmp_path, text, what):
    """If the only page of a query has no readable results, the error names it, and how to save it correctly."""
    save(tmp_path, "king snake.html", text)
    with pytest.raises(Unanswerable, match=what) as caught:
        next(search(tmp_path))
    assert "king snake.html" in caught.value.message
    assert "HTML Only" in caught.value.hint


@UNREADABLE
def test_V05_an_unreadable_page_costs_no_other_page(tmp_path, text, what):
    """A page without readable results is skipped and named once in a run; other pages and queries keep their hits."""
    save(tmp_path, "king snake.html", text)
    save(tmp_path, "king snake (1).html", page(1, 2))
    save(tmp_path, "coral snake.html", page(3))
    google, pages = Google({"HARVEST_GOOGLE_PAGES": str(tmp_path)}), serving("")
    for _ in range(2):
        found = [len(list(google.search(Query(text, "snake"), pages))) for text in ("king snake", "coral snake")]
        assert found == [2, 1]
    (message,) = pages.messages
    assert "king snake.html has " in message
    assert what in message


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(
            '<div data-docid="docid{0:08}" data-lpage="https://a.example/"><b data-docid="docid{0:08}">', id="id"
        ),
        pytest.param('<img src="https://encrypted-tbn0.gstatic.com/images?q=tbn:{0}&s">' * 2, id="thumbnail"),
    ],
)
def test_a_page_that_shows_more_than_it_has_addresses_for_says_so(tmp_path, shown):
    """The numbers of images shown and readable are reported if they differ."""
    images = "".join(shown.format(number) for number in range(220))
    save(tmp_path, "king snake.html", images + page(*range(100)))
    save(tmp_path, "coral snake.html", "".join(shown.format(number) for number in range(100)) + page(*range(100)))
    google, pages = Google({"HARVEST_GOOGLE_PAGES": str(tmp_path)}), serving("")
    for text in ("king snake", "coral snake"):
        assert len(list(google.search(Query(text, "snake"), pages))) == 100
    (message,) = pages.messages
    assert "king snake.html" in message
    assert "220 shown, 100 readable" in message


def test_V07_a_giant_is_not_read(tmp_path, monkeypatch):
    """A file that is too large is skipped."""
    monkeypatch.setattr("harvest.providers.google.saved_pages._LARGEST", 10)
    save(tmp_path, "king snake.html")
    with pytest.raises(Unanswerable, match="larger than"):
        next(search(tmp_path))


def test_a_page_that_cannot_be_opened_costs_no_other_page(tmp_path):
    """A folder named as a page, or a file without read permission, is skipped and named, whatever its query."""
    (tmp_path / "king snake.html").mkdir()
    (tmp_path / "download.html").mkdir()
    save(tmp_path, "king snake (1).html", page(1))
    google, pages = Google({"HARVEST_GOOGLE_PAGES": str(tmp_path)}), serving("")
    for _ in range(2):
        assert len(list(google.search(Query("king snake", "snake"), pages))) == 1
    assert [name in "".join(pages.messages) for name in ("king snake.html", "download.html")] == [True, True]
    assert len(pages.messages) == 2


@pytest.mark.parametrize("piece", ["<textarea ", '<input name="q" value="', '<textarea name="q">', "<"])
def test_V07_a_page_made_to_hold_us_up_is_read_in_time(tmp_path, piece):
    """Ten million characters of unfinished tags have no search box and take seconds at most."""
    save(tmp_path, "x.html", piece * (10_000_000 // len(piece)))
    with pytest.raises(Unanswerable):
        next(search(tmp_path))


def test_a_page_is_read_once_for_its_name(tmp_path, monkeypatch):
    """Each file is read once for its search box, whatever the number of queries."""
    save(tmp_path, "coral snake.html", page(1))
    read = []
    monkeypatch.setattr(
        "harvest.providers.google.saved_pages._read_search_box", lambda text: read.append(text) or set()
    )
    saved = SavedPages({"HARVEST_GOOGLE_PAGES": str(tmp_path)})
    for _ in range(3):
        list(saved.search(Query("coral snake", "snake"), serving("")))
    assert len(read) == 1


def test_later_pages_are_said_to_need_a_refresh(tmp_path):
    """A finished search is not read again automatically, and a note says so."""
    assert "--refresh" in Google({"HARVEST_GOOGLE_PAGES": str(tmp_path)}).notes()[0]
