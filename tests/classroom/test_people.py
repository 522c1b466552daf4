"""Who a student is: their id or their name, and nobody else's doing; no two share a folder, whatever they bear."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.classroom.grading.people import Person, normal, person

NAMES = st.text(max_size=120) | st.sampled_from(
    [
        "ada",
        "Ada",
        " ada ",
        "-ada",
        ".ada",
        "ada.",
        "ada\u200b",
        "José",
        "Jose\u0301",
        "ada #17",
        "ada ~1",
        "a/b",
        "a_b",
        "con",
    ]
)
IDS = (
    st.just("")
    | st.text("0123456789", min_size=1, max_size=4)
    | st.sampled_from(["a@b.c", "a_b.c", "Ada", "17 ", "#17"])
)
PEOPLE = st.builds(person, NAMES, IDS)


@settings(max_examples=500)
@given(PEOPLE, PEOPLE)
def test_two_people_share_no_folder_and_one_person_has_one_key(one, other):
    if one.key == other.key:
        assert one.id or normal(one.name) == normal(other.name)
    else:
        assert one.folder.casefold() != other.folder.casefold()
        assert unicodedata.normalize("NFD", one.folder) != unicodedata.normalize("NFD", other.folder)


@settings(max_examples=500)
@given(PEOPLE)
def test_a_folder_has_a_name_that_is_safe_on_every_system(one):
    name = one.folder
    assert 1 <= len(name) <= 120 and len(name.encode()) <= 240
    assert not set(name) & set('/\\:*?"<>|=@+') and name[0] not in ".- ~#" and name[-1] not in ". "
    assert not any(unicodedata.category(letter).startswith("C") for letter in name)


@settings(max_examples=500)
@given(PEOPLE, PEOPLE)
def test_two_people_are_never_shown_alike(one, other):
    assert one.key == other.key or normal(one.label) != normal(other.label) or "#" in one.shown + other.shown


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("José",), ("Jose\u0301",), True),
        (("Ada  Lovelace ",), ("ada lovelace",), True),
        (("-ada",), ("ada",), False),
        (("ada\u200b",), ("ada",), False),
        (("Ada", "17"), ("Ada King", "17"), True),
        (("Ada", "17"), ("Ada", "18"), False),
        (("Ada", "17"), ("Ada",), False),
        (("Ada", "ada@x.org"), ("Ada", "Ada@x.org"), True),
    ],
)
def test_an_id_says_who_somebody_is_and_else_the_name(one, other, same):
    assert (Person(*one).key == Person(*other).key) == same


@pytest.mark.parametrize(
    ("who", "folder"),
    [
        (Person("Łukasz Żółć"), "Łukasz Żółć"),
        (Person("李 小龍", "17"), "李 小龍 #17"),
        (Person("O'Brien, Conan (2)"), "O'Brien, Conan (2)"),
        (Person("Zoe\u0308"), "Zoë"),
        (Person("=cmd()", "17"), "_cmd() #17"),
        (Person("", "17"), "student #17"),
    ],
)
def test_a_name_stays_as_it_is_where_a_folder_can_bear_it(who, folder):
    assert who.folder == folder


@pytest.mark.parametrize(
    "name", [".hidden", "a/b\\c", "=cmd()", "\x1b[31mred\x1b[0m\x00", "..", "CON", "aux.x", "a" * 81, " "]
)
def test_a_name_that_no_folder_can_bear_gets_a_mark_of_its_own(name):
    assert "~" in Person(name).folder and Person(name).folder == Person(name).folder


def test_half_a_character_in_a_name_is_kept_apart_and_can_be_written():
    one, other = person("ada\udcff"), person("ada\udcfe")
    assert one.key != other.key and one.name.encode()
