"""The data routes of both dialects, over real sockets, against the market's own truth."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta

import pytest
import requests

from broker_simulator.mstock import IST
from broker_simulator.mstock.limits import DOCUMENTED, RateLimiter
from broker_simulator.mstock.market import DAY
from broker_simulator.mstock.refusals import Reason, Refused

NOW = datetime(2026, 11, 23, 11, 7, 33, tzinfo=IST)
HISTORY = "instruments/historical"


class Data:
    """Both clients, logged in to one simulator."""

    def __init__(self, sim, a, b) -> None:
        sim.clock.set(NOW, frozen=True)
        self.sim, self.a, self.b = sim, a, b
        a.enter()
        b.enter()

    @property
    def market(self):
        return self.sim.world.market

    def get_a(self, path: str, **query: object) -> requests.Response:
        headers = {"X-Mirae-Version": "1"}
        headers["Authorization"] = f"token {self.a.account.api_key_a}:{self.a.token}"
        return self.a.http.get(self.a.url(path), params=query, headers=headers, timeout=20)

    def post_a(self, path: str, form: dict[str, str]) -> requests.Response:
        token = f"token {self.a.account.api_key_a}:{self.a.token}"
        return self.a.post(path, form, Authorization=token)

    def post_b(self, path: str, body: object) -> requests.Response:
        return self.b.post(path, body, Authorization=f"Bearer {self.b.token}")

    def get_b(self, path: str, body: object) -> requests.Response:
        headers = {"X-Mirae-Version": "1", "X-PrivateKey": self.b.account.api_key_b}
        headers["Authorization"] = f"Bearer {self.b.token}"
        return self.b.http.get(self.b.url(path), json=body, headers=headers, timeout=20)


@pytest.fixture
def data(box, type_a, type_b):
    sim = box(rate_limits=False)
    return Data(sim, type_a(sim), type_b(sim))


def start_data(box, type_a, type_b, **settings) -> Data:
    sim = box(**settings)
    return Data(sim, type_a(sim), type_b(sim))


def ask_history_b(data, token="1594", interval="ONE_MINUTE", since="2026-11-19 09:15",
                  until="2026-11-20 15:30", exchange="NSE"):  # fmt: skip
    return data.post_b(HISTORY, {"exchange": exchange, "symboltoken": token, "interval": interval,
                                 "fromdate": since, "todate": until})  # fmt: skip


class TestQuotes:
    def test_type_a_keys_a_quote_as_asked_or_with_its_series(self, data):
        asked = ["NSE:ACC", "BSE:ACC", "NSE:M&M-EQ", "NSE:NIFTY 50", "NSE:NOSUCH", "MCX:GOLD"]
        answer = data.get_a("instruments/quote/ohlc", i=asked).json()
        assert answer["status"] == "success"
        assert list(answer["data"]) == asked
        assert answer["data"]["NSE:NOSUCH"] is answer["data"]["MCX:GOLD"] is None
        acc = data.market.master.find("NSE", "ACC")
        quote = data.market.quote(acc)
        assert answer["data"]["NSE:ACC"] == {
            "instrument_token": 22,
            "last_price": float(quote.ltp),
            "ohlc": {
                "open": float(quote.open),
                "high": float(quote.high),
                "low": float(quote.low),
                "close": float(quote.close),
            },
        }
        data.sim.settings.revision = "newer"
        ltp = data.get_a("instruments/quote/ltp", i=asked[:2]).json()["data"]
        assert list(ltp) == ["NSE:ACC-EQ", "BSE:ACC-A"]
        assert ltp["BSE:ACC-A"].keys() == {"instrument_token", "last_price"}
        assert ltp["BSE:ACC-A"]["instrument_token"] == 500410

    def test_type_a_needs_a_symbol(self, data):
        assert data.get_a("instruments/quote/ltp").status_code == 400

    @pytest.mark.parametrize("way", ["get_b", "post_b"])
    def test_type_b_tells_known_from_unknown(self, data, way):
        body = {
            "mode": "OHLC",
            "exchangeTokens": {"NSE": ["3045", "26000", "7"], "BSE": ["51"], "MCX": ["1"]},
        }
        answer = getattr(data, way)("instruments/quote", body).json()
        assert answer["status"] == "true"
        fetched, unfetched = answer["data"]["fetched"], answer["data"]["unfetched"]
        assert [row["tradingSymbol"] for row in fetched] == ["SBIN-EQ", "NIFTY 50", "SENSEX"]
        assert list(fetched[0]) == ["exchange", "tradingSymbol", "symbolToken", "ltp", "open",
                                    "high", "low", "close"]  # fmt: skip
        sbin = data.market.quote(data.market.master.get("NSE", "3045"))
        assert (fetched[0]["ltp"], fetched[0]["close"]) == (float(sbin.ltp), float(sbin.close))
        assert [(row["exchange"], row["symbolToken"]) for row in unfetched] == [
            ("NSE", "7"),
            ("MCX", "1"),
        ]
        assert {"message", "errorCode"} <= unfetched[0].keys()

    def test_type_b_modes(self, data):
        asked = {"NSE": ["3045"]}
        ltp, ohlc, full = (
            data.post_b("instruments/quote", {"mode": mode, "exchangeTokens": asked}).json()
            for mode in ("LTP", "OHLC", "FULL")
        )
        assert ltp["data"]["fetched"][0].keys() == {
            "exchange", "tradingSymbol", "symbolToken", "ltp",
        }  # fmt: skip
        assert ohlc == full

    @pytest.mark.parametrize(
        "body",
        [
            {"mode": "DEPTH", "exchangeTokens": {"NSE": ["3045"]}},
            {"mode": "LTP"},
            {"mode": "LTP", "exchangeTokens": ["3045"]},
            {"mode": "LTP", "exchangeTokens": {"NSE": "3045"}},
            {"mode": "LTP", "exchangeTokens": {"NSE": [3045]}},
            {"mode": ["LTP"], "exchangeTokens": {"NSE": ["3045"]}},
        ],
    )
    def test_type_b_refuses_what_it_cannot_read(self, data, body):
        response = data.post_b("instruments/quote", body)
        assert response.status_code == 400
        assert response.json()["errors"]

    def test_500_tokens_in_one_call(self, data):
        tokens = [i.token for i in data.market.master if i.exchange == "NFO"][:500]
        body = {"mode": "LTP", "exchangeTokens": {"NFO": tokens}}
        assert len(data.post_b("instruments/quote", body).json()["data"]["fetched"]) == 500


class TestCandles:
    @pytest.mark.parametrize(
        ("word_a", "word_b", "minutes"),
        [("minute", "ONE_MINUTE", 1), ("3minute", "THREE_MINUTE", 3), ("5minute", "FIVE_MINUTE", 5),
         ("10minute", "TEN_MINUTE", 10), ("15minute", "FIFTEEN_MINUTE", 15),
         ("30minute", "THIRTY_MINUTE", 30), ("60minute", "ONE_HOUR", 60),
         ("day", "ONE_DAY", DAY)],
    )  # fmt: skip
    def test_both_types_give_the_markets_candles(self, data, word_a, word_b, minutes):
        since, until = datetime(2026, 11, 19, 9, 15, tzinfo=IST), NOW - timedelta(days=2)
        instrument = data.market.master.get("NSE", "1594")
        truth = [
            [f"{c.at:%Y-%m-%dT%H:%M:%S}+05", *map(float, c[1:5]), c.volume]
            for c in data.market.candles(instrument, minutes, since, until)
        ]
        assert truth
        query = {"from": "2026-11-19 09:15:00", "to": "2026-11-21 11:07:33"}
        a = data.get_a(f"{HISTORY}/NSE/1594/{word_a}", **query).json()
        b = ask_history_b(data, interval=word_b, until="2026-11-21 11:07").json()
        assert (a["status"], b["status"]) == ("success", "true")
        assert a["data"]["candles"] == b["data"]["candles"] == truth
        assert data.get_a(f"{HISTORY}/1594/{word_a}", **query).json() == a

        today = datetime(2026, 11, 23, tzinfo=IST)
        newest_first = data.market.candles(instrument, minutes, today, NOW)[::-1]
        truth = [[f"{c.at:%Y-%m-%d %H:%M}", *map(float, c[1:5]), c.volume] for c in newest_first]
        body = {"exchange": "1", "symboltoken": "1594", "interval": word_b}
        b = data.post_b("instruments/intraday", body).json()
        assert b["status"] is True
        assert b["data"]["candles"] == truth
        for segment in ("1594", "INFY", "INFY-EQ"):
            a = data.get_a(f"instruments/intraday/1/{segment}/{word_a}").json()
            assert a["data"]["candles"] == truth

    def test_history_holds_no_candle_of_today_and_at_most_1000(self, data):
        rows = ask_history_b(data, since="2026-11-01", until="2026-11-23 15:30").json()
        rows = rows["data"]["candles"]
        assert len(rows) == 1000
        assert rows[0][0] == "2026-11-02T09:15:00+05"
        rows = ask_history_b(data, since="2026-11-20 09:15", until="2026-11-23 15:30").json()
        assert rows["data"]["candles"][-1][0] == "2026-11-20T15:29:00+05"

    def test_a_bare_date_is_its_midnight(self, data):
        rows = ask_history_b(data, interval="ONE_DAY", since="2026-11-18", until="2026-11-20")
        stamps = [row[0] for row in rows.json()["data"]["candles"]]
        assert stamps == ["2026-11-18T00:00:00+05", "2026-11-19T00:00:00+05"]
        data.sim.settings.daily_stamp = "09:15"
        rows = ask_history_b(data, interval="ONE_DAY", since="2026-11-18", until="2026-11-20")
        assert rows.json()["data"]["candles"][0][0] == "2026-11-18T09:15:00+05"

    def test_hours_on_either_grid(self, data):
        def stamps():
            rows = ask_history_b(data, interval="ONE_HOUR", since="2026-11-20 00:00")
            return [row[0][11:16] for row in rows.json()["data"]["candles"]]

        assert stamps() == ["09:15", "10:15", "11:15", "12:15", "13:15", "14:15", "15:15"]
        data.sim.settings.hour_grid = "09:45"
        assert stamps() == ["09:45", "10:45", "11:45", "12:45", "13:45", "14:45", "15:15"]

    def test_no_candles_on_a_holiday(self, data):
        rows = ask_history_b(data, since="2026-11-10 09:15", until="2026-11-10 15:30").json()
        assert rows["data"]["candles"] == []
        data.sim.clock.set(datetime(2026, 11, 24, 11, 0, tzinfo=IST), frozen=True)
        data.a.enter()
        answer = data.get_a("instruments/intraday/1/1594/minute").json()
        assert answer == {"status": "success", "data": {"candles": []}}

    def test_unknown_instruments(self, data):
        b = ask_history_b(data, token="999")
        assert (b.status_code, b.json()["errorcode"]) == (400, "IA400")
        assert b.json()["message"] == "security id not found"
        query = {"from": "2026-11-19", "to": "2026-11-20"}
        for path in (f"{HISTORY}/NSE/999/day", f"{HISTORY}/MCX/1594/day"):
            a = data.get_a(path, **query)
            assert (a.status_code, a.json()["error_type"]) == (200, "InputException")
        b = data.post_b(
            "instruments/intraday", {"exchange": "9", "symboltoken": "22", "interval": "ONE_DAY"}
        )
        assert b.json()["errorcode"] == "IA400"

    def test_what_cannot_be_read_is_named(self, data):
        query = {"from": "2026-11-19", "to": "yesterday"}
        assert "to" in data.get_a(f"{HISTORY}/NSE/1594/day", **query).json()["errors"]
        assert "from" in data.get_a(f"{HISTORY}/NSE/1594/day", to="2026-11-19").json()["errors"]
        query["to"] = "2026-11-20"
        assert "interval" in data.get_a(f"{HISTORY}/NSE/1594/2minute", **query).json()["errors"]
        assert "interval" in ask_history_b(data, interval="minute").json()["errors"]
        assert "symboltoken" in ask_history_b(data, token="").json()["errors"]

    def test_today_agrees_with_the_quote(self, data):
        body = {"exchange": "2", "symboltoken": "35001", "interval": "ONE_DAY"}
        (row,) = data.post_b("instruments/intraday", body).json()["data"]["candles"]
        asked = {"mode": "OHLC", "exchangeTokens": {"NFO": ["35001"]}}
        (quote,) = data.post_b("instruments/quote", asked).json()["data"]["fetched"]
        assert row[1:5] == [quote["open"], quote["high"], quote["low"], quote["ltp"]]


class TestMasters:
    def test_both_files_and_their_types(self, data):
        b = data.b.get("instruments/OpenAPIScripMaster")
        assert "json" in b.headers["Content-Type"]
        assert b.headers["Content-Encoding"] == "gzip"
        assert b.headers["Transfer-Encoding"] == "chunked"
        a = data.a.get("instruments/scriptmaster")
        assert "csv" in a.headers["Content-Type"]
        rows = list(csv.DictReader(io.StringIO(a.text)))
        assert len(rows) == len(b.json()) - 7 == len(data.market.master) - 13
        plain = data.b.get("instruments/OpenAPIScripMaster", Accept_Encoding="identity")
        assert "Content-Encoding" not in plain.headers
        assert plain.json() == b.json()
        assert data.b.get("user/fundsummary").status_code == 200

    def test_need_a_token(self, data):
        data.b.token = data.a.token = "x"
        assert data.b.get("instruments/OpenAPIScripMaster").status_code == 401
        assert data.a.get("instruments/scriptmaster").status_code == 401

    def test_as_many_instruments_as_wanted(self, box, type_a, type_b):
        data = start_data(box, type_a, type_b, instruments=30_000)
        assert len(data.b.get("instruments/OpenAPIScripMaster").json()) == 30_000 - 6

    @pytest.mark.parametrize("kind", ["truncated_body", "reset_mid_body"])
    def test_can_be_cut_off_in_the_middle(self, data, kind):
        data.sim.faults.set("b/instruments/OpenAPIScripMaster", kind, times=1)
        with pytest.raises(requests.RequestException):
            data.b.get("instruments/OpenAPIScripMaster")
        assert data.b.get("instruments/OpenAPIScripMaster").json()


class TestOptionChain:
    def test_leads_from_the_directory_to_tokens_of_the_file(self, data):
        directory = data.b.get("getoptionchainmaster/2").json()["data"]
        assert directory == data.get_a("getoptionchainmaster/2").json()["data"]
        assert directory.keys() == {"dctExp", "FUTIDX", "OPTIDX", "OFSTK"}
        rows = {line.split(",")[0]: line.split(",") for line in directory["OPTIDX"]}
        assert rows["NIFTY"][1] == "26000"
        assert len(rows["NIFTY"]) == 2 + 7  # four weeklies, three monthlies
        acc = next(line for line in directory["OFSTK"] if line.startswith("ACC,22,"))
        expiry = directory["dctExp"][acc.split(",")[2]]
        answer = data.b.get(f"GetOptionChain/2/{expiry}/22").json()
        assert answer["status"] is True
        chain = answer["data"]
        assert chain["contractModel"] == {
            "sym": "ACC", "exid": 2, "instn": 4, "ultk": 22, "exp": expiry, "expd": 0,
        }  # fmt: skip
        assert chain["contractMasterModel"] is None
        assert chain["spot"] == "ACC,22,NSEEQ"
        assert len(chain["call"]) == len(chain["put"]) == 25
        for side, kind in (("call", "CE"), ("put", "PE")):
            for line in chain[side]:
                token, paise, _ = line.split(",")
                contract = data.market.master.get("NFO", token)
                assert (contract.kind, contract.strike * 100) == (kind, int(paise))
        assert chain["future"][0].split(",")[1] == "-1"
        assert data.get_a(f"GetOptionChain/2/{expiry}/22").json()["data"] == chain

    def test_expiries_count_seconds_from_1980_on_an_indian_clock(self, data):
        seconds = data.b.get("getoptionchainmaster/5").json()["data"]["dctExp"]["1"]
        expiry = datetime(1980, 1, 1, tzinfo=IST) + timedelta(seconds=seconds)
        assert f"{expiry:%Y-%m-%d %H:%M}" == "2026-11-26 14:30"

    @pytest.mark.parametrize(
        "path", ["getoptionchainmaster/1", "GetOptionChain/2/1758758400/22", "GetOptionChain/2/x/1"]
    )
    def test_what_is_not_there(self, data, path):
        assert data.b.get(path).json()["errorcode"] == "IA400"
        assert data.get_a(path).json()["error_type"] == "InputException"


@pytest.mark.parametrize(("flag", "sign"), [("G", 1), ("L", -1)])
def test_gainers_and_losers(data, flag, sign):
    body = {"Exchange": 1, "SecurityIdCode": 13, "segment": 1, "TypeFlag": flag}
    rows = data.post_b("losergainer", body).json()["data"]
    changes = [sign * row["per_change"] for row in rows]
    assert changes
    assert changes == sorted(changes, reverse=True)
    assert all(change > 0 for change in changes)
    share = data.market.master.get("NSE", str(rows[0]["security_id"]))
    assert (rows[0]["symbol"], rows[0]["ltp"]) == (share.name, float(data.market.ltp(share)))
    form = {name: str(value) for name, value in body.items()}
    assert data.post_a("losergainer", form).json()["data"] == rows
    assert data.post_b("losergainer", body | {"TypeFlag": "X"}).status_code == 400


def test_health_and_dead_tokens(data):
    assert data.a.get("Health/GetHealthStatistics").json() == {"status": "success", "data": None}
    assert data.b.get("Health/GetHealthStatistics").json() == {"status": "success", "data": None}
    data.b.token = "x"
    body = {"exchange": "1", "symboltoken": "22", "interval": "ONE_DAY"}
    intraday = data.post_b("instruments/intraday", body)
    assert intraday.status_code == 401
    assert intraday.json()["message"] == "Incorrect auth. Please try again."
    body = {"Exchange": 1, "SecurityIdCode": 13, "segment": 1, "TypeFlag": "G"}
    movers = data.post_b("losergainer", body)
    assert (movers.status_code, movers.json()["errorcode"]) == (200, "IA401")


class TestRateLimits:
    def test_are_kept_in_the_strict_profile_alone(self, box, type_a, type_b):
        for profile, statuses in (("strict", {200, 429}), ("tolerant", {200})):
            data = start_data(box, type_a, type_b, profile=profile)
            answers = [ask_history_b(data) for _ in range(3)]
            assert {answer.status_code for answer in answers} == statuses
        data = start_data(box, type_a, type_b)
        data.get_a("instruments/intraday/1/22/minute")
        refused = data.get_a("instruments/intraday/1/22/minute")
        assert (refused.status_code, refused.json()["error_type"]) == (429, "GeneralException")

    def test_can_be_switched_and_changed(self, box, type_a, type_b):
        data = start_data(box, type_a, type_b, profile="tolerant", rate_limits=True)
        assert [ask_history_b(data).status_code for _ in range(2)] == [200, 429]
        data.sim.settings.limits = {**DOCUMENTED, "data": ((3, 60),)}
        assert [ask_history_b(data).status_code for _ in range(3)] == [200, 200, 429]

    def test_each_class_and_customer_has_its_own(self, box, type_a, type_b):
        data = start_data(box, type_a, type_b)
        other = type_b(data.sim, list(data.sim.accounts.values())[1])
        other.enter()
        asked = {"mode": "LTP", "exchangeTokens": {"NSE": ["22"]}}
        assert ask_history_b(data).status_code == 200
        assert data.post_b("instruments/quote", asked).status_code == 200
        data.b = other
        assert ask_history_b(data).status_code == 200

    def test_windows_slide(self):
        now = [1000.0]
        limiter = RateLimiter(lambda: now[0])

        def passes() -> bool:
            try:
                limiter.count("me", "orders", ((2, 1), (3, 60)))
            except Refused as refused:
                return refused.reason is not Reason.RATE
            return True

        assert [passes(), passes(), passes()] == [True, True, False]
        now[0] += 1
        assert [passes(), passes()] == [True, False]
        now[0] += 58.9
        assert not passes()
        now[0] += 0.1
        assert passes()


class TestOddAnswers:
    @pytest.mark.parametrize(
        ("kind", "check"),
        [
            ("no_candles", lambda odd, real: odd["data"] == {"candles": []}),
            ("null_oi", lambda odd, real: odd["data"]["candles"][3]
             == [*real["data"]["candles"][3], None]),
            ("plain_candle_times", lambda odd, real: odd["data"]["candles"][0][0]
             == "2026-11-19 09:15"),
            ("partial_data", lambda odd, real: odd["data"]["candles"]
             == real["data"]["candles"][:375]),
            ("listed_data", lambda odd, real: odd["data"] == [real["data"]]),
            ("success_as_data", lambda odd, real: odd["data"] == "success"),
            ("success_as_status", lambda odd, real: odd == {**real, "status": "success"}),
        ],
    )  # fmt: skip
    def test_of_history(self, data, kind, check):
        real = ask_history_b(data).json()
        data.sim.faults.set(f"b/{HISTORY}", kind, times=1)
        assert check(ask_history_b(data).json(), real)
        assert ask_history_b(data).json() == real

    def test_half_of_the_quotes(self, data):
        asked = {"mode": "LTP", "exchangeTokens": {"NSE": ["22", "1594", "3045", "2885"]}}
        data.sim.faults.set("b/instruments/quote", "partial_data", times=1)
        rows = data.post_b("instruments/quote", asked).json()["data"]["fetched"]
        assert [row["symbolToken"] for row in rows] == ["22", "1594"]
        data.sim.faults.set("a/instruments/quote/ltp", "partial_data", times=1)
        quotes = data.get_a("instruments/quote/ltp", i=["NSE:ACC", "NSE:INFY"]).json()["data"]
        assert list(quotes) == ["NSE:ACC"]

    def test_a_master_that_is_a_page_or_garbage(self, data):
        path = "instruments/OpenAPIScripMaster"
        for kind in ("html_page", "empty_body", "garbage", "success_as_data"):
            data.sim.faults.set(f"b/{path}", kind, times=1)
            response = data.b.get(path)
            assert response.status_code == 200
        assert isinstance(json.loads(response.text), list)
