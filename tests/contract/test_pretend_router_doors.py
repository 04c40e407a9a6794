"""Who gets in at the pretend router's API, and how: TLS with and without a certificate, the old
sign-in, policies and limits; held to librouteros, routeros-api and OpenSSL.
"""

import asyncio
import hashlib
import ssl

import librouteros
import pytest
import routeros_api
from librouteros.api import AsyncApi
from librouteros.exceptions import LibRouterosError
from librouteros.login import async_token

from appliance.sandbox.routeros.server import PretendRouter, RouterOptions
from tests.contract.clients import USERS, refused, say


@pytest.fixture
def router_options() -> RouterOptions:
    return RouterOptions(api_port=0, api_ssl_port=0, web_port=0)


def anonymous() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ADH:@SECLEVEL=0")
    return context


def unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def connect(
    router: PretendRouter, context: ssl.SSLContext | None, name: str = "appliance"
) -> AsyncApi:
    more = {} if context is None else {"ssl_wrapper": context}
    port = router.api_port if context is None else router.api_ssl_port
    return await librouteros.async_connect(
        "127.0.0.1", name, "sandbox", port=port, encoding="utf-8", timeout=5, **more
    )


async def test_without_a_certificate_only_anonymous_ciphers_are_spoken(
    router: PretendRouter,
) -> None:
    api = await connect(router, anonymous())
    assert (await say(api, "/system/identity/print"))[0]["name"] == "MikroTik"
    await api.close()
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        await connect(router, unverified())


async def test_with_a_certificate_it_is_known_by_its_fingerprint(router: PretendRouter) -> None:
    fingerprint = await asyncio.to_thread(router.certify)
    pem = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", router.api_ssl_port))
    assert hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() == fingerprint
    trusting = ssl.create_default_context(cadata=pem)
    trusting.verify_flags &= ~ssl.VERIFY_X509_STRICT
    api = await connect(router, trusting)
    (row,) = await say(api, "/certificate/print", "?name=api-ssl")
    assert row["fingerprint"] == fingerprint
    (service,) = await say(api, "/ip/service/print", "?name=api-ssl")
    assert service["certificate"] == "api-ssl"
    assert service["port"] == router.api_ssl_port
    await api.close()
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        await connect(router, anonymous())


async def test_the_set_up_makes_an_authority_and_a_certificate_by_itself(
    router: PretendRouter,
) -> None:
    trusted = await connect(router, None, name="admin")
    authority = ("=name=ca", "=common-name=box", "=key-usage=key-cert-sign,crl-sign")
    await say(trusted, "/certificate/add", *authority)
    server = ("=name=api", "=common-name=127.0.0.1", "=subject-alt-name=IP:127.0.0.1")
    await say(trusted, "/certificate/add", *server, "=key-usage=tls-server")
    await say(trusted, "/certificate/sign", "=number=ca")
    await say(trusted, "/certificate/sign", "=number=api", "=ca=ca")
    (row,) = await say(trusted, "/ip/service/print", "?name=api-ssl")
    await say(trusted, "/ip/service/set", f"=.id={row['.id']}", "=certificate=api")
    assert "no such item" in await refused(trusted, "/certificate/sign", "=number=nobody")
    await trusted.close()
    made = router.device.certificates.signed("ca")
    assert made is not None
    context = ssl.create_default_context(cadata=made.pem(with_key=False))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    api = await connect(router, context)
    assert await say(api, "/system/identity/print")
    await api.close()


async def test_routeros_api_speaks_tls_too(router: PretendRouter) -> None:
    await asyncio.to_thread(router.certify)

    def client() -> str:
        pool = routeros_api.RouterOsApiPool(
            "127.0.0.1",
            username="appliance",
            password="sandbox",
            port=router.api_ssl_port,
            use_ssl=True,
            ssl_context=unverified(),
            plaintext_login=True,
        )
        rows: list[dict[str, str]] = pool.get_api().get_resource("/system/identity").get()
        pool.disconnect()
        return rows[0]["name"]

    assert await asyncio.to_thread(client) == "MikroTik"


async def test_before_6_43_a_challenge_is_answered(router: PretendRouter) -> None:
    router.faults.set({"old_login": True})
    port, old = router.api_port, {"login_method": async_token, "timeout": 5}
    api = await librouteros.async_connect("127.0.0.1", "appliance", "sandbox", port=port, **old)
    assert await say(api, f"{USERS}/print")
    await api.close()
    with pytest.raises(LibRouterosError, match="cannot log in"):
        await librouteros.async_connect("127.0.0.1", "appliance", "wrong", port=port, **old)

    def client() -> int:
        pool = routeros_api.RouterOsApiPool(
            "127.0.0.1", username="appliance", password="sandbox", port=port
        )
        users = pool.get_api().get_resource(USERS).get()
        pool.disconnect()
        return len(users)

    assert await asyncio.to_thread(client) == 1


async def test_who_asks_in_the_new_way_is_given_a_challenge_by_an_old_router(
    router: PretendRouter,
) -> None:
    router.faults.set({"old_login": True})
    reader, writer = await asyncio.open_connection("127.0.0.1", router.api_port)
    for word in ("/login", "=name=appliance", "=password=sandbox"):
        writer.write(bytes((len(word),)) + word.encode())
    writer.write(b"\0")
    said = await reader.readuntil(b"\0")
    assert said.startswith(b"\x05!done\x25=ret=")
    assert len(bytes.fromhex(said[12:-1].decode())) == 16
    writer.close()
    await writer.wait_closed()


async def test_a_group_without_the_policy_stays_out(router: PretendRouter) -> None:
    accounts = router.device.accounts
    accounts.groups.add({"name": "ssh-only", "policy": "read,write,ssh"})
    accounts.users.add({"name": "robot", "group": "ssh-only", "password": "sandbox"})
    with pytest.raises(LibRouterosError, match=r"invalid user name or password \(6\)"):
        await connect(router, None, name="robot")


async def test_users_are_for_those_with_the_policy_only(router: PretendRouter) -> None:
    api = await connect(router, None)
    add = ("/user/add", "=name=mallory", "=group=full", "=password=x")
    assert await refused(api, *add) == "not enough permissions (9)"
    (row,) = await say(api, "/user/group/print", "?name=appliance")
    change = ("/user/group/set", f"=.id={row['.id']}", "=policy=policy")
    assert await refused(api, *change) == "not enough permissions (9)"
    trusted = await connect(router, None, name="admin")
    await say(trusted, *add)
    (row,) = await say(trusted, "/user/print", "?name=mallory")
    assert row["group"] == "full"
    assert "password" not in row
    await api.close()
    await trusted.close()


async def test_setting_a_groups_policies_adds_to_them(router: PretendRouter) -> None:
    trusted = await connect(router, None, name="admin")
    new = await say(trusted, "/user/group/add", "=name=box", "=policy=read,api,sensitive")
    change = ("/user/group/set", f"=.id={new[0]['ret']}")
    await say(trusted, *change, "=policy=ssh,read")
    (row,) = await say(trusted, "/user/group/print", "?name=box")
    held = {word for word in row["policy"].split(",") if not word.startswith("!")}
    assert held == {"ssh", "read", "sensitive", "api"}
    await say(trusted, *change, "=policy=!sensitive")
    (row,) = await say(trusted, "/user/group/print", "?name=box")
    assert "!sensitive" in row["policy"].split(",")
    wrong = await refused(trusted, *change, "=policy=nosuch")
    assert wrong == "input does not match any value of policy"
    await trusted.close()


async def test_addresses_limit_a_service_and_a_user(router: PretendRouter) -> None:
    trusted = await connect(router, None, name="admin")
    (service,) = await say(trusted, "/ip/service/print", "?name=api")
    limit = ("/ip/service/set", f"=.id={service['.id']}", "=address=10.5.50.2/32")
    await say(trusted, *limit)
    with pytest.raises((LibRouterosError, OSError)):
        await connect(router, None)
    await say(trusted, *limit[:2], "=address=127.0.0.0/8")
    (user,) = await say(trusted, "/user/print", "?name=reader")
    await say(trusted, "/user/set", f"=.id={user['.id']}", "=address=10.5.50.2")
    with pytest.raises(LibRouterosError, match="invalid user name or password"):
        await connect(router, None, name="reader")
    await (await connect(router, None)).close()
    await say(trusted, "/ip/service/disable", f"=numbers={service['.id']}")
    with pytest.raises((LibRouterosError, OSError)):
        await connect(router, None)
    await trusted.close()


async def test_how_many_sessions_there_may_be_can_be_set(router: PretendRouter) -> None:
    trusted = await connect(router, None, name="admin")
    (service,) = await say(trusted, "/ip/service/print", "?name=api")
    await say(trusted, "/ip/service/set", f"=.id={service['.id']}", "=max-sessions=2")
    second = await connect(router, None)
    with pytest.raises((LibRouterosError, OSError)):
        await connect(router, None)
    await second.close()
    await trusted.close()
