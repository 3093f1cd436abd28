"""One session for each client of MQTT, the newest."""

from __future__ import annotations

from aiodps.emulator.sessions import Sessions


def test_a_newer_session_ends_the_older_one_of_its_client_alone() -> None:
    """MQTT 3.1.1, 3.1.4-2."""
    sessions = Sessions()
    ended: list[str] = []
    with (
        sessions.enter("a", end=lambda: ended.append("a1")),
        sessions.enter("b", end=lambda: ended.append("b1")),
        sessions.enter("a", end=lambda: ended.append("a2")),
    ):
        assert ended == ["a1"]


def test_a_session_that_was_left_is_not_ended() -> None:
    """Nor is the one that took over forgotten when the older one is left at last."""
    sessions = Sessions()
    ended: list[str] = []
    older = sessions.enter("a", end=lambda: ended.append("older"))
    newer = sessions.enter("a", end=lambda: ended.append("newer"))
    older.__enter__()
    newer.__enter__()
    older.__exit__(None, None, None)
    with sessions.enter("a", end=lambda: ended.append("third")):
        assert ended == ["older", "newer"]

    newer.__exit__(None, None, None)
    with sessions.enter("a", end=lambda: ended.append("fourth")):
        assert ended == ["older", "newer"]
