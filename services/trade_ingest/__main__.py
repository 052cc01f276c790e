"""Start with `python -m services.trade_ingest [--shard i/n]`."""

import argparse
import os

from libs.kit.service import run_service
from services.trade_ingest.app import main

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="trade_ingest", description="Publish aggregate trades as frames.")
    parser.add_argument("--shard", metavar="i/n", help="ingest every n-th partition, from the i-th on: 0/2 and 1/2")
    if (shard := parser.parse_args().shard) is not None:
        os.environ["PERPSTREAM_TRADES_SHARD"] = shard
    run_service("trade_ingest", main)
