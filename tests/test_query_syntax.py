"""The syntax of queries: one definition of negative terms, phrases and operators for the whole program."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest.dataset.pages_naming_another_class import class_phrases
from harvest.files.check_names_and_cells import check_component
from harvest.harvesting.detect_unrelated_results import query_words
from harvest.providers.sample_drawing import parse_shape
from harvest.queries.negative_terms_and_phrases import (
    derive_class_name,
    has_unclosed_phrase,
    plain_text,
    split_words,
    without_negative_terms,
    without_operators,
)

ANY = st.text() | st.text(alphabet='ab -"\t\n:&_.', max_size=20)

EXAMPLES = [  # a query, and the words it asks for
    ("red star -blue", "red star"),
    ("-blue red star", "red star"),
    ('red star -"blue circle"', "red star"),
    ('red star -"blue circle', "red star"),  # an unclosed phrase reaches to the end of the query
    ('red star -"', "red star"),
    ('-"blue circle" red -square star', "red star"),
    ("red star -site:blue.example", "red star"),
    ("red star --blue", "red star"),
    ('"red star" -blue', "red star"),
    ("red - star", "red star"),  # a minus alone excludes nothing
    ("red\t-blue\nstar", "red star"),
]
every_example = pytest.mark.parametrize(("query", "wanted"), EXAMPLES)


@every_example
def test_every_part_excludes_the_same_words(query, wanted):
    """Folder name, expected words, phrases of a class, species name and drawing keep and drop the same words."""
    words = wanted.split()
    assert derive_class_name(query).replace("_-_", "_").split("_") == words
    assert query_words(query) == set(words)
    assert class_phrases("x", [query]) - {"x"} == {wanted}
    assert split_words(plain_text(query)) == words
    assert parse_shape(query) == ("red", "star")


@given(ANY)
def test_all_parts_agree_on_any_query(query):
    """Any query without operators has the same words for a result, a class and a species."""
    query = without_operators(query)
    words = set(split_words(without_negative_terms(query).casefold()))
    assert query_words(query) == words
    assert set(split_words(plain_text(query).casefold())) == words
    composed = unicodedata.normalize("NFC", without_negative_terms(query)).casefold()
    assert {word for phrase in class_phrases("", [query]) for word in phrase.split()} == set(split_words(composed))


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("king-snake", "king-snake"),
        ("king -", "king -"),
        ("a-b -c", "a-b"),
        ('"a" -"b"c', '"a" c'),
        ("(-king)", "(-king)"),
    ],
)
def test_only_a_minus_at_the_start_of_a_term_excludes(query, left):
    """A hyphen within a word, a minus alone and a minus after another sign exclude nothing."""
    assert " ".join(without_negative_terms(query).split()) == left


@given(ANY)
def test_no_negative_term_is_left(query):
    """After the negative terms of a query are removed there is nothing more to remove."""
    once = without_negative_terms(query)
    assert without_negative_terms(once) == once


@pytest.mark.parametrize(
    ("query", "unclosed"), [("", False), ('"', True), ('"a"', False), ('"a" "b', True), ('-"a', True)]
)
def test_an_unclosed_phrase_is_found(query, unclosed):
    """An odd number of quotes leaves a phrase open."""
    assert has_unclosed_phrase(query) is unclosed


@pytest.mark.parametrize(
    ("text", "exclude", "name"),
    [
        ('guitar gibson "Flying V"', "guitar", "gibson_Flying_V"),
        ("guitar fender jaguar", " guitar", "fender_jaguar"),
        ('guitar "g&l" asat', " guitar", "gandl_asat"),
        ('"g&l" asat', " guitar", "gandl_asat"),
        ("guitar prs s2", " guitar", "prs_s2"),
        ("guitar gibson les paul", "guitar", "gibson_les_paul"),
        ("micrurus tener -king", "", "micrurus_tener"),
        ('coral snake -"king snake" -site:x.org', "", "coral_snake"),
        ("kingsnake king", "king", "kingsnake"),  # FastClass's substring gave "snake"
        ("Guitar gibson", "guitar", "gibson"),
        ("gibson  guitar   sg", "guitar", "gibson_sg"),
        ("Ωμέγα змея 蛇 हिन्दी", "", "Ωμέγα_змея_蛇_हिन्दी"),
        ("cafe\u0301", "", "caf\u00e9"),
        ("king-snake v1.5", "", "king-snake_v1.5"),
        ("what? a/b: c*", "", "what_ab_c"),
    ],
)
def test_fastclass_folder_names(text, exclude, name):
    """A search gives FastClass's folder name, whole words of exclude and negative terms left out."""
    assert derive_class_name(text, exclude) == name


@pytest.mark.parametrize(("text", "exclude"), [("king", "king"), ("-king", ""), ("../x", ""), ("con", ""), ("?", "")])
def test_a_search_without_a_safe_name_is_refused(text, exclude):
    """A search of which no safe name is left is refused, not given an invented one."""
    with pytest.raises(ValueError, match=r"it |CON"):
        derive_class_name(text, exclude)


@given(ANY, ANY)
def test_class_names_are_components(text, exclude):
    """Any search is refused or gives a name that passes as a component."""
    try:
        name = derive_class_name(text, exclude)
    except ValueError:
        return
    assert check_component(name) == name
    assert re.search(r'[\s/"&]', name) is None
