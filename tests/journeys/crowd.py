"""Many at once in a process of their own: `crowd CONFIG tokens|pushes N`; prints what they got.

It says `open` when the database is there and begins when it reads a line.
"""

import asyncio
import json
import sys
from pathlib import Path

from appliance import app, settings
from appliance.mpesa import MpesaService

NUMBER = "174379"


async def one(mpesa: MpesaService, kind: str, place: int) -> str:
    if kind == "tokens":
        return await mpesa.get_valid_access_token(NUMBER)
    answer = await mpesa.initiate_stk_push(
        paybill_number=NUMBER,
        phone_number=f"254712{place:06d}",
        amount=10,
        account_reference="ABC3DEF4GH",
        description="Internet time",
        callback_url=f"http://127.0.0.1:9/hooks/{place}",
    )
    return answer.checkout_request_id


async def crowd(config: Path, kind: str, first: int, count: int) -> list[str]:
    async with app.open_mpesa(settings.load(config)) as mpesa:
        await mpesa.token_status()
        print("open", flush=True)  # noqa: T201 # the test listens
        await asyncio.to_thread(sys.stdin.readline)
        places = range(first, first + count)
        return await asyncio.gather(*(one(mpesa, kind, place) for place in places))


if __name__ == "__main__":
    _, path, what, start, number = sys.argv
    got = asyncio.run(crowd(Path(path), what, int(start), int(number)))
    print(json.dumps(got))  # noqa: T201 # the test reads it
