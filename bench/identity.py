"""What it costs to learn whose a token is: `python -m bench.identity`.

CPU of this process, its store's thread included, on an embedded store in a temporary folder; asked
of the database each time, and remembered as `app.main` does. Medians of five, alternating.
"""

import asyncio
import statistics
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from argon2 import PasswordHasher

from app.identity.authenticator import Authenticator
from app.identity.cache import IdentityCache
from app.identity.own_jwt import OwnTokens
from app.settings import Settings
from app.storage import open_store
from models.accounts import Accounts, Passwords
from models.identity import Authenticate

RUNS = 5
PEOPLE = 20


async def main() -> None:
    """Measure and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(Settings.from_env(), data_dir=Path(folder), mongodb_uri=None)
        store = await open_store(settings)
        passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        accounts = Accounts(store.database, passwords)
        await accounts.prepare()
        own = OwnTokens("a secret of this measurement only", timedelta(hours=1))
        tokens = []
        for number in range(PEOPLE):
            account = await accounts.sign_up(f"{number}@example.com", "password123")
            session = await accounts.sessions.open(account.id)
            tokens.append(own.issue(account, session.id))
        asked = Authenticator(accounts, own)
        ways: list[tuple[str, Authenticate, int]] = [
            ("asked of the database", asked, 2_000),
            ("remembered", IdentityCache(asked, max_age_s=settings.revocation_check_s), 200_000),
        ]
        figures: dict[str, list[float]] = {name: [] for name, _, _ in ways}
        for _ in range(RUNS):
            for name, authenticate, times in ways:
                await _us(authenticate, tokens, PEOPLE)
                figures[name].append(await _us(authenticate, tokens, times))
        passwords.close()
        await store.close()
    print("| identity | cpu_us |\n|---|---|")
    for name, measured in figures.items():
        print(f"| {name} | {statistics.median(measured):.2f} |")


async def _us(authenticate: Authenticate, tokens: list[str], times: int) -> float:
    began = time.process_time()
    for number in range(times):
        await authenticate(tokens[number % len(tokens)])
    return (time.process_time() - began) / times * 1e6


if __name__ == "__main__":
    asyncio.run(main())
