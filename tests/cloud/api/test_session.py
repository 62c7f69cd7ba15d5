import httpx
import pytest

from cloud.accounts.desk import IDLE_NS, LONGEST_NS, blank
from cloud.accounts.values import Role, Scope
from tests.cloud.api.people import PASSWORD, browser, sign_in, with_password
from tests.cloud.api.plant import BASE, SECOND, Opened, Plant

MACHINES = "/api/v1/machines"


async def test_without_accounts_everybody_here_may_do_everything(api: httpx.AsyncClient) -> None:
    found = (await api.get("/api/v1/session")).json()
    assert (found["trial"], found["signed_in"], found["role"]) == (True, False, "administrator")
    assert (await api.get(MACHINES)).status_code == 200


async def test_the_first_account_ends_the_trial(api: httpx.AsyncClient, plant: Plant) -> None:
    with_password(plant, "chen")
    refused = await api.get(MACHINES)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    found = (await api.get("/api/v1/session")).json()
    assert (found["trial"], found["signed_in"], found["role"], found["me"]) == (
        False,
        False,
        None,
        None,
    )


async def test_in_the_demo_nobody_signs_in(opened: Opened, plant: Plant) -> None:
    with_password(plant, "chen")
    async with browser(opened, demo=True) as client:
        assert (await client.get(MACHINES)).status_code == 200
        found = (await client.get("/api/v1/session")).json()
    assert (found["demo"], found["trial"]) == (True, True)


async def test_signing_in_and_out(api: httpx.AsyncClient, plant: Plant) -> None:
    with_password(plant, "chen", language="zh-CN")
    answer = await sign_in(api, "Chen")
    assert answer.json()["me"]["language"] == "zh-CN"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    assert "secure" not in cookie  # plain HTTP on loopback: a browser would drop it
    assert (await api.get(MACHINES)).status_code == 200
    kept = dict(api.cookies)
    await api.post("/api/v1/session/end", json={})
    assert (await api.get(MACHINES)).status_code == 401
    api.cookies.update(kept)
    assert (await api.get(MACHINES)).status_code == 401  # the server forgot it, not the browser


async def test_over_tls_the_cookie_is_for_this_host_and_tls_only(
    opened: Opened, plant: Plant
) -> None:
    with_password(plant, "chen")
    base = "https://pm.example.org"
    async with browser(opened, base, public_url=base) as client:
        cookie = (await sign_in(client, "chen")).headers["set-cookie"]
        assert cookie.startswith("__Host-forewarn=")
        assert "; Secure" in cookie
        livez = await client.get("/livez")
        assert livez.headers["strict-transport-security"] == "max-age=31536000"
        assert (await client.get(MACHINES)).status_code == 200


async def test_every_sign_in_has_a_secret_of_its_own_and_none_is_taken_from_outside(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    with_password(plant, "chen")
    planted = "A" * 43
    api.cookies.set("forewarn", planted, domain="127.0.0.1")
    await sign_in(api, "chen")
    first = [c.value for c in api.cookies.jar]
    await sign_in(api, "chen")
    second = [c.value for c in api.cookies.jar]
    assert planted not in first
    assert first != second


@pytest.mark.parametrize(("pause", "status"), [(IDLE_NS - SECOND, 200), (IDLE_NS, 401)])
async def test_a_sign_in_that_is_not_used_ends(
    api: httpx.AsyncClient, plant: Plant, pause: int, status: int
) -> None:
    with_password(plant, "chen")
    await sign_in(api, "chen")
    plant.clock[0] += pause
    assert (await api.get(MACHINES)).status_code == status


async def test_every_sign_in_ends_at_last(api: httpx.AsyncClient, plant: Plant) -> None:
    with_password(plant, "chen")
    await sign_in(api, "chen")
    step, passed = IDLE_NS // 2, 0
    while passed + step < LONGEST_NS:
        plant.clock[0] += step
        passed += step
        assert (await api.get(MACHINES)).status_code == 200
    plant.clock[0] += step
    assert (await api.get(MACHINES)).status_code == 401


async def test_wrong_name_and_wrong_password_look_alike(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    with_password(plant, "chen")
    with_password(plant, "gone", active=False)
    plant.ledger.account_add(blank("invited", Role.PLANNER), None, actor="test")
    answers = [
        await sign_in(api, name, password)
        for name, password in (
            ("chen", "wrong"),
            ("nobody", "wrong"),
            ("nobody", PASSWORD),
            ("gone", PASSWORD),
            ("invited", PASSWORD),
        )
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert not any("set-cookie" in answer.headers for answer in answers)


@pytest.mark.parametrize("name", ["chen", "nobody"])
async def test_wrong_passwords_make_wait_whether_there_is_such_a_person_or_not(
    api: httpx.AsyncClient, plant: Plant, name: str
) -> None:
    with_password(plant, "chen")
    answers = [await sign_in(api, name, "wrong") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert answers[-1].headers["retry-after"] == "1"
    right = await sign_in(api, name)  # not even looked at while it waits
    assert right.status_code == 429
    plant.clock[0] += 2 * SECOND
    assert (await sign_in(api, name)).status_code == (200 if name == "chen" else 401)


async def test_a_role_that_changes_ends_the_sign_ins(api: httpx.AsyncClient, plant: Plant) -> None:
    boss, _, secret = plant.person(Role.ADMINISTRATOR)
    chen = with_password(plant, "chen")
    await sign_in(api, "chen")
    headers = {"Authorization": f"Bearer {secret}", "If-Match": '"1"'}
    changed = await api.post(
        f"/api/v1/users/{chen.id}/change", json={"role": "engineer"}, headers=headers
    )
    assert changed.json()["role"] == "engineer"
    assert (await api.get(MACHINES)).status_code == 401
    last = await api.post(
        f"/api/v1/users/{boss.id}/change", json={"role": "engineer"}, headers=headers
    )
    assert last.status_code == 409
    assert "last administrator" in last.json()["detail"]


async def test_signing_out_everywhere(opened: Opened, plant: Plant) -> None:
    with_password(plant, "chen")
    async with browser(opened) as phone, browser(opened) as desktop:
        await sign_in(phone, "chen")
        await sign_in(desktop, "chen")
        await phone.post("/api/v1/session/end-all", json={})
        assert [(await one.get(MACHINES)).status_code for one in (phone, desktop)] == [401, 401]


async def test_my_settings(api: httpx.AsyncClient, plant: Plant) -> None:
    with_password(plant, "chen")
    await sign_in(api, "chen")
    mine = {"language": "zh-CN", "zone": "Asia/Shanghai", "units": "metric"}
    etag = (await api.get("/api/v1/me")).headers["etag"]
    changed = await api.post("/api/v1/me/settings", json=mine, headers={"If-Match": etag})
    assert {key: changed.json()[key] for key in mine} == mine
    stale = await api.post("/api/v1/me/settings", json=mine, headers={"If-Match": etag})
    assert stale.status_code == 412
    wrong = await api.post(
        "/api/v1/me/settings", json={"zone": "Middle/Earth"}, headers={"If-Match": "*"}
    )
    assert wrong.json()["errors"][0]["pointer"] == "/zone"


async def test_a_new_password_needs_the_present_one(api: httpx.AsyncClient, plant: Plant) -> None:
    with_password(plant, "chen")
    await sign_in(api, "chen")
    for present, new, status in (
        ("wrong", "another long password", 401),
        (PASSWORD, "short", 422),
        (PASSWORD, "chen chen chen chen", 422),
        (PASSWORD, "another long password", 200),
    ):
        body = {"present": present, "new": new}
        answer = await api.post("/api/v1/me/password", json=body, headers={"If-Match": "*"})
        assert answer.status_code == status
    assert (await api.get(MACHINES)).status_code == 401
    assert (await sign_in(api, "chen")).status_code == 401
    assert (await sign_in(api, "chen", "another long password")).status_code == 200


@pytest.mark.parametrize(
    ("scope", "look", "write", "manage"),
    [(Scope.READ, 200, 403, 403), (Scope.WRITE, 200, 404, 403), (Scope.MANAGE, 200, 404, 200)],
)
async def test_a_token_does_no_more_than_its_scope(
    api: httpx.AsyncClient, plant: Plant, scope: Scope, look: int, write: int, manage: int
) -> None:
    _, _, secret = plant.person(Role.ADMINISTRATOR, scope=scope)
    api.headers["Authorization"] = f"Bearer {secret}"
    comment = await api.post("/api/v1/tickets/none/comments", json={"text": "x"})
    found = [
        (await api.get(MACHINES)).status_code,
        comment.status_code,
        (await api.get("/api/v1/users")).status_code,
    ]
    assert found == [look, write, manage]


async def test_a_token_is_shown_once_and_ends_when_it_should(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    with_password(plant, "chen")
    await sign_in(api, "chen")
    made = (await api.post("/api/v1/tokens", json={"name": "report", "days": 1})).json()
    secret = made["secret"]
    listed = await api.get("/api/v1/tokens")
    assert secret not in listed.text
    assert [one["scope"] for one in listed.json()["items"]] == ["read"]
    api.cookies.clear()
    bearer = {"Authorization": f"Bearer {secret}"}
    assert (await api.get(MACHINES, headers=bearer)).status_code == 200
    await sign_in(api, "chen")
    again = [
        (await api.post(f"/api/v1/tokens/{made['token']['id']}/revoke", json={})).json()["revoked"]
        for _ in range(2)
    ]
    assert again[0] == again[1]
    assert (await api.get(MACHINES, headers=bearer)).status_code == 401  # the cookie does not help
    other = (await api.post("/api/v1/tokens", json={"name": "report", "days": 1})).json()["secret"]
    plant.clock[0] += 86_400 * SECOND
    late = await api.get(MACHINES, headers={"Authorization": f"Bearer {other}"})
    assert late.status_code == 401


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer fw_x", "Basic Y2hlbjp4", "bearer " + "fw_" + "A" * 43, "é"],
)
async def test_what_is_no_token_is_refused(
    api: httpx.AsyncClient, plant: Plant, header: str
) -> None:
    with_password(plant, "chen")
    answer = await api.get(MACHINES, headers={b"Authorization": header.encode()})
    assert answer.status_code == 401


async def test_nobody_revokes_anothers_token(api: httpx.AsyncClient, plant: Plant) -> None:
    _, token, _ = plant.person(Role.ADMINISTRATOR)
    with_password(plant, "chen")
    await sign_in(api, "chen")
    answer = await api.post(f"/api/v1/tokens/{token.id}/revoke", json={})
    assert answer.status_code == 404


async def test_who_acts_is_who_is_signed_in(api: httpx.AsyncClient, plant: Plant) -> None:
    plant.register("acme.a")
    plant.find("acme.a", "pressure")
    with_password(plant, "chen")
    await sign_in(api, "chen")
    (ticket,) = (await api.get("/api/v1/tickets")).json()["items"]
    path = f"/api/v1/tickets/{ticket['id']}"
    forged = await api.post(
        f"{path}/acknowledge", json={"actor": "boss"}, headers={"If-Match": "*"}
    )
    assert (forged.status_code, forged.json()["errors"][0]["pointer"]) == (422, "/actor")
    done = await api.post(f"{path}/acknowledge", json={}, headers={"If-Match": "*"})
    assert done.json()["assignee"] == "chen"


async def test_a_cross_site_write_with_the_cookie_is_refused(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    with_password(plant, "chen")
    await sign_in(api, "chen")
    body = {"name": "x"}
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        answer = await api.post("/api/v1/tokens", json=body, headers=headers)
        assert answer.json()["type"] == "urn:forewarn:problem:foreign-origin"
    own = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}
    assert (await api.post("/api/v1/tokens", json=body, headers=own)).status_code == 201


async def test_an_invitation_is_a_link_that_works_once(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    _, _, secret = plant.person(Role.ADMINISTRATOR)
    api.headers["Authorization"] = f"Bearer {secret}"
    wish = {"name": "Li@example.org", "role": "customer", "customer": "acme"}
    made = (await api.post("/api/v1/users", json=wish)).json()
    assert made["link"].startswith(f"{BASE}/password/")
    assert (made["user"]["name"], made["user"]["has_password"]) == ("li@example.org", False)
    assert (await api.post("/api/v1/users", json=wish)).status_code == 409
    user = made["user"]["id"]
    newer = (await api.post(f"/api/v1/users/{user}/invite", json={})).json()["link"]
    del api.headers["Authorization"]
    form = {"name": "li@example.org", "password": PASSWORD, "again": PASSWORD}
    assert (await api.post(made["link"], data=form)).status_code == 404  # void since the second
    assert (await api.post(newer, data=form)).status_code == 303
    assert (await api.post(newer, data=form)).status_code == 404
    me = (await api.get("/api/v1/session")).json()["me"]
    assert (me["name"], me["role"], me["customer"]) == ("li@example.org", "customer", "acme")


@pytest.mark.parametrize(
    "wish",
    [
        {"role": "customer"},
        {"role": "planner", "customer": "acme"},
        {"role": "boss"},
        {"role": "planner", "password": PASSWORD},
        {"role": "planner", "id": "1"},
        {"role": "planner", "active": False},
        {"role": "planner", "name": "policy"},
        {"role": "customer", "customer": "Acme %"},
    ],
)
async def test_wishes_that_are_refused(
    api: httpx.AsyncClient, plant: Plant, wish: dict[str, object]
) -> None:
    _, _, secret = plant.person(Role.ADMINISTRATOR)
    api.headers["Authorization"] = f"Bearer {secret}"
    answer = await api.post("/api/v1/users", json={"name": "li", **wish})
    assert answer.status_code == 422


async def test_on_a_trial_installation_nobody_is_added_behind_the_owners_back(
    api: httpx.AsyncClient,
) -> None:
    answer = await api.post("/api/v1/users", json={"name": "li", "role": "planner"})
    assert answer.status_code == 409
    assert "link" in answer.json()["detail"]


async def test_one_person_has_so_many_tokens(
    api: httpx.AsyncClient, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.accounts.desk.TOKENS", 3)
    with_password(plant, "chen")
    await sign_in(api, "chen")
    made = [(await api.post("/api/v1/tokens", json={"name": "x", "days": 1})) for _ in range(4)]
    assert [one.status_code for one in made] == [201, 201, 201, 409]
    first = made[0].json()["token"]["id"]
    await api.post(f"/api/v1/tokens/{first}/revoke", json={})
    assert (await api.post("/api/v1/tokens", json={"name": "x"})).status_code == 201
