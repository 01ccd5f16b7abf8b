"""`readstate demo`: a sample file is replayed against a temporary service."""

import argparse
import sys
from importlib.resources import as_file, files

from readstate.replay.run import NOT_DONE, replay_file
from readstate.replay.temporary import ServiceFailed, temporary_service


def declare(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=run)


def run(_args: argparse.Namespace) -> int:
    print("Starting a service on a temporary directory ...", flush=True)
    try:
        with temporary_service() as service, as_file(files("readstate.replay") / "sample.jsonl") as sample:
            print(f"It listens on {service.url}; replaying {sample.name} against it.", flush=True)
            return replay_file(sample, url=service.url, api_key=service.api_key, client_key=service.client_key)
    except ServiceFailed as failure:
        print(failure, file=sys.stderr)
        return NOT_DONE
