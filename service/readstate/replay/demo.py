"""`python -m readstate.replay.demo`: a temporary service, the sample file replayed against it, the summary. Takes a few seconds."""

import argparse
import sys
from importlib.resources import as_file, files

from readstate.replay.command import NOT_DONE, add_arguments, main
from readstate.replay.temporary import ServiceFailed, temporary_service


def demo() -> int:
    """Run the demonstration. Returns the replay's exit code."""
    print("Starting a service on a temporary directory ...", flush=True)
    try:
        with temporary_service() as service, as_file(files("readstate.replay") / "sample.jsonl") as sample:
            print(f"It listens on {service.url}; replaying {sample.name} against it.", flush=True)
            parser = argparse.ArgumentParser()
            add_arguments(parser)
            arguments = [
                str(sample),
                "--url",
                service.url,
                "--api-key",
                service.api_key,
                "--client-key",
                service.client_key,
            ]
            return main(parser.parse_args(arguments))
    except ServiceFailed as failure:
        print(failure, file=sys.stderr)
        return NOT_DONE


if __name__ == "__main__":
    sys.exit(demo())
