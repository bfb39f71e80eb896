"""The page as a document: it loads whole and in silence, within its content security policy."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.e2e.echo_page import EchoPage
from tests.e2e.witness import Witness
from tests.servers import Server


def test_the_page_loads_with_all_its_files(page: Page, witness: Witness, server: Server) -> None:
    EchoPage(page).open()
    page.wait_for_load_state("networkidle")
    expect(page).to_have_title("Django gRPC-Web Starter")
    expect(page.get_by_role("heading", level=1)).to_be_visible()

    assert all(request.url.startswith((f"{server.url}/", "data:")) for request in witness.requests)
    loaded = {request.resource_type for request in witness.requests}
    assert {"document", "script", "stylesheet"} <= loaded
    for request in witness.requests:
        response = request.response()
        assert response is not None
        assert response.status == 200, request.url
    # That nothing was logged, blocked or missed is the witness's to say, after this as after every test.


def test_the_policy_lets_no_inline_script_run(page: Page, witness: Witness) -> None:
    EchoPage(page).open()
    witness.expect_problem("CSP: script-src-elem blocks inline", "Content Security Policy")
    page.evaluate("""() => {
        const script = document.createElement("script");
        script.textContent = "window.inlineScriptRan = true";
        document.body.append(script);
    }""")
    assert page.evaluate("window.inlineScriptRan") is None
    assert any("CSP: script-src-elem blocks inline" in problem for problem in witness.problems)


def test_the_health_check_answers(page: Page) -> None:
    response = page.request.get("/healthz")
    assert response.status == 200
    assert response.text() == "ok\n"
