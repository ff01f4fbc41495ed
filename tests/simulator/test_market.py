"""The market as the simulator sees it: prices that agree with each other at all times."""

from __future__ import annotations

import itertools
import threading
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_simulator.mstock.clock import IST, Clock
from broker_simulator.mstock.market import DAY, Instrument, Market, build_master
from broker_simulator.mstock.market.trading_calendar import (
    HOLIDAYS,
    SPECIAL_SESSIONS,
    session,
    trading_sessions,
)

MONDAY = datetime(2026, 11, 23, 11, 7, 33, tzinfo=IST)
MASTER = build_master(6000, 7, MONDAY.date())
MUHURAT = datetime(2026, 11, 8, 18, 20, 5, tzinfo=IST)


def first(**wanted: object) -> Instrument:
    """The first instrument of the master that has these attributes."""
    return next(
        i for i in MASTER if all(getattr(i, name) == value for name, value in wanted.items())
    )


INFY = first(symbol="INFY-EQ")
NIFTY = first(symbol="NIFTY 50")
FUTURE = first(name="NIFTY", kind="FUT")
WEEKLY = next(i for i in MASTER if i.name == "NIFTY" and i.kind == "CE" and i.expiry.day == 1)
DECIMAL_PUT = next(i for i in MASTER if i.kind == "PE" and i.strike % 1)
CURRENCY = first(exchange="CDS", kind="FUT")
COMPUTED = list(MASTER)[-1]
KINDS = [INFY, NIFTY, FUTURE, WEEKLY, DECIMAL_PUT, CURRENCY, first(name="SENSEX", kind="PE"),
         first(exchange="BSE", name="RELIANCE"), COMPUTED]  # fmt: skip

MOMENTS = [
    MONDAY,
    MONDAY.replace(hour=9, minute=15, second=0),
    MONDAY.replace(hour=9, minute=15, second=59),
    MONDAY.replace(hour=15, minute=29, second=59),
    MONDAY.replace(hour=15, minute=30, second=0),
    MONDAY.replace(hour=8, minute=0),
    MONDAY - timedelta(days=1),
    MUHURAT,
]


def market_at(moment: datetime, seed: int = 7) -> tuple[Market, Clock]:
    clock = Clock()
    clock.set(moment, frozen=True)
    return Market(MASTER, clock, seed), clock


def on_its_day(market: Market, instrument: Instrument, interval: int, now: datetime):
    """The candles of the session that the quote is about."""
    day = market.quote(instrument).last_traded_at.replace(hour=0, minute=0, second=0)
    return market.candles(instrument, interval, day, day + timedelta(hours=23, minutes=59))


def check_agreement(market: Market, instrument: Instrument, now: datetime) -> None:
    quote = market.quote(instrument)
    assert quote.ltp == market.ltp(instrument)
    assert quote.ltp % instrument.tick_size == 0
    assert quote.ltp > 0
    for interval in (1, 3, 5, 10, 15, 30, 60, DAY):
        candles = on_its_day(market, instrument, interval, now)
        assert candles[0].open == quote.open
        assert candles[-1].close == quote.ltp
        assert max(c.high for c in candles) == quote.high
        assert min(c.low for c in candles) == quote.low
        assert sum(c.volume for c in candles) == quote.volume
        assert candles[-1].oi == quote.oi
        for c in candles:
            assert c.low <= min(c.open, c.close) <= max(c.open, c.close) <= c.high
    assert len({c.at for c in candles}) == len(candles)
    best_first = [level.price for level in quote.bids]
    assert best_first == sorted(best_first, reverse=True)
    assert all(price < quote.ltp for price in best_first)
    assert all(
        price > quote.ltp and level.quantity % instrument.lot_size == 0
        for level in quote.asks
        for price in (level.price,)
    )
    assert [level.price for level in quote.asks] == sorted(level.price for level in quote.asks)


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
@pytest.mark.parametrize("instrument", KINDS, ids=lambda i: f"{i.exchange}:{i.symbol}")
def test_quotes_candles_and_depth_agree(instrument, moment):
    market, _ = market_at(moment)
    check_agreement(market, instrument, moment)


@given(
    st.sampled_from(KINDS),
    st.integers(0, 90 * 24 * 60 * 60),
)
def test_they_agree_at_any_time(instrument, seconds):
    moment = datetime(2026, 9, 1, tzinfo=IST) + timedelta(seconds=seconds)
    market, _ = market_at(moment)
    check_agreement(market, instrument, moment)


@pytest.mark.parametrize("instrument", KINDS, ids=lambda i: f"{i.exchange}:{i.symbol}")
@pytest.mark.parametrize("moved", [False, True])
def test_no_second_of_a_minute_is_outside_its_candle(instrument, moved):
    market, clock = market_at(MONDAY)
    begin = MONDAY.replace(second=0)
    if moved:
        market.set_price(instrument, market.ltp(instrument) + 9 * instrument.tick_size)
    prices = []
    for second in range(60):
        clock.set(begin + timedelta(seconds=second), frozen=True)
        prices.append(market.ltp(instrument))
    clock.set(begin + timedelta(minutes=1), frozen=True)
    (candle,) = market.candles(instrument, 1, begin, begin)
    assert (candle.open, candle.close) == (prices[0], prices[-1])
    assert candle.low <= min(prices)
    assert max(prices) <= candle.high


def test_the_same_seed_and_time_give_the_same_market():
    start = MONDAY - timedelta(days=30)
    seen = [market_at(MONDAY, seed)[0] for seed in (7, 7, 8)]
    one, same, other = [[(m.quote(i), m.candles(i, 5, start, MONDAY)) for i in KINDS] for m in seen]
    assert one == same
    assert all(a != b for a, b in zip(one, other, strict=True))


def test_what_came_first_does_not_matter():
    straight, _ = market_at(MONDAY)
    wandering, clock = market_at(MUHURAT)
    wandering.quote(INFY)
    clock.set(MONDAY + timedelta(days=3), frozen=True)
    wandering.quote(INFY)
    clock.set(MONDAY, frozen=True)
    assert wandering.quote(INFY) == straight.quote(INFY)


def test_sessions_join_without_gaps():
    market, _ = market_at(MONDAY)
    day = MONDAY.replace(hour=0, minute=0)
    minutes = market.candles(INFY, 1, day - timedelta(days=3), day - timedelta(seconds=1))
    assert len(minutes) == 375  # Friday alone
    assert minutes[0].at.time().isoformat() == "09:15:00"
    assert minutes[-1].at.time().isoformat() == "15:29:00"
    for before, after in itertools.pairwise(minutes):
        assert after.at - before.at == timedelta(minutes=1)
        assert after.open == before.close
    assert market.quote(INFY).close == minutes[-1].close


def test_candles_keep_to_the_range_and_to_trading_days():
    market, _ = market_at(MONDAY)
    start = datetime(2026, 11, 6, 9, 15, tzinfo=IST)
    days = [c.at.date() for c in market.candles(INFY, DAY, start, MONDAY)]
    assert days[0] == date(2026, 11, 6)
    assert date(2026, 11, 8) in days  # Sunday's muhurat hour
    assert date(2026, 11, 10) not in days  # Balipratipada
    assert days[-1] == MONDAY.date()
    muhurat = [c for c in market.candles(INFY, 1, start, MONDAY) if c.at.date() == MUHURAT.date()]
    assert [muhurat[0].at.hour, len(muhurat)] == [18, 60]
    some = market.candles(INFY, 15, start, start + timedelta(minutes=45))
    assert [c.at.minute for c in some] == [15, 30, 45, 0]
    assert (
        market.candles(INFY, 1, start, MONDAY, limit=400)
        == market.candles(INFY, 1, start, MONDAY)[:400]
    )


def test_years_of_daily_candles_stay_within_the_bands():
    market, _ = market_at(MONDAY)
    days = market.candles(INFY, DAY, MONDAY - timedelta(days=2900), MONDAY)
    assert len(days) > 1900
    assert len({c.at for c in days}) == len(days)
    for before, after in itertools.pairwise(days):
        assert abs(after.close / before.close - 1) < Decimal("0.05")
        assert after.low > before.close * Decimal("0.9")
        assert after.high < before.close * Decimal("1.1")


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-23 09:14:59", False),
        ("2026-11-23 09:15:00", True),
        ("2026-11-23 15:29:59", True),
        ("2026-11-23 15:30:00", False),
        ("2026-11-22 11:00:00", False),  # Sunday
        ("2026-11-24 11:00:00", False),  # Guru Nanak Jayanti
        ("2026-11-08 18:30:00", True),  # muhurat trading, on a Sunday
        ("2026-11-08 11:00:00", False),
        ("2027-10-29 18:30:00", True),
        ("2026-02-01 11:00:00", True),  # the budget's Sunday
        ("2025-10-21 14:00:00", True),
        ("2025-10-21 15:00:00", False),
    ],
)
def test_when_it_is_open(moment, is_open):
    market, clock = market_at(datetime.fromisoformat(moment).replace(tzinfo=IST))
    assert market.is_open(clock.now()) is is_open


def test_a_year_has_about_250_sessions_and_none_on_a_holiday():
    for year in (2025, 2026, 2027):
        found = list(trading_sessions(date(year, 1, 1), date(year, 12, 31)))
        assert 245 <= len(found) <= 255
    assert all(session(day) is None for day in HOLIDAYS - SPECIAL_SESSIONS.keys())


class TestMovedByHand:
    def test_the_price_is_that_price_and_the_candles_show_it(self):
        market, clock = market_at(MONDAY)
        before = market.candles(INFY, 1, MONDAY - timedelta(hours=2), MONDAY)
        target = market.ltp(INFY) + 25
        market.set_price(INFY, target)
        assert market.ltp(INFY) == target
        after = market.candles(INFY, 1, MONDAY - timedelta(hours=2), MONDAY)
        assert after[:-1] == before[:-1]
        assert after[-1].high == after[-1].close == target
        assert market.quote(INFY).high >= target
        clock.advance(timedelta(minutes=10))
        assert abs(market.ltp(INFY) - target) < 15
        check_agreement(market, INFY, clock.now())

    def test_contracts_follow_their_underlying(self):
        market, _ = market_at(MONDAY)
        future, call = market.ltp(FUTURE), market.ltp(WEEKLY)
        market.set_price(NIFTY, market.ltp(NIFTY) + 100)
        assert market.ltp(FUTURE) - future == pytest.approx(100, abs=1)
        assert 10 < market.ltp(WEEKLY) - call < 100
        check_agreement(market, WEEKLY, MONDAY)

    def test_moves_add_up(self):
        market, clock = market_at(MONDAY)
        for step in range(1, 40):
            target = Decimal(1400 + step)
            market.set_price(INFY, target)
            assert market.ltp(INFY) == target
            clock.advance(timedelta(seconds=7))
        check_agreement(market, INFY, clock.now())

    @pytest.mark.parametrize("instrument", [INFY, WEEKLY], ids=lambda i: i.symbol)
    def test_within_a_second_of_a_clock_that_ticks(self, instrument):
        market, clock = market_at(MONDAY)
        seen = [market.ltp(instrument)]
        for tenth in range(2, 9):
            clock.set(MONDAY.replace(microsecond=tenth * 100_000), frozen=True)
            market.set_price(instrument, seen[0] + (tenth % 3) * 40 * instrument.tick_size)
            seen.append(market.ltp(instrument))
            check_agreement(market, instrument, clock.now())
        clock.set(MONDAY.replace(microsecond=999_999), frozen=True)
        assert market.ltp(instrument) == seen[-1]
        clock.advance(timedelta(minutes=1))
        begin = MONDAY.replace(second=0)
        (candle,) = market.candles(instrument, 1, begin, begin)
        assert candle.low <= min(seen)
        assert max(seen) <= candle.high

    @pytest.mark.parametrize("moment", [MONDAY.replace(hour=20), MONDAY - timedelta(days=1)])
    def test_out_of_hours_it_is_the_last_price_of_the_session(self, moment):
        market, clock = market_at(moment)
        call = market.ltp(WEEKLY)
        for _ in range(2):
            market.set_price(NIFTY, market.ltp(NIFTY) + 100)
            check_agreement(market, NIFTY, moment)
        assert market.ltp(WEEKLY) > call + 50
        check_agreement(market, WEEKLY, moment)
        check_agreement(market, INFY, moment)
        last = market.ltp(NIFTY)
        clock.set(MONDAY + timedelta(days=2, hours=-2, seconds=27), frozen=True)
        assert market.quote(NIFTY).open == pytest.approx(last, rel=Decimal("0.04"))

    @pytest.mark.parametrize("price", ["0", "-5", "1400.03", "NaN", "1e12"])
    def test_no_price_that_cannot_be(self, price):
        market, _ = market_at(MONDAY)
        with pytest.raises(ValueError, match="ticks of"):
            market.set_price(INFY, Decimal(price))


class TestSubscribers:
    def test_are_told_of_every_change_of_what_was_asked_for(self):
        market, clock = market_at(MONDAY)
        told = []
        unsubscribe = market.subscribe(lambda instrument, quote: told.append((instrument, quote)))
        market.advance()
        assert told == []
        market.ltp(INFY)
        clock.advance(timedelta(minutes=1))
        market.advance()
        assert [instrument for instrument, _ in told] == [INFY]
        assert told[0][1] == market.quote(INFY)
        market.advance()
        assert len(told) == 1
        market.set_price(INFY, Decimal("1400.50"))
        assert told[-1][1].ltp == Decimal("1400.50")
        unsubscribe()
        market.set_price(INFY, Decimal(1500))
        assert len(told) == 2

    def test_are_told_of_contracts_when_the_underlying_is_moved(self):
        market, _ = market_at(MONDAY)
        told = []
        market.subscribe(lambda instrument, quote: told.append(instrument))
        market.ltp(FUTURE)
        market.set_price(NIFTY, market.ltp(NIFTY) + 100)
        assert set(told) == {NIFTY, FUTURE}

    def test_may_wait_for_another_thread_that_asks_for_a_price(self):
        market, _ = market_at(MONDAY)
        answers = []

        def on_price(instrument, quote):
            other = threading.Thread(target=lambda: answers.append(market.ltp(WEEKLY)))
            other.start()
            other.join(timeout=5)

        market.subscribe(on_price)
        market.set_price(INFY, Decimal(1400))
        assert answers == [market.ltp(WEEKLY)]


def test_calls_and_puts_have_put_call_parity():
    market, _ = market_at(MONDAY)
    spot = market.ltp(NIFTY)
    calls = [i for i in MASTER if (i.name, i.kind, i.expiry) == ("NIFTY", "CE", WEEKLY.expiry)]
    assert len(calls) > 50
    for call in calls:
        put = MASTER.by_symbol("NFO", call.symbol.removesuffix("CE") + "PE")
        assert market.ltp(call) - market.ltp(put) == pytest.approx(
            spot - call.strike, abs=Decimal("0.1")
        )


def test_an_expired_contract_stays_at_what_it_was_worth():
    market, clock = market_at(MONDAY)
    expired = next(i for i in MASTER if i.kind == "CE" and i.expiry < MONDAY.date())
    quote = market.quote(expired)
    assert quote.last_traded_at.date() == expired.expiry
    clock.advance(timedelta(days=2))
    assert market.quote(expired) == quote
    candles = market.candles(expired, DAY, MONDAY - timedelta(days=200), MONDAY)
    assert candles[-1].at.date() == expired.expiry
    assert len(candles) < 75
