"""Query files in both forms, and everything that can be wrong with one."""

import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harvest.errors import QueryFileError
from harvest.files.check_names_and_cells import check_component, fold_name
from harvest.licences import LicenceFilter
from harvest.queries.query_file import read_queries

REPOSITORY = Path(__file__).parents[1]
FASTCLASS = "searchterm,exclude\n"
WIDE = "class,query,max,providers,license\n"


@pytest.fixture
def read(tmp_path):
    """Write a text or bytes to a file, read it, and return (class, query) pairs and the warnings."""

    def write_and_read(content, **options):
        path = tmp_path / "q.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        warnings = []
        queries = read_queries(path, warn=warnings.append, **options)
        return [(query.class_name, query.text) for query in queries], warnings

    return write_and_read


@pytest.fixture
def refuse(read):
    """Read a file that must be refused and return the error."""

    def read_and_catch(content, **options):
        with pytest.raises(QueryFileError) as caught:
            read(content, **options)
        return caught.value

    return read_and_catch


# FastClass's form


def test_the_example_file_gives_fastclass_folders():
    """The included guitars.csv gives FastClass's folder names, and quotes stay in the queries."""
    queries = read_queries(REPOSITORY / "queries" / "guitars.csv")
    folders = {query.text: query.class_name for query in queries}
    assert folders['guitar gibson "Flying V"'] == "gibson_Flying_V"
    assert folders["guitar fender jaguar"] == "fender_jaguar"
    assert folders['guitar "g&l" asat'] == folders['"g&l" asat'] == "gandl_asat"


def test_the_snakes_are_two_classes():
    """The included snakes.csv has a coral snake and its mimic."""
    queries = read_queries(REPOSITORY / "queries" / "snakes.csv")
    assert [(query.class_name, query.text) for query in queries] == [
        ("coral_snake", "micrurus tener -king"),
        ("king_snake", "scarlet king snake"),
    ]


def test_the_shapes_are_as_many_classes_as_queries():
    """The included shapes.csv has one class per shape."""
    queries = read_queries(REPOSITORY / "queries" / "shapes.csv")
    assert len({query.class_name for query in queries}) == len(queries) == 4


def test_negative_terms_stay_in_the_query_and_out_of_the_folder(read):
    """A negative term stays in the query and is not in the folder name."""
    assert read(FASTCLASS + "micrurus tener -king,\n")[0] == [("micrurus_tener", "micrurus tener -king")]


@pytest.mark.parametrize(
    ("row", "pair"),
    [
        ("king snake,", ("king_snake", "king snake")),
        ("king snake", ("king_snake", "king snake")),
        ("guitar, gibson, guitar", ("gibson", "guitar, gibson")),
        ('"a, b" snake,', ("a_b_snake", '"a, b" snake')),
    ],
)
def test_a_row_is_split_at_its_last_separator(read, row, pair):
    """Only the last separator splits a row, so a search term may contain others."""
    assert read(FASTCLASS + row) == ([pair], [])


def test_a_header_may_lack_the_exclude_column(read):
    """FastClass's second column may be missing."""
    assert read("searchterm\nking snake\n")[0] == [("king_snake", "king snake")]


def test_two_rows_of_one_folder_are_one_class(read):
    """Two search terms with the same folder name fill one class."""
    pairs, warnings = read(FASTCLASS + "guitar gibson,guitar\ngibson,\n")
    assert {name for name, _ in pairs} == {"gibson"}
    assert len(pairs) == 2
    assert warnings == []


def test_a_search_that_leaves_no_name_points_to_the_wide_form(refuse):
    """When no folder name is left, the error names the line and suggests the wide form."""
    error = refuse(FASTCLASS + "king snake,\nguitar,guitar\n")
    assert error.line == 3
    assert "class,query" in error.hint


def test_a_row_without_a_search_is_refused(refuse):
    """A row with excluded words and no search term is refused."""
    assert refuse(FASTCLASS + ",guitar\n").line == 2


def test_spreadsheet_quoting_is_told(read):
    """Doubled quotes are kept, and a warning says that this form has no CSV quotes."""
    pairs, warnings = read(FASTCLASS + '"guitar gibson ""Flying V""",guitar\n' * 2)
    assert pairs == [("gibson_Flying_V", '"guitar gibson ""Flying V"""')]
    assert "line 2" in warnings[0]


# the wide form


def test_the_wide_form(tmp_path):
    """Every column of the wide form is in the query, with its line number."""
    path = tmp_path / "q.csv"
    path.write_text(
        "License;class;query;max;Providers\n"
        'commercial;king_snake;"scarlet; ""king"" snake";70;bing, flickr\n'
        "\n"
        ";king_snake;lampropeltis;;ALL\n"
    )
    first, second = read_queries(path, providers={"BING", "FLICKR"})
    assert (first.class_name, first.text, first.line) == ("king_snake", 'scarlet; "king" snake', 2)
    assert (first.limit, first.providers) == (70, ("BING", "FLICKR"))
    assert first.filters.licence is LicenceFilter.COMMERCIAL
    assert (second.limit, second.providers, second.line) == (None, (), 4)
    assert second.filters.licence is LicenceFilter.ANY


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (",king snake", "class '' is not a valid folder name: it is empty"),
        ("king,", "'king' has no query"),
        ("king", "'king' has no query"),
        ("king,x,0", "max is '0'"),
        ("king,x,-3", "max is '-3'"),
        ("king,x,١", "max is '١'"),
        ("king,x,999999999999999999999", "max is"),
        ("king,x,,FLIKR", "Did you mean FLICKR?"),
        ("king,x,,,opem", "Did you mean open?"),
        ("king,a,b,c,d,e", "the row has 6 cells, but the header has 5 columns"),
    ],
)
def test_a_wrong_cell_is_named_with_its_line(refuse, row, message):
    """An invalid cell is shown with its line and the closest valid value."""
    error = refuse(f"{WIDE}ok,fine\n{row}\n", providers=["BING", "FLICKR"])
    assert error.line == 3
    assert message in str(error)


def test_exclude_beside_a_class_is_told(read):
    """Excluded words have no effect when the class is given, and one warning says so."""
    pairs, warnings = read("class,query,exclude\nking,king snake,snake\ncoral,coral snake,snake\n")
    assert [name for name, _ in pairs] == ["king", "coral"]
    assert len(warnings) == 1
    assert "line 2" in warnings[0]


def test_unknown_providers_are_the_callers_business(read):
    """Without a list of providers any name is accepted."""
    assert read(f"{WIDE}king,x,,MINE\n")[0] == [("king", "x")]


# faults


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfclass,query\nk\xc3\xb6nig,x\n",
        b"class,query\r\nk\xc3\xb6nig,x\r\n",
        b"class,query\rk\xc3\xb6nig,x",
        "\ufeffclass,query\r\nkönig,x\r\n".encode("utf-16-le"),
        "\ufeffclass,query\nkönig,x".encode("utf-16-be"),
        "\ufeffclass\tquery\r\nkönig\tx\r\n".encode("utf-16-le"),  # what Excel calls Unicode text
        b"\n\nclass,query\n\n  \n,,\nk\xc3\xb6nig,x\n;\n\n",
    ],
)
def test_C01_encodings_and_line_ends_are_all_read(read, content):
    """UTF-8 with and without a BOM, UTF-16 by its BOM, any line end and blank lines give the same query."""
    assert read(content) == ([("könig", "x")], [])


@pytest.mark.parametrize(
    ("content", "line", "byte"),
    [
        ("class,query\nkönig,x\n".encode("cp1252"), 2, "0xF6"),
        (b"\xef\xbb\xbfclass,query\r\na,b\r\n\xff,x\r\n", 3, "0xFF"),
        (b"class,query\ra,b\r\x80", 3, "0x80"),
        (b"\x89PNG\r\n\x1a\n", 1, "0x89"),
        ("\ufeffclass,query\na,b".encode("utf-16-le") + b"\x00", 2, "UTF-16"),
    ],
)
def test_C01_other_bytes_are_refused_by_line_and_byte(refuse, content, line, byte):
    """Invalid UTF-8 is shown with its line, no encoding is guessed, and UTF-8 is recommended."""
    error = refuse(content)
    assert error.line == line
    assert byte in str(error)
    assert "UTF-8" in error.hint


@pytest.mark.parametrize("separator", [",", ";", "\t", ", "])
@pytest.mark.parametrize("header", [["class", "query"], ["searchterm", "exclude"]])
def test_C02_the_header_chooses_the_separator(read, header, separator):
    """Comma, semicolon and tab are detected from the header alone."""
    name, text = ("snake", "king") if header[0] == "class" else ("snake", "snake")
    row = separator.join([name, text]) if header[0] == "class" else "snake" + separator
    assert read(f"{separator.join(header)}\n{row}\n") == ([(name, text)], [])


def test_C02_a_quoted_header_is_understood(read):
    """The wide form may have quotes around every cell."""
    assert read('"class";"query"\n"king";"king snake"\n')[0] == [("king", "king snake")]


@pytest.mark.parametrize(
    "header",
    [
        "class",
        "class|query",
        "label,text",
        "queries",
        "class,queries",
        "query,exclude",
        "king snake,",
        "a,b,c,d",
    ],
)
def test_C02_another_header_is_shown(refuse, header):
    """A header of neither form is shown with the two expected ones."""
    error = refuse(f"{header}\nking,x\n")
    assert error.line == 1
    assert repr(header) in str(error)
    assert "searchterm,exclude" in error.hint
    assert "class,query" in error.hint


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (f'{WIDE}a,b\nking,"king snake\ncoral,x\nfourth,"y"\n', 3),
        (f'{WIDE}king,"two\nlines"\n', 2),
        (f'{WIDE}king,"Flying V" guitar\n', 2),
        (f'class,"query\n{WIDE}', 1),
        (f'{FASTCLASS}a,\nguitar "Flying V,guitar\n', 3),
        (f'{FASTCLASS}king,"a,b"\n', 2),
    ],
)
def test_C03_an_unclosed_quote_is_refused_where_it_opens(refuse, content, line):
    """An unclosed quote is an error at its own line, and does not extend to other lines."""
    error = refuse(content)
    assert error.line == line
    assert "quote" in str(error)


def test_C03_an_unclosed_quote_at_the_end_is_refused(refuse):
    """An unclosed quote on the last line, without a final newline, is refused."""
    assert refuse(f'{WIDE}king,"king snake').line == 2


def test_C04_rows_of_one_class_are_several_queries(read):
    """Rows of the same class are several queries for it."""
    assert read(f"{WIDE}king,a\nking,b\n")[0] == [("king", "a"), ("king", "b")]


def test_C04_the_same_query_twice_is_asked_once(read):
    """A repeated row is searched once, and the warning names both lines."""
    pairs, warnings = read(f"{WIDE}king,a\nking,b\nking,a\n")
    assert pairs == [("king", "a"), ("king", "b")]
    assert "line 4" in warnings[0]
    assert "line 2" in warnings[0]


@pytest.mark.parametrize(
    "content",
    [
        f"{WIDE}Cat,a\ndog,b\ncat,c\n",
        f"{WIDE}caf\u00e9,a\ndog,b\ncafe\u0301,c\n",
        f"{WIDE}stra\u00dfe,a\ndog,b\nSTRASSE,c\n",
        f"{FASTCLASS}gibson SG,\ndog,\nGibson sg,\n",
    ],
)
def test_C04_classes_that_only_look_different_are_refused(refuse, content):
    """Two classes that are one folder on some file systems are refused, and both lines are named."""
    error = refuse(content)
    assert error.line == 4
    assert "line 2" in str(error)


@given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20))
@example("\u0130")
@example("\u01c5")
def test_C04_every_case_and_composition_collides(tmp_path_factory, name):
    """A class in another case or Unicode composition next to it is refused."""
    path = tmp_path_factory.getbasetemp() / "collide.csv"
    for variant in {name.upper(), name.lower(), unicodedata.normalize("NFD", name)} - {name}:
        if fold_name(variant) != fold_name(name):  # a few letters have no way back: İ becomes i and a dot
            continue
        path.write_text(f"class,query\n{name},a\n{variant},b\n", encoding="utf-8", newline="")
        with pytest.raises(QueryFileError):
            read_queries(path)


@pytest.mark.parametrize("name", ["../x", "/etc", "a/b", "C:\\x", "\\\\host\\share", "..", "~/x"])
def test_C05_a_path_for_a_class_is_refused(refuse, name):
    """A class that is a path is refused with its line, not changed into another class."""
    error = refuse(f"{WIDE}ok,fine\n{name},x\n")
    assert error.line == 3
    assert "is not a valid folder name" in str(error)


@pytest.mark.parametrize("form", [WIDE + "a\0b,x\n", FASTCLASS + "a\0b,\n"])
def test_C05_a_nul_is_refused(refuse, form):
    """A NUL anywhere in the file is refused with its line."""
    error = refuse(form)
    assert error.line == 2
    assert "U+0000" in str(error)


def test_spaces_around_a_class_are_dropped(tmp_path):
    """Spaces around a class cell are dropped, as they are around the names of the columns."""
    path = tmp_path / "q.csv"
    path.write_text("class , query\nking ,king snake\n king,milk snake\n")

    assert [query.class_name for query in read_queries(path)] == ["king", "king"]


@pytest.mark.parametrize(
    "name",
    [
        "con",
        "aux.txt",
        "COM¹",
        "cat.",
        "a:b",
        "蛇" * 86,
        "a\u202eb",
        "a\x1bb",
        ".cat",
        "-cat",
    ],
)
def test_C06_a_class_that_some_system_refuses_is_refused(refuse, name):
    """A class that is not a valid folder name on some system is refused on all, with its line."""
    assert refuse(f"{WIDE}ok,fine\n{name},x\n").line == 3


@pytest.mark.parametrize("search", ["con,", "../x,", "Mr.,", "x" * 300 + ","])
def test_C06_a_search_that_makes_such_a_name_is_refused(refuse, search):
    """A FastClass search term without a valid folder name on some system is refused, with its line."""
    assert refuse(f"{FASTCLASS}ok,\n{search}\n").line == 3


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", " \r\n", ",;\n"])
def test_C07_an_empty_file_is_refused(refuse, content):
    """For an empty file the error shows the expected header."""
    error = refuse(content)
    assert "empty" in str(error)
    assert "searchterm,exclude" in error.hint
    assert error.exit_code == 2


@pytest.mark.parametrize("header", [FASTCLASS, WIDE, WIDE + "\n\n"])
def test_C07_a_header_alone_is_refused(refuse, header):
    """A file with a header and no row is refused."""
    assert "it has a header but no queries" in str(refuse(header))


def test_C07_unknown_columns_are_named_in_a_warning(read):
    """An unknown column is named with a suggestion, and the rest is read."""
    pairs, warnings = read("class,query,provider,\nking,x,BING,\n")
    assert pairs == [("king", "x")]
    assert len(warnings) == 1
    assert "'provider'" in warnings[0]
    assert "Did you mean providers?" in warnings[0]


def test_C07_a_column_named_twice_is_refused(refuse):
    """Two columns of one name are refused."""
    assert "twice" in str(refuse("class,query,Query\nking,x,y\n"))


def test_C07_a_missing_file_in_queries_is_named(monkeypatch, tmp_path):
    """A missing file that exists in queries/ is suggested."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(QueryFileError) as caught:
        read_queries("snakes.csv")
    assert str(REPOSITORY / "queries" / "snakes.csv") in caught.value.hint
    Path("queries").mkdir()
    Path("queries/mine.csv").touch()
    with pytest.raises(QueryFileError) as caught:
        read_queries("mine.csv")
    assert str(Path("queries/mine.csv")) in caught.value.hint


@pytest.mark.parametrize("name", ["", "nowhere.csv", "nul\0.csv", "x" * 5000])
def test_C07_what_is_no_file_is_refused(monkeypatch, tmp_path, name):
    """A folder, a missing file and an invalid name are errors."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(QueryFileError, match=r"\S"):
        read_queries(name)


def test_C08_a_huge_cell_is_refused(refuse):
    """A cell of 200 kB is refused with its line and its size."""
    for form in (WIDE + "a,b\nking," + "x" * 200_000, FASTCLASS + "a,\n" + "x" * 200_000):
        error = refuse(form)
        assert error.line == 3
        assert "200,0" in str(error)
        assert len(str(error)) < 500


def test_C08_a_huge_file_is_refused_unread(refuse):
    """A file that is too large is refused."""
    assert "bytes" in str(refuse(b"x" * (32 * 2**20 + 1)))


_MEASURED = """
# not ru_maxrss: a child begins with its parent's
import re, sys, time
from pathlib import Path
from harvest.queries.query_file import read_queries
start = time.process_time()
queries = read_queries(sys.argv[1])
seconds = time.process_time() - start
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(len(queries), seconds, 1024 * int(peak))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize(
    ("header", "row"),
    [(FASTCLASS, 'guitar "g&l" no {} -old,guitar\n'), (WIDE, 'class_{},"a query, {}",7,BING,open\n')],
)
def test_C08_many_rows_are_read_fast_and_small(tmp_path, header, row):
    """100,000 rows take at most 100 MB, and the time grows linearly (0.5 s on a quiet machine)."""
    path = tmp_path / "many.csv"
    path.write_text(header + "".join(row.format(i, i) for i in range(100_000)))
    answer = subprocess.run([sys.executable, "-c", _MEASURED, path], capture_output=True, text=True, check=True)
    rows, seconds, memory = map(float, answer.stdout.split())
    assert rows == 100_000
    assert seconds < 30
    assert memory < 100e6


def test_reading_queries_imports_nothing_heavy():
    """The reader imports only the standard library, so that the command line starts fast."""
    code = "import sys; before = set(sys.modules); import harvest.queries.query_file; print(*set(sys.modules) - before)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    foreign = {name.split(".")[0] for name in answer.stdout.split()} - set(sys.stdlib_module_names)
    assert foreign == {"harvest"}


HEADERS = st.sampled_from(["searchterm,exclude\n", "class,query\n", "class;query;max\n", "class\tquery\tlicense\n", ""])


@given(
    HEADERS,
    st.text() | st.text(alphabet='aA"&,;\t\n\r -./x\u0301\u202e\0', max_size=60),
    st.sampled_from(["utf-8", "utf-16"]),
)
def test_any_text_is_refused_or_gives_safe_classes(tmp_path_factory, header, body, encoding):
    """Any text is refused with a message, or each of its classes is a distinct safe folder."""
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes((header + body).encode(encoding, "surrogatepass"))
    try:
        queries = read_queries(path)
    except QueryFileError:
        return
    assert queries
    names = {query.class_name for query in queries}
    assert all(check_component(name) == name for name in names)
    assert len({fold_name(name) for name in names}) == len(names)
    assert all(query.text.strip() == query.text != "" for query in queries)


@given(st.binary())
def test_any_bytes_are_refused_or_read(tmp_path_factory, data):
    """Any bytes give queries or an error message."""
    path = tmp_path_factory.getbasetemp() / "bytes.csv"
    path.write_bytes(data)
    with pytest.raises(QueryFileError):
        read_queries(path)


# Names that are split words


def test_class_named_like_a_split(read):
    """A class that `datasets` takes for a split is read, and one warning names the class and the word."""
    pairs, warnings = read(f"{WIDE}steam_train,a\nsteam_train,b\ntest tube,c\ntrains,d\nTest,e\n")

    assert len(pairs) == 5
    assert len(warnings) == 2
    assert "line 2" in warnings[0]
    assert "'steam_train' for a split, because of the word 'train'" in warnings[0]
    assert "'test tube'" in warnings[1]


def test_class_name_of_a_search_term_like_a_split(read):
    """The folder name that is derived from a search term is checked, not the search term."""
    assert "because of the word 'eval'" in read(FASTCLASS + "eval board\n")[1][0]
    assert read(FASTCLASS + "test stove,test\n")[1] == []
