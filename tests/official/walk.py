"""Walks one of mStock's official Python clients from login to logout; run as a process of its own.

`walk.py A|B otp|totp`, with the client on PYTHONPATH. Reads a JSON object with `url`,
`client_code`, `password` and `api_key`, writes one JSON line a step, and asks for the code of the
second step with the line `"code?"`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

# What the test says at the beginning.
GIVEN: dict[str, str] = {}


def tell(step: Any) -> None:
    print(json.dumps(step), flush=True)


def answer_of(call: Any, *args: Any) -> dict[str, Any]:
    """The client's result: the HTTP status and body it got, or the class of what it raised."""
    try:
        response = call(*args)
    except Exception as error:
        return {"raised": type(error).__name__, "text": str(error)}
    return {"http": response.status_code, "body": response.json()}


def logged_in(api_type: str, way: str) -> Any:
    """A client that has logged in, with the code that it asked for."""
    GIVEN.update(json.loads(sys.stdin.readline()))
    if api_type == "A":
        from tradingapi_a.mconnect import MConnect as Client
    else:
        from tradingapi_b.mconnect import MConnectB as Client
    client = Client()
    client.default_root_uri = GIVEN["url"] + "/"
    key = GIVEN["api_key"]

    login = answer_of(client.login, GIVEN["client_code"], GIVEN["password"])
    tell({"login": login})
    tell("code?")
    code = sys.stdin.readline().strip()
    if api_type == "A":
        second = (
            answer_of(client.verify_totp, key, code)
            if way == "totp"
            else answer_of(client.generate_session, key, code, "L")
        )
    else:
        data = login["body"]["data"]
        ticket = data["refreshToken"] or data["jwtToken"]
        step = client.verify_totp if way == "totp" else client.generate_session
        second = answer_of(step, key, ticket, code)
    tell({"second": second})
    return client


def main(api_type: str, way: str) -> None:
    client = logged_in(api_type, way)
    tell({"funds": answer_of(client.get_fund_summary)})
    tell({"logout": answer_of(client.logout)})
    tell({"after": answer_of(client.get_fund_summary)})


if __name__ == "__main__":
    main(*sys.argv[1:])
