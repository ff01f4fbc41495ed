"""What is stored in the host's row: by account, encrypted, and never over what cannot be read."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet

from broker._kit.errors import StoreError
from broker._kit.openalgo import auth_table
from broker._kit.openalgo.session_store import OpenAlgoSessionStore
from broker._kit.secret import Secret
from broker._kit.sessions import stored_session
from broker._kit.sessions.record import AutoLoginState
from broker._kit.sessions.stored_session import LoginMethod, delete_session, load_session
from broker._kit.settings import Account
from broker.mstock.broker import MSTOCK
from broker.mstock.settings import Config
from tests.host.openalgo import OpenAlgo, PatientClock

TOKEN = Secret("eyJ.token.c2lnbmF0dXJl")
PASSWORD = Secret("Correct-Horse-9")


@pytest.fixture
def account(config: Config, openalgo: OpenAlgo) -> Account:
    """An account that has logged in to mStock once."""
    openalgo.upsert_auth("trader", TOKEN.reveal(), "mstock", user_id=config.client_code)
    return config.account


def keep_password(store: OpenAlgoSessionStore, account: Account) -> None:
    with store.update(account) as record:
        record.password = PASSWORD


def save(store: OpenAlgoSessionStore, account: Account, token: Secret, clock: PatientClock) -> None:
    stored_session.save_session(store, account, token, clock.now(), LoginMethod.OTP)


def token_of(store: OpenAlgoSessionStore, account: Account) -> Secret | None:
    session = store.load(account).session
    return session and session.token


def test_secrets_are_encrypted_and_removed(
    store: OpenAlgoSessionStore, account: Account, openalgo: OpenAlgo
) -> None:
    with store.update(account) as record:
        record.password, record.totp_secret = PASSWORD, Secret("JBSWY3DPEHPK3PXP")
        record.auto_login = AutoLoginState(enabled=True)
    loaded = store.load(account)
    assert (loaded.password, loaded.totp_secret) == (PASSWORD, Secret("JBSWY3DPEHPK3PXP"))
    row = repr(vars(openalgo.row()))
    assert "Correct-Horse" not in row
    assert "JBSWY" not in row
    with store.update(account) as record:
        record.password = record.totp_secret = record.auto_login = None
    assert store.load(account).password is None
    assert token_of(store, account) == TOKEN
    assert store.accounts() == []


def test_a_block_that_raises_stores_nothing(store: OpenAlgoSessionStore, account: Account) -> None:
    with contextlib.suppress(KeyError), store.update(account) as record:
        record.password = PASSWORD
        raise KeyError
    assert store.load(account).password is None


def test_the_hosts_own_writes_leave_it_alone(
    store: OpenAlgoSessionStore, account: Account, openalgo: OpenAlgo, clock: PatientClock
) -> None:
    keep_password(store, account)
    openalgo.upsert_auth("trader", "", "", revoke=True)
    assert token_of(store, account) is None
    assert store.load(account).password == PASSWORD
    assert store.user_of(account) == "trader"
    save(store, account, Secret("eyJ.new.c2ln"), clock)
    assert openalgo.token() == "eyJ.new.c2ln"
    assert openalgo.row().broker == "mstock"


def test_the_token_is_the_hosts_own(
    store: OpenAlgoSessionStore, account: Account, openalgo: OpenAlgo, clock: PatientClock
) -> None:
    openalgo.calls.clear()
    save(store, account, TOKEN, clock)
    assert openalgo.calls == []  # as it was: nobody's stream is torn down
    assert not delete_session(store, account, Secret("a late one"))
    assert delete_session(store, account, TOKEN)
    assert openalgo.row().is_revoked
    assert token_of(store, account) is None


def test_a_half_written_session_is_the_hosts_token_alone(
    store: OpenAlgoSessionStore, account: Account, openalgo: OpenAlgo, clock: PatientClock
) -> None:
    """Stored by the host, and what belongs to it not yet; or the other way round."""
    save(store, account, TOKEN, clock)
    openalgo.upsert_auth("trader", "eyJ.newer.c2ln", "mstock", user_id=account.client_code)
    stored = load_session(store, account, clock.now())
    assert stored is not None
    assert (stored.token.reveal(), stored.logged_in_at, stored.method) == (
        "eyJ.newer.c2ln",
        None,
        LoginMethod.ELSEWHERE,
    )


@pytest.mark.parametrize(
    "other", [{"api_type": "A"}, {"rest_url": "https://api.mstock.trade"}, {"client_code": "MB7"}]
)
def test_another_account_gets_nothing_of_it(
    other: dict[str, str], store: OpenAlgoSessionStore, account: Account, clock: PatientClock
) -> None:
    keep_password(store, account)
    save(store, account, TOKEN, clock)
    stranger = account._replace(**other)
    assert store.load(stranger).password is None
    assert load_session(store, stranger, clock.now()) is None


def test_a_token_from_the_hosts_own_route_is_the_accounts(
    store: OpenAlgoSessionStore, config: Config, openalgo: OpenAlgo
) -> None:
    openalgo.upsert_auth("trader", TOKEN.reveal(), "mstock")
    assert token_of(store, config.account) == TOKEN


def test_before_the_first_login_there_is_nowhere_to_store(
    store: OpenAlgoSessionStore, config: Config, openalgo: OpenAlgo
) -> None:
    assert store.load(config.account).is_empty
    assert store.user_of(config.account) == ""
    with pytest.raises(StoreError, match="no broker login"):
        keep_password(store, config.account)


def test_another_brokers_login_is_not_taken_over(
    store: OpenAlgoSessionStore, account: Account, openalgo: OpenAlgo, clock: PatientClock
) -> None:
    keep_password(store, account)
    openalgo.upsert_auth("trader", "a zerodha token", "zerodha")
    assert token_of(store, account) is None
    with pytest.raises(StoreError, match="another broker"):
        save(store, account, TOKEN, clock)
    assert openalgo.token() == "a zerodha token"


def test_what_cannot_be_read_is_an_error_and_stays(
    store: OpenAlgoSessionStore, account: Account, openalgo: OpenAlgo
) -> None:
    keep_password(store, account)
    before = [getattr(openalgo.row(), f"aux_param{n}") for n in (1, 2, 3, 4)]
    openalgo.fernet = Fernet(Fernet.generate_key())
    uses: tuple[Callable[[], object], ...] = (
        lambda: store.load(account),
        lambda: keep_password(store, account),
        store.accounts,
    )
    for use in uses:
        with pytest.raises(StoreError) as caught:
            use()
        assert "aux_param4" in str(caught.value)
        assert "Correct" not in str(caught.value)
    assert [getattr(openalgo.row(), f"aux_param{n}") for n in (1, 2, 3, 4)] == before
    # The way out that the message names, where the old key is lost.
    auth_table.write_aux("trader", {"aux_param4": None})
    openalgo.upsert_auth("trader", TOKEN.reveal(), "mstock", user_id=account.client_code)
    keep_password(store, account)
    assert store.load(account).password == PASSWORD


@pytest.mark.parametrize("is_encrypted", [True, False])
def test_what_another_broker_keeps_there_is_left_as_it_is(
    is_encrypted: bool, store: OpenAlgoSessionStore, account: Account, openalgo: OpenAlgo
) -> None:
    text = openalgo.encrypt_token("another's") if is_encrypted else "another's"
    row = openalgo.row()
    for n in (1, 2, 3, 4):
        setattr(row, f"aux_param{n}", text)
    openalgo.db_session.commit()
    assert store.load(account).password is None
    assert store.accounts() == []
    with pytest.raises(StoreError, match="aux_param"):
        keep_password(store, account)
    assert [getattr(openalgo.row(), f"aux_param{n}") for n in (1, 2, 3, 4)] == [text] * 4


def test_only_the_hosts_process_writes(account: Account, openalgo: OpenAlgo) -> None:
    reader = OpenAlgoSessionStore(MSTOCK)
    assert token_of(reader, account) == TOKEN
    with pytest.raises(StoreError, match="/mstock/auto-login"):
        keep_password(reader, account)
    assert openalgo.token() == TOKEN.reveal()


def test_a_database_in_trouble_is_a_store_error_without_its_text(
    store: OpenAlgoSessionStore, account: Account, openalgo: OpenAlgo
) -> None:
    openalgo.db_session.remove()
    openalgo.Auth.__table__.drop(openalgo.engine)
    with pytest.raises(StoreError, match="OperationalError") as caught:
        store.load(account)
    assert "SELECT" not in str(caught.value)


def test_one_at_a_time_holds_the_lease(
    store: OpenAlgoSessionStore, account: Account, clock: PatientClock
) -> None:
    assert store.acquire_lease(account, "page", clock.now(), 30)
    assert not store.acquire_lease(account, "auto-login", clock.now(), 30)
    assert store.acquire_lease(account, "auto-login", clock.now() + timedelta(seconds=31), 30)
    store.release_lease(account, "auto-login")
    assert store.acquire_lease(account, "page", clock.now(), 30)
