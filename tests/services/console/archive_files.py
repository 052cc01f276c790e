"""Writes archive files by hand, in the exchange's form."""

import gzip
import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path

HEADER = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
START_MS = 1_723_075_199_000  # 2024-08-07T23:59:59Z


def trade_line(number: int) -> str:
    """The trade of an id; ten a millisecond."""
    maker = "true" if number % 2 else "false"
    price, quantity = f"{60000 + number % 97 / 10:.1f}", f"{(1 + number % 101) / 1000:.3f}"
    return f"{number},{price},{quantity},{number * 2},{number * 2 + 1},{START_MS + number // 10},{maker}"


def trade_lines(first: int, count: int) -> list[str]:
    """Consecutive trades."""
    return [trade_line(number) for number in range(first, first + count)]


def write_file(path: Path, lines: Sequence[str], *, checksum: bool = False) -> Path:
    """The lines as csv, gz or zip, by the name's ending."""
    content = "".join(f"{line}\n" for line in lines).encode()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr(path.with_suffix(".csv").name, content)
    else:
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    if checksum:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        path.with_name(path.name + ".CHECKSUM").write_text(f"{digest}  {path.name}\n")
    return path
