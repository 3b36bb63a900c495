"""The provider that reads URLs from a local file."""

import builtins
import json
import tracemalloc
from itertools import islice

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from harvest import providers
from harvest.errors import ProviderError, Unavailable
from harvest.licences import Evidence, Licence
from harvest.models import Query
from harvest.providers import licence_parsing
from harvest.providers.url_file import Urls

A, B = "https://example.com/a.jpg", "https://example.com/b.jpg"
WHOLE = {
    "Image URL": A,
    "caption": "A <king>\n snake",
    "WIDTH": "1024",
    "height": "768.0",
    "license": "https://creativecommons.org/licenses/by-sa/4.0/",
    "page_url": "https://example.com/a",
    "Photographer": "Ann",
    "notes": "not read",
}


@pytest.fixture
def find(tmp_path, monkeypatch):
    """Write a file to the current folder and return the hits of a query that names it."""
    monkeypatch.chdir(tmp_path)

    def write_and_search(name, content):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(Urls({}).search(Query(name, "king"), None))

    return write_and_search


def written(columns, rows, path):
    """Write a Parquet file of these columns and rows."""
    parquet.write_table(pa.table(dict(zip(columns, zip(*rows, strict=True), strict=True))), path)
    return path.read_bytes()


LONG = "https://example.com/" + "x" * 2**18


@pytest.mark.parametrize(
    ("name", "content", "numbers"),
    [
        ("a.txt", f"{A}\n# mine\n\nftp://a.example/b.jpg\n{LONG}\n//a.example/b.jpg\n{B}", "4, 5, 6"),
        ("a.csv", f"url,title\n{A},a\nhttps://me:secret@a.example/b.jpg,b\n\nhttp://a.example:99999/c.jpg,c", "3, 5"),
        ("a.jsonl", json.dumps({"url": A}) + "\n{broken\n\n[]\n" + json.dumps({"title": "b"}), "2, 4, 5"),
        ("a.txt", A + "\nnot a url" * 2000, "2, 3, 4, 5, 6, …"),
    ],
)
def test_lines_without_a_usable_url_are_named(tmp_path, monkeypatch, name, content, numbers):
    """One warning counts the lines that are not usable URLs and names the first ones, but never their content."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(content)
    provider = Urls({})
    assert A in [hit.url for hit in provider.search(Query(name, "king"), None)]

    (warning,) = provider.warnings()
    assert f"(line {numbers})" in warning
    assert "secret" not in warning
    assert provider.warnings() == []


def test_rows_of_parquet_without_a_usable_url_are_named(tmp_path, monkeypatch):
    """The warning about a Parquet file has the numbers of its rows."""
    monkeypatch.chdir(tmp_path)
    written(["url"], [[A], [None], ["b.jpg"]], tmp_path / "a.parquet")
    provider = Urls({})
    assert len(list(provider.search(Query("a.parquet", "king"), None))) == 1

    assert "skipped 2 rows without a usable URL (row 2, 3)" in provider.warnings()[0]


def test_it_is_never_part_of_all():
    """URLS is only used by name."""
    assert "URLS" not in providers.for_all({})
    assert providers.get("urls") is Urls


def test_a_text_file_has_an_address_a_line(find):
    """Every line that is a URL is a hit, in order; comments, blank and other lines are skipped."""
    hits = find("a.txt", f"# mine\r\n{A}\r\n\r\nnothing\nfile:///etc/passwd\njavascript:alert(1)\n  {B}  ")
    assert [(hit.url, hit.rank, hit.source) for hit in hits] == [
        (A, 1, f"url:{A}"),
        (B, 2, f"url:{B}"),
    ]
    assert {hit.provider for hit in hits} == {"URLS"}


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.CSV", "a.jsonl", "a.parquet"])
def test_every_form_says_the_same(find, tmp_path, name):
    """CSV, TSV, JSON lines and Parquet give the same hits with all their metadata."""
    separator = {"a.tsv": "\t"}.get(name, ",")
    if name == "a.jsonl":
        content = f"{json.dumps(WHOLE)}\n{json.dumps({'url': B})}\n"
    elif name == "a.parquet":
        content = written(WHOLE, [WHOLE.values(), [B, *[None] * 7]], tmp_path / "t")
    else:
        quoted = separator.join(f'"{cell}"' for cell in WHOLE.values())
        content = f"{separator.join(WHOLE)}\n{quoted}\n{B}\n"
    first, second = find(name, content)
    assert (first.url, first.title, first.author) == (A, "A <king> snake", "Ann")
    assert (first.width, first.height, first.page) == (1024, 768, "https://example.com/a")
    assert (first.licence.id, first.licence.evidence) == ("CC-BY-SA-4.0", Evidence.STATED)
    assert (second.url, second.title, second.width, second.licence) == (B, None, None, Licence())


def test_numbers_of_a_parquet_file_are_numbers(find, tmp_path):
    """Sizes are read from integers and floats; invalid ones are unknown."""
    rows = [(A, 640, 480.0), (B, -1, float("nan"))]
    first, second = find("a.parquet", written(["URL", "WIDTH", "HEIGHT"], rows, tmp_path / "t"))
    assert (first.width, first.height) == (640, 480)
    assert (second.width, second.height) == (None, None)


def test_the_better_of_two_columns_is_taken(find):
    """If two columns could be the URL, the preferred name wins, whatever their order."""
    assert [hit.url for hit in find("a.csv", f"identifier,url\n17,{A}\n")] == [A]
    assert [hit.url for hit in find("b.csv", f"identifier,title\n{B},x\n")] == [B]


def test_a_path_starts_at_the_current_folder(find, tmp_path):
    """A relative path is relative to the current folder; an absolute one is used as it is."""
    (tmp_path / "lists").mkdir()
    assert [hit.url for hit in find("lists/a.txt", A)] == [A]
    assert [hit.url for hit in find(str(tmp_path / "lists" / "b.txt"), B)] == [B]


@pytest.mark.parametrize(
    ("text", "spdx"),
    [
        ("CC-BY-4.0", "CC-BY-4.0"),
        ("cc-by-nc-nd-2.0", "CC-BY-NC-ND-2.0"),
        ("CC0-1.0", "CC0-1.0"),
        ("CC-BY-SA-2.0-UK", "CC-BY-SA-2.0-UK"),
        ("LicenseRef-US-Gov", "LicenseRef-US-Gov"),
        ("http://creativecommons.org/licenses/by-nc/2.5/", "CC-BY-NC-2.5"),
        ("https://creativecommons.org/licenses/by/4.0/deed.en", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by/4.0/deed", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by-sa/4.0/legalcode?x#y", "CC-BY-SA-4.0"),
        ("//creativecommons.org/licenses/by/3.0/igo/", "CC-BY-3.0-IGO"),
        ("https://creativecommons.org/licenses/by-sa/2.0/uk/deed.en", "CC-BY-SA-2.0-UK"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/deed.de", "CC-PDM-1.0"),
        *[
            (unknown, None)
            for unknown in (
                *("", "?", "CC BY 4.0", "by", "Public domain", "CC-BY", "CC-BY-5.0", "CC-BY-ND-SA-4.0"),
                "https://creativecommons.org/",
                "https://creativecommons.org/licenses/by/5.0/",
                "https://creativecommons.org/licenses/by-sa-nd/4.0/",
                "https://creativecommons.org/licenses/by-nc-sa/2.5/scotland/",
                "https://creativecommons.org.evil.test/licenses/by/4.0/",
                "see https://creativecommons.org/licenses/by/4.0/",
            )
        ],
    ],
)
def test_a_licence_is_read_and_never_guessed(text, spdx):
    """Only an SPDX id or a Creative Commons URL is a stated licence; anything else is unknown."""
    licence = licence_parsing.parse_licence(text)
    assert licence.id == spdx
    assert (licence.evidence is Evidence.STATED) == (spdx is not None)


def test_a_licence_address_serves_where_the_name_is_vague(find):
    """If one column is vague and another has the URL of the licence, the URL is used."""
    (hit,) = find("a.csv", f"url,license,license_url\n{A},Attribution,https://creativecommons.org/licenses/by/2.0/\n")
    assert hit.licence.id == "CC-BY-2.0"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "", "holds no URL"),
        ("a.txt", "nothing here\n", "holds no URL"),
        ("a.txt", b"\xff\xd8\xff\xe0\x00\x10JFIF", "holds no URL"),
        ("a.csv", f"picture;title\n{A};x\n", "has no URL column. Its columns: picture, title"),
        ("a.csv", f"{A}\n{B}\n", "has no URL column"),
        ("a.csv", "", "has no URL column"),
        ("a.csv", "url\n\n", "holds no URL"),
        ("a.jsonl", '{"a": 1}\nnot json\n', "holds no URL"),
        ("a.parquet", b"PAR1 not really PAR1", "cannot be read"),
        ("a.parquet", b"", "cannot be read"),
        ("a.xlsx", b"PK", "not a supported file of URLs"),
        ("addresses", A, "not a supported file of URLs"),
    ],
)
def test_a_bad_file_is_a_clear_error(find, name, content, message):
    """A file without a URL, a URL column or a supported format is an error that names it."""
    with pytest.raises(Unavailable, match=message) as caught:
        find(name, content)
    assert name in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere.txt", "nowhere.parquet", "folder.csv", "a\0b.txt", f"{'x' * 5000}.txt"])
def test_what_is_no_file_is_a_clear_error(tmp_path, monkeypatch, name):
    """A missing file, a folder and an invalid name are errors."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(Unavailable, match=r"There is no file|cannot be read"):
        list(Urls({}).search(Query(name, "king"), None))


def test_a_parquet_file_without_a_url_column_is_refused(find, tmp_path):
    """A Parquet file without a URL column is refused before it is read."""
    with pytest.raises(Unavailable, match="Its columns: picture"):
        find("a.parquet", written(["picture"], [(A,)], tmp_path / "t"))


def test_parquet_without_its_extra_names_the_extra(find, monkeypatch):
    """Without pyarrow a Parquet file is refused with the command that installs it."""
    ordinary = builtins.__import__

    def without_pyarrow(name, *rest):
        if name.split(".")[0] == "pyarrow":
            raise ImportError(name)
        return ordinary(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_pyarrow)
    with pytest.raises(Unavailable) as caught:
        find("a.parquet", b"")
    assert "pip install pyarrow" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("a.jsonl", ["[" * 9_999, "{", "17", '{"url": 7}', '{"url": ["x"]}', '{"url": {}}', "1" * 5000]),
        ("a.csv", ["", ",,,,", "x,y,z,w", "\x00", '"', "http://", "http://[::1", "https://user:secret@host/"]),
        ("a.txt", ["\x00", "http://host:port/", "\ud800", "http://" + "x" * 200_000, "x" * 2**17 + B]),
    ],
)  # fmt: skip
def test_odd_rows_are_left_out(find, name, rows):
    """A row without a valid URL is skipped, and the rows around it are kept."""
    content = {"a.csv": ["url,title"]}.get(name, [])
    good = (lambda url: json.dumps({"url": url})) if name == "a.jsonl" else str
    # An unclosed quote swallows what follows up to the longest cell there can be: the good row is beyond it.
    content += [good(A), *rows, *["x" * 1000] * (200 if name == "a.csv" else 0), good(B)]
    hits = find(name, "\n".join(content).encode(errors="replace"))
    assert [hit.url for hit in hits] == [A, B]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_titles_in_other_encodings_do_not_cost_the_address(find, encoding):
    """UTF-8 and UTF-16 are read, and an invalid byte in a title loses the letter, not the row."""
    (hit,) = find("a.csv", f"url,title\n{A},König\n".encode(encoding))
    assert hit.url == A
    assert hit.title == ("König" if encoding != "cp1252" else "K\ufffdnig")


def test_a_search_is_lazy_and_its_memory_flat(tmp_path):
    """The first hits of a long file do not need the rest, and no hits are kept in memory."""
    path = tmp_path / "many.csv"
    with path.open("w") as file:
        file.write("url,title\n")
        file.writelines(f"https://example.com/{number}.jpg,{'x' * 200}\n" for number in range(5_000))
        file.write("y" * 5_000_000)
    hits = Urls({}).search(Query(str(path), "king"), None)
    tracemalloc.start()
    try:
        assert len(list(islice(hits, 10))) == 10
        assert sum(1 for _ in hits) == 4_990
        assert tracemalloc.get_traced_memory()[1] < 1_500_000
    finally:
        tracemalloc.stop()


def test_a_parquet_file_is_read_in_batches(tmp_path):
    """A Parquet file of many rows is streamed: at most one batch is in memory."""
    path = tmp_path / "many.parquet"
    addresses = [f"https://example.com/{number}.jpg" for number in range(200_000)]
    table = pa.table({"url": addresses, "blob": [b"x" * 100] * len(addresses)})
    parquet.write_table(table, path, row_group_size=10_000)
    size = table.nbytes
    del table
    before = pa.total_allocated_bytes()
    hits = Urls({}).search(Query(str(path), "king"), None)
    assert next(hits).url == addresses[0]
    assert pa.total_allocated_bytes() - before < size / 10
    assert [hit.url for hit in islice(hits, 20_000)] == addresses[1:20_001]


@given(
    st.sampled_from(["x.txt", "x.csv", "x.tsv", "x.jsonl", "x.parquet"]),
    st.binary() | st.text().map(str.encode),
)
def test_any_file_gives_hits_or_a_provider_error(tmp_path_factory, name, data):
    """Any bytes give hits or a provider error."""
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(b"url,title\n" * (name == "x.csv") + data)
    with pytest.raises(ProviderError):
        list(Urls({}).search(Query(str(path), "king"), None))
