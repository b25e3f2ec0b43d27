"""Choosing a frame, without a browser."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def _script() -> None:
    import streamlit as st

    from vitruve.app.parts.stepper import jump, stepper

    if st.button("jump"):
        jump("mouse", 4)
    st.write(f"shown: {stepper('mouse', st.session_state.get('count', 10), start=2)}")


def _said(test: AppTest) -> str:
    assert not test.exception
    return str(test.markdown[0].value)


def test_it_begins_where_it_is_told_and_keeps_what_was_chosen() -> None:
    test = AppTest.from_function(_script).run()
    assert _said(test) == "shown: 2"
    test.session_state["mouse"] = 7
    assert _said(test.run()) == "shown: 7"
    assert _said(test.button[0].click().run()) == "shown: 4"


def test_a_choice_that_is_no_frame_becomes_one() -> None:
    test = AppTest.from_function(_script).run()
    for given, shown in ((99, 9), (-5, 0), ("4", 2), (True, 2), (None, 2), (3.5, 2)):
        test.session_state["mouse"] = given
        assert _said(test.run()) == f"shown: {shown}", given


def test_a_shorter_video_keeps_the_choice_inside() -> None:
    test = AppTest.from_function(_script).run()
    test.session_state["mouse"] = 9
    test.session_state["count"] = 3
    assert _said(test.run()) == "shown: 2"
