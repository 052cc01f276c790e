"""A process that opens the venue and says so when it knows its time: `python -m tests.libs.exchanges.asking_venue`.

Its settings are those of a service. It prints "began", and then the venue's time.
"""

import asyncio
import sys

from libs.exchanges.venue import open_venue
from libs.kit.settings import VenueSettings, load_settings


async def main() -> None:
    """Start as every service does."""
    sys.stdout.write("began\n")
    sys.stdout.flush()
    async with open_venue(load_settings(VenueSettings)) as venue:
        sys.stdout.write(f"{venue.clock.now_ms()}\n")


if __name__ == "__main__":
    asyncio.run(main())
