"""What is kept in the host's row: by account, encrypted, and never over what cannot be read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.fernet import Fernet

from broker._kit.errors import StoreError
from broker._kit.openalgo.session_store import OpenAlgoSessionStore
from broker._kit.secret import Secret
from broker._kit.sessions import stored_session
from broker._kit.sessions.store import Item
from broker._kit.sessions.stored_session import LoginMethod
from broker._kit.settings import Account
from broker.mstock.broker import MSTOCK
from broker.mstock.settings import Config
from tests.host.openalgo import OpenAlgo, PatientClock

KEPT = (Item.PASSWORD, Item.TOTP_SECRET, Item.SESSION, Item.RENEWAL)
TOKEN = Secret("eyJ.token.c2lnbmF0dXJl")


@pytest.fixture
def account(config: Config, openalgo: OpenAlgo) -> Account:
    """An account that has logged in to mStock once."""
    openalgo.upsert_auth("trader", TOKEN.reveal(), "mstock", user_id=config.client_code)
    return config.account


@pytest.mark.parametrize("name", KEPT)
def test_a_text_is_kept_and_forgotten(
    name: Item, store: OpenAlgoSessionStore, account: Account, openalgo: OpenAlgo
) -> None:
    assert store.get(account, name) is None
    store.set(account, name, Secret("Correct-Horse-9"))
    assert store.get(account, name) == Secret("Correct-Horse-9")
    row = openalgo.row()
    assert "Correct-Horse" not in repr(vars(row))
    assert not store.delete(account, name, only=Secret("another"))
    assert store.delete(account, name, only=Secret("Correct-Horse-9"))
    assert not store.delete(account, name)
    assert store.get(account, name) is None
    assert store.get(account, Item.TOKEN) == TOKEN


def test_each_name_has_a_column_of_its_own(
    store: OpenAlgoSessionStore, account: Account, openalgo: OpenAlgo
) -> None:
    for n, name in enumerate(KEPT):
        store.set(account, name, Secret(f"text {n}"))
    assert [store.get(account, name) for name in KEPT] == [Secret(f"text {n}") for n in range(4)]
    assert store.accounts() == [account]


def test_the_hosts_own_writes_leave_it_alone(
    store: OpenAlgoSessionStore, account: Account, openalgo: OpenAlgo
) -> None:
    store.set(account, Item.PASSWORD, Secret("Correct-Horse-9"))
    openalgo.upsert_auth("trader", "", "", revoke=True)
    assert store.get(account, Item.TOKEN) is None
    assert store.get(account, Item.PASSWORD) == Secret("Correct-Horse-9")
    assert store.user_of(account) == "trader"
    store.set(account, Item.TOKEN, Secret("eyJ.new.c2ln"))
    assert openalgo.token() == "eyJ.new.c2ln"
    assert openalgo.row().broker == "mstock"


def test_the_token_is_the_hosts_own(
    store: OpenAlgoSessionStore, account: Account, openalgo: OpenAlgo
) -> None:
    openalgo.calls.clear()
    store.set(account, Item.TOKEN, TOKEN)
    assert openalgo.calls == []  # as it was: nobody's stream is torn down
    assert not store.delete(account, Item.TOKEN, only=Secret("a late one"))
    assert store.delete(account, Item.TOKEN, only=TOKEN)
    assert openalgo.row().is_revoked
    assert store.get(account, Item.TOKEN) is None


@pytest.mark.parametrize(
    "other", [{"api_type": "A"}, {"rest_url": "https://api.mstock.trade"}, {"client_code": "MB7"}]
)
def test_another_account_gets_nothing_of_it(
    other: dict[str, str], store: OpenAlgoSessionStore, account: Account, clock: PatientClock
) -> None:
    store.set(account, Item.PASSWORD, Secret("Correct-Horse-9"))
    stored_session.save_session(store, account, TOKEN, clock.now(), LoginMethod.OTP)
    stranger = account._replace(**other)
    assert store.get(stranger, Item.PASSWORD) is None
    assert store.get(stranger, Item.TOKEN) is None
    assert stored_session.load_session(store, stranger, clock.now()) is None


def test_a_token_from_the_hosts_own_route_is_the_accounts(
    store: OpenAlgoSessionStore, config: Config, openalgo: OpenAlgo
) -> None:
    openalgo.upsert_auth("trader", TOKEN.reveal(), "mstock")
    assert store.get(config.account, Item.TOKEN) == TOKEN


def test_before_the_first_login_there_is_nowhere_to_keep(
    store: OpenAlgoSessionStore, config: Config
) -> None:
    assert store.get(config.account, Item.PASSWORD) is None
    assert store.user_of(config.account) == ""
    with pytest.raises(StoreError, match="no broker login"):
        store.set(config.account, Item.PASSWORD, Secret("Correct-Horse-9"))


def test_the_api_key_is_not_kept_twice(store: OpenAlgoSessionStore, account: Account) -> None:
    assert store.get(account, Item.API_KEY) is None
    with pytest.raises(StoreError, match=r"\.env"):
        store.set(account, Item.API_KEY, Secret("a key"))


def test_another_brokers_login_is_not_taken_over(
    store: OpenAlgoSessionStore, account: Account, openalgo: OpenAlgo
) -> None:
    store.set(account, Item.PASSWORD, Secret("Correct-Horse-9"))
    openalgo.upsert_auth("trader", "a zerodha token", "zerodha")
    assert store.get(account, Item.TOKEN) is None
    with pytest.raises(StoreError, match="another broker"):
        store.set(account, Item.TOKEN, TOKEN)
    assert openalgo.token() == "a zerodha token"


def test_what_cannot_be_read_is_an_error_and_stays(
    store: OpenAlgoSessionStore, account: Account, openalgo: OpenAlgo
) -> None:
    store.set(account, Item.PASSWORD, Secret("Correct-Horse-9"))
    before = openalgo.row().aux_param1
    openalgo.fernet = Fernet(Fernet.generate_key())
    for use in (
        lambda: store.get(account, Item.PASSWORD),
        lambda: store.set(account, Item.PASSWORD, Secret("new")),
        lambda: store.delete(account, Item.PASSWORD),
        lambda: store.get(account, Item.TOKEN),
        store.accounts,
    ):
        with pytest.raises(StoreError) as caught:
            use()
        assert "Correct" not in str(caught.value)
    assert openalgo.row().aux_param1 == before
    assert store.erase() == [
        "password that could not be read",
        "token of the mStock login in OpenAlgo",
    ]
    assert openalgo.row().aux_param1 is None


@pytest.mark.parametrize("is_encrypted", [True, False])
def test_what_another_broker_keeps_there_is_left_as_it_is(
    is_encrypted: bool, store: OpenAlgoSessionStore, account: Account, openalgo: OpenAlgo
) -> None:
    text = openalgo.encrypt_token("another's") if is_encrypted else "another's"
    openalgo.row().aux_param1 = text
    openalgo.db_session.commit()
    assert store.get(account, Item.PASSWORD) is None
    assert store.accounts() == []
    with pytest.raises(StoreError, match="aux_param1"):
        store.set(account, Item.PASSWORD, Secret("Correct-Horse-9"))
    store.erase()
    assert openalgo.row().aux_param1 == text


def test_only_the_hosts_process_writes(account: Account, openalgo: OpenAlgo) -> None:
    reader = OpenAlgoSessionStore(MSTOCK)
    assert reader.get(account, Item.TOKEN) == TOKEN
    for use in (
        lambda: reader.set(account, Item.TOKEN, TOKEN),
        lambda: reader.delete(account, Item.TOKEN),
        reader.erase,
    ):
        with pytest.raises(StoreError, match="/mstock/auto-login"):
            use()
    assert openalgo.token() == TOKEN.reveal()


def test_a_database_in_trouble_is_a_vault_error_without_its_text(
    store: OpenAlgoSessionStore, account: Account, openalgo: OpenAlgo
) -> None:
    openalgo.db_session.remove()
    openalgo.Auth.__table__.drop(openalgo.engine)
    with pytest.raises(StoreError, match="OperationalError") as caught:
        store.get(account, Item.TOKEN)
    assert "SELECT" not in str(caught.value)


def test_erasing_says_what_it_removed(
    store: OpenAlgoSessionStore, account: Account, openalgo: OpenAlgo
) -> None:
    store.set(account, Item.PASSWORD, Secret("Correct-Horse-9"))
    store.set(account, Item.RENEWAL, Secret("{}"))
    assert store.erase() == [
        "password of MA••••67, API type B",
        "auto-login settings and history of MA••••67, API type B",
        "token of the mStock login in OpenAlgo",
    ]
    assert store.accounts() == []
    assert openalgo.row().is_revoked
    assert store.erase() == []


def test_one_at_a_time_holds_the_lease(
    store: OpenAlgoSessionStore, account: Account, clock: PatientClock
) -> None:
    assert store.lease(account, "page", clock.now(), 30)
    assert not store.lease(account, "auto-login", clock.now(), 30)
    assert store.lease(account, "auto-login", clock.now() + timedelta(seconds=31), 30)
    store.release(account, "auto-login")
    assert store.lease(account, "page", clock.now(), 30)
