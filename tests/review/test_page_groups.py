"""The groups of the review page: duplicates with a proposal, conflicts that need a class."""

from __future__ import annotations

import pytest

from tests.review.fake_server import CLASSES
from tests.review.test_page_grid import press, state_of, wait_for


@pytest.fixture
def duplicates(page):
    page.click("[data-queue=duplicates]")
    page.wait_for_selector(".member.focused")
    return page


@pytest.fixture
def conflicts(page):
    page.click("[data-queue=conflicts]")
    page.wait_for_selector(".member.focused")
    return page


def test_enter_accepts_each_proposal_to_the_end(duplicates, dataset):
    """Enter keeps what is proposed and rejects the rest of the group; after the last group the queue is empty."""
    for _ in range(6):
        press(duplicates, "Enter")
    duplicates.wait_for_selector("#empty h2")

    assert [(body["action"], body["keep"]) for body in dataset.log] == [
        ("settle", [10 * index + 1]) for index in range(6)
    ]


def test_nothing_is_rejected_before_enter(duplicates, dataset):
    """Arrows, K and X only mark; Enter sends what is marked."""
    press(duplicates, "ArrowRight")  # the second image is the one to keep now
    press(duplicates, "k", "ArrowRight", "k", "ArrowLeft", "ArrowLeft", "x")
    assert dataset.log == []

    press(duplicates, "Enter")
    assert dataset.log[0]["keep"] == [2, 3]
    assert dataset.log[0]["ids"] == [1, 2, 3]


def test_all_different_none_and_skip(duplicates, dataset):
    """A marks the pairs as different, N rejects the whole group, S only goes on; the skipped group comes last."""
    press(duplicates, "s", "a", "n")

    assert [(body["action"], body["ids"]) for body in dataset.log] == [
        ("distinct", [11, 12]),
        ("reject", [21, 22]),
    ]
    press(duplicates, "End", "Enter")
    wait_for(duplicates, "document.querySelector('.group.current .group-title').textContent.startsWith('1 of 6')")


def test_digits_keep_as_a_class(duplicates, dataset):
    """A digit settles the group and moves what is kept to that class, as one step of undo."""
    target = next(number for number, name in enumerate(CLASSES, 1) if name != dataset.items[1]["class"])
    press(duplicates, str(target))

    assert dataset.items[1]["class"] == CLASSES[target - 1]
    assert dataset.items[2]["state"] == "rejected"
    assert len(dataset.log) == 1


def test_probable_copies_are_not_rejected_by_enter(page, dataset):
    """Without a proposal Enter rejects nothing and the arrows only move; what is rejected by X is settled by Enter."""
    show = dataset.show_group
    dataset.show_group = lambda group: show(group) | {"keep": [], "why": "best: larger original"}
    page.click("[data-queue=duplicates]")
    page.wait_for_selector(".member.focused")
    press(page, "ArrowRight", "Enter")
    assert dataset.log == []
    assert "Nothing is proposed" in page.inner_text("#notice")

    press(page, "x", "Enter")
    assert [(body["action"], body["keep"]) for body in dataset.log] == [("settle", [1, 3])]


def test_a_conflict_needs_a_class(conflicts, dataset):
    """Enter passes no conflict; a digit keeps the file of that class and rejects the other; X rejects both."""
    press(conflicts, "Enter")
    assert dataset.log == []
    assert "class" in conflicts.inner_text("#notice")

    press(conflicts, "2")
    assert (dataset.log[-1]["action"], dataset.log[-1]["keep"]) == ("settle", [62])
    press(conflicts, "x")
    assert (dataset.log[-1]["action"], dataset.log[-1]["ids"]) == ("reject", [71, 72])


def test_a_conflict_can_be_decided_by_mouse(conflicts, dataset):
    """Each class of a conflict has a button."""
    conflicts.click(f"[data-value={CLASSES[1]}]")
    wait_for(conflicts, "document.querySelector('.group.closed')")
    press(conflicts)  # wait for the answer

    assert dataset.log[-1]["keep"] == [62]


def test_arrows_in_the_loupe_move_the_image_not_the_group(duplicates):
    """Over a group the loupe steps through its images only; behind it the group stays."""
    press(duplicates, "Space", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown")

    assert duplicates.inner_text("#loupe .position") == "3 of 3"
    press(duplicates, "Space")
    assert duplicates.inner_text(".group.current .group-title").startswith("1 of 6")


def test_an_image_kept_by_the_user_is_never_proposed_for_rejection(page, dataset):
    """Choosing another image by an arrow leaves those that the user kept."""
    show = dataset.show_group

    def with_kept(group):
        shown = show(group)
        shown["members"][-1]["kept_by_you"] = True
        return shown

    dataset.show_group = with_kept
    page.click("[data-queue=duplicates]")
    page.wait_for_selector(".member.focused")
    press(page, "ArrowRight", "ArrowLeft", "Enter")

    assert dataset.log[0]["keep"] == [3, 1]


def test_undo_brings_a_group_back(duplicates, dataset):
    """After an undo the group is open again."""
    press(duplicates, "Enter")
    press(duplicates, "Control+z")
    wait_for(duplicates, "document.querySelectorAll('.group.closed').length === 0")
    assert duplicates.inner_text(".group.current .why") == "Keeps 1 image · 2048 x 1365, CC BY"

    assert dataset.items[2]["state"] == "kept"
    assert state_of(duplicates, "groups.length") == 6


def test_the_wheel_leaves_the_focused_group(page):
    """The list of groups scrolls away from the group under the focus, and stays there when it is drawn again."""
    page.click("[data-queue=duplicates]")
    page.wait_for_selector(".member.focused")
    page.hover("#groups .member")
    page.mouse.wheel(0, 900)
    wait_for(page, "document.getElementById('groups').scrollTop > 500")
    redraw = "notify('groups'); return new Promise(requestAnimationFrame);"
    redraw = f"import('/static/store.js').then(({{notify}}) => {{ {redraw} }})"
    page.evaluate(redraw)
    page.evaluate(redraw)
    assert page.evaluate("document.getElementById('groups').scrollTop") > 500
