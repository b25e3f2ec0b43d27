"""Who may talk to the app: every request that is none of its own pages is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from app.hostile import OWN, PORT, make_world, served
from vitruve.app.guard import Entry, hosts_of

TOKEN = "Zr4-kW_tokenOfThisTest"
STREAM = f"ws://127.0.0.1:{PORT}/_stcore/stream"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The app at this machine's own address."""
    with served(make_world(tmp_path_factory.mktemp("guard")).workspace) as client:
        yield client


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, app: TestClient) -> Iterator[TestClient]:
    """The app where others reach it, too."""
    with served(make_world(tmp_path_factory.mktemp("locked")).workspace, TOKEN) as client:
        yield client


@pytest.fixture
def stranger(locked: TestClient) -> TestClient:
    """A browser that has no cookie yet."""
    locked.cookies.clear()
    return locked


def connected(client: TestClient, **headers: str) -> bool:
    """Whether a page may open its connection."""
    try:
        with client.websocket_connect(STREAM, headers=headers):
            return True
    except WebSocketDisconnect:
        return False


HOSTS = (
    *("evil.example", f"evil.example:{PORT}", f"127.0.0.1.evil.example:{PORT}", f"localhost.evil.example:{PORT}"),
    *("", "127.0.0.1", "127.0.0.1:80", f"127.0.0.1:{PORT}0", "127.0.0.1:", f"127.0.0.1:0{PORT}", "localhost"),
    *(f"0.0.0.0:{PORT}", f"127.0.0.2:{PORT}", f"2130706433:{PORT}", f"0x7f.1:{PORT}", f"[::]:{PORT}", f"::1:{PORT}"),
    *(f"evil.example@127.0.0.1:{PORT}", f"127.0.0.1:{PORT}@evil.example", f"127.0.0.1:{PORT}/evil.example"),
    *(f"127.0.0.1:{PORT}?x", f"127.0.0.1:{PORT}#x", f"127.0.0.1:{PORT}, evil.example", f"local\thost:{PORT}"),
    *(f"127.0.0.1 :{PORT}", f"localhost.:{PORT}", f"http://127.0.0.1:{PORT}", f"[::1%25eth0]:{PORT}"),
)


@pytest.mark.parametrize("host", HOSTS)
def test_another_name_is_refused(app: TestClient, host: str) -> None:
    answer = app.get("/", headers={"host": host})
    assert answer.status_code == 403 and "own address only" in answer.text
    assert not connected(app, host=host, origin=OWN)


@pytest.mark.parametrize("host", [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"LocalHost:{PORT}", f"[::1]:{PORT}"])
def test_own_names_are_answered(app: TestClient, host: str) -> None:
    assert app.get("/", headers={"host": host}).status_code == 200
    assert connected(app, host=host, origin=f"http://{host}")


def test_two_hosts_are_refused(app: TestClient) -> None:
    both = [("host", "evil.example"), ("host", f"127.0.0.1:{PORT}")]
    assert app.get("/", headers=both).status_code == 403
    assert app.get("/", headers=both[::-1]).status_code == 403


ORIGINS = (
    *("http://evil.example", f"http://evil.example:{PORT}", "null", "", "file://", "https://share.streamlit.app"),
    *("http://127.0.0.1", f"http://127.0.0.1:{PORT + 1}", f"http://127.0.0.1:{PORT}.evil.example", "http://localhost"),
    *(f"http://evil.example/http://127.0.0.1:{PORT}", f"http://127.0.0.1:{PORT}/", f"http://a@127.0.0.1:{PORT}"),
    *(f"ftp://127.0.0.1:{PORT}", f"127.0.0.1:{PORT}", f"//127.0.0.1:{PORT}", "chrome-extension://abcdef", "://"),
)


@pytest.mark.parametrize("origin", ORIGINS)
def test_another_page_is_refused(app: TestClient, origin: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        assert app.request(method, "/_stcore/health", headers={"origin": origin}).status_code == 403
    assert not connected(app, origin=origin)


def test_a_connection_must_say_where_it_comes_from(app: TestClient) -> None:
    assert not connected(app)
    assert connected(app, origin=OWN)


FOREIGN = {
    "picture": {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
    "script": {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"},
    "neighbour": {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "video"},
    "frame": {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
    "fetched": {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"},
}


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("address", ["/", "/workspace/file?path=good.txt", "/workspace/frame?path=good.png"])
def test_another_page_cannot_embed(app: TestClient, kind: str, address: str) -> None:
    assert app.get(address, headers=FOREIGN[kind]).status_code == 403


def test_a_link_may_be_followed_and_a_form_not_sent(app: TestClient) -> None:
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert app.get("/", headers=followed).status_code == 200
    assert app.post("/", headers=followed).status_code == 403


def test_every_answer_forbids_framing_guessing_and_strangers(app: TestClient) -> None:
    for address in ("/", "/workspace/file?path=good.txt", "/workspace/file?path=none", "/_stcore/health"):
        headers = app.get(address).headers
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "SAMEORIGIN"
        assert headers["cross-origin-resource-policy"] == headers["cross-origin-opener-policy"] == "same-origin"
        assert "http" not in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers


def test_nobody_may_steer_pages_by_messages(app: TestClient) -> None:
    assert app.get("/_stcore/host-config").json()["allowedOrigins"] == []


def test_the_api_for_programs_is_off(app: TestClient) -> None:
    answer = app.post("/_stcore/agent/interact", json={})
    assert answer.status_code >= 400 and "does not serve" in answer.text


def test_a_project_cannot_open_the_app(
    tmp_path_factory: pytest.TempPathFactory, app: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamlit import config

    folder = tmp_path_factory.mktemp("project")
    (folder / ".streamlit").mkdir()
    (folder / ".streamlit" / "config.toml").write_text(
        '[server]\nenableCORS = false\nenableXsrfProtection = false\nenableAgentApi = true\nbaseUrlPath = "x"\n'
        'enableStaticServing = true\ncustomComponentBaseUrlPath = "http://evil.example"\nmaxUploadSize = 999999\n'
        '[client]\nallowedOrigins = ["http://evil.example"]\nshowErrorDetails = "full"\n'
        "[browser]\ngatherUsageStats = true\n"
    )
    monkeypatch.chdir(folder)
    before = {name: config.get_option(name) for name in config.get_config_options()}
    with served(make_world(folder / "world").workspace):
        read = {name: config.get_option(name) for name in before}
    assert read == before


TOKENS = (
    "",
    "x",
    TOKEN[:-1],
    TOKEN + "x",
    TOKEN.upper(),
    TOKEN[::-1],
    "%00" + TOKEN,
    TOKEN + "%0a",
    "%c3%a9",
    "x" * 9000,
)


@pytest.mark.parametrize("token", TOKENS)
def test_a_wrong_token_opens_nothing(stranger: TestClient, token: str) -> None:
    for address in ("/", "/workspace/file", "/_stcore/health", "/_stcore/host-config"):
        answer = stranger.get(f"{address}?path=good.txt&token={token}")
        assert answer.status_code == 403 and TOKEN not in answer.text and "set-cookie" not in answer.headers
    assert not connected(stranger, origin=OWN)


PROOF = Entry(hosts_of("127.0.0.1"), PORT, TOKEN).proof
COOKIES = (
    *(f"vitruve_{PORT}=", f"vitruve_{PORT}={TOKEN}", f"vitruve_{PORT}={PROOF[:-1]}", f"vitruve_{PORT}={PROOF}0"),
    *(f"vitruve_{PORT + 1}={PROOF}", f"VITRUVE_{PORT}={PROOF}", f"token={TOKEN}", f"vitruve_{PORT}={PROOF.upper()}"),
    *(
        PROOF,
        f"={PROOF}",
        f"vitruve_{PORT}=%s" % Entry(hosts_of("x"), PORT, "").proof,
        f"vitruve_{PORT}={PROOF}; vitruve_{PORT}=x",
    ),
)


@pytest.mark.parametrize("cookie", COOKIES)
def test_a_wrong_cookie_opens_nothing(stranger: TestClient, cookie: str) -> None:
    assert stranger.get("/", headers={"cookie": cookie}).status_code == 403
    assert stranger.put("/_stcore/upload_file/a/b", headers={"cookie": cookie}).status_code == 403
    assert not connected(stranger, origin=OWN, cookie=cookie)


def test_the_token_is_taken_from_the_link_alone(stranger: TestClient) -> None:
    for headers in ({"authorization": f"Bearer {TOKEN}"}, {"x-token": TOKEN}, {"referer": f"{OWN}/?token={TOKEN}"}):
        assert stranger.get("/", headers=headers).status_code == 403
    assert stranger.get(f"/?token={TOKEN}&token=x").status_code == 403
    assert stranger.get(f"/?token={TOKEN}", headers={"host": f"evil.example:{PORT}"}).status_code == 403
    try:
        with stranger.websocket_connect(f"{STREAM}?token={TOKEN}", headers={"origin": OWN}):
            raise AssertionError("a connection was opened without a cookie")
    except WebSocketDisconnect:
        pass


def test_the_link_opens_the_app_and_leaves_the_address(stranger: TestClient) -> None:
    answer = stranger.get(f"/?token={TOKEN}")
    assert answer.status_code == 303 and answer.headers["location"] == "/"
    given = answer.headers["set-cookie"]
    assert "HttpOnly" in given and "SameSite=lax" in given and TOKEN not in given
    assert stranger.get("/").status_code == 200
    cookie = f"vitruve_{PORT}={PROOF}"
    assert connected(stranger, origin=OWN, cookie=cookie)
    assert not connected(stranger, origin="http://evil.example", cookie=cookie)
    stranger.cookies.clear()
    # Other programs of this machine share their cookies with the app.
    assert stranger.get("/", headers={"cookie": f'other={{"a": [1, "b"]}}; {cookie}; b@d=,;'}).status_code == 200


def test_the_secret_is_not_shown() -> None:
    entry = Entry(hosts_of("127.0.0.1"), PORT, TOKEN)
    assert TOKEN not in repr(entry) and TOKEN not in entry.proof
