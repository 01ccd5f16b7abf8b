"""The steps of the Containerfile, done in a folder: a container itself cannot be made here."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from readstate.store.server_check import check_server
from tests.support.processes import ServiceProcess
from tests.support.servers import Server, free_port, server_binary, short_directory
from tests.support.waiting import wait_until_now

ROOT = Path(__file__).resolve().parents[2]
CONTAINERFILE = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8")


@pytest.mark.full
def test_what_the_steps_make_serves(own_server: Server) -> None:
    """They install what is pinned, from an index, which takes a minute."""
    first_stage = CONTAINERFILE.split("FROM ")[1]
    with short_directory() as directory:
        build, place = directory / "build", directory / "opt"
        build.mkdir()
        for names in re.findall(r"^COPY (.*)$", first_stage, re.MULTILINE):
            *sources, target = names.split()
            for source in sources:
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, build / target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(ROOT / source, build / target)
        for step in re.findall(r"^RUN (.*)$", first_stage, re.MULTILINE):
            step = re.sub(r"^python\b", sys.executable, step.replace("/opt/readstate", str(place)))
            environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
            subprocess.run(step, shell=True, cwd=build, env=environ, check=True, capture_output=True)
        keys = {"api_key": "a" * 32, "client_key": "c" * 32, "token_secret": "t" * 32}
        ops_port = free_port()
        command = (str(place / "bin" / "readstate"), "serve")
        with ServiceProcess(
            directory / "data", command, redis_url=own_server.url, ops_port=ops_port, **keys
        ) as service:
            assert service.get("/")[0] == 200


def test_the_server_of_the_composition_is_one_as_it_should_be() -> None:
    """Without a warning."""
    with short_directory() as directory:
        text = (ROOT / "deploy" / "valkey.conf").read_text(encoding="utf-8")
        assert "dir /data\n" in text
        socket = directory / "s.sock"
        (directory / "valkey.conf").write_text(
            text.replace("dir /data", f"dir {directory}") + f"port 0\nunixsocket {socket}\n", encoding="utf-8"
        )
        server = subprocess.Popen([server_binary(), directory / "valkey.conf"], stdout=subprocess.DEVNULL)
        try:
            wait_until_now(socket.exists, "the server to listen")
            facts = asyncio.run(check_server(f"unix://{socket}"))
        finally:
            server.terminate()
            server.wait()
    assert facts.warnings == ()
