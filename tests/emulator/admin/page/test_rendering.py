"""One frame for every section; nothing from outside is taken for HTML."""

from __future__ import annotations

from aiodps.emulator.admin.page.rendering import OVERVIEW, SECTIONS, Rendering


def problem(rendering: Rendering, text: str = "") -> str:
    """Make a page with little on it."""
    answer = rendering.page("problem.html", OVERVIEW, title="t", text=text)
    return bytes(answer.body).decode()


def test_the_frame_names_all_sections() -> None:
    """And says where one is."""
    page = problem(Rendering(id_scope="0ne1"))

    assert all(f'href="{section.path}"' in page for section in SECTIONS)
    assert page.count('aria-current="page"') == 1
    assert "0ne1" in page


def test_what_is_said_is_said_once() -> None:
    """On top of the next page, as an alert if it is bad."""
    rendering = Rendering(id_scope="s")
    rendering.notify("done")
    rendering.notify("failed", bad=True)

    first = problem(rendering)
    assert 'role="status">done<' in first
    assert 'role="alert" tabindex="-1" autofocus>failed<' in first
    assert "done" not in problem(rendering)


def test_everything_is_escaped() -> None:
    """Text and notes may hold what devices send."""
    rendering = Rendering(id_scope="<b>")
    rendering.notify("<script>said</script>")

    page = problem(rendering, "<script>shown</script>")
    assert "<script>s" not in page
    assert "&lt;b&gt;" in page


def test_not_found() -> None:
    """404, in HTML, within the frame."""
    answer = Rendering(id_scope="s").not_found(OVERVIEW, "<lamp>")

    assert answer.status_code == 404
    assert b"&lt;lamp&gt;" in answer.body
