"""The pages of docs/reference/, made from the code that they describe.

`python -m tests.docs.reference` writes them anew.
"""

import argparse
import inspect
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from readstate import metrics
from readstate.cli.main import COMMANDS, declare
from readstate.dialects.imkit import errors as imkit_errors
from readstate.dialects.imkit.reply import Problem
from readstate.settings import PREFIX, Settings
from readstate.settings.fields import TYPES, Fields
from readstate.settings.secret_files import SECRETS
from readstate.settings.values import text_of
from tests.contract.test_published import documents

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
OPENAPI: dict[str, Any] = documents()["openapi.json"]
SCHEMAS: dict[str, Any] = OPENAPI["components"]["schemas"]
_COMPONENT = "#/components/schemas/"
_FIELD = re.compile(r"    (\w+): .*")
assert metrics.REQUESTS  # its import registers the metrics

Page = Iterator[str]  # its lines


def pages() -> dict[str, str]:
    """Each page by its path in docs/reference/."""
    made = {
        "http.md": http(),
        "settings.md": settings(),
        "metrics.md": numbers(),
        "errors.md": errors(),
    } | {f"commands/{name}.md": command(name) for name in COMMANDS}
    return {name: "\n".join(lines).rstrip("\n") + "\n" for name, lines in made.items()}


# The HTTP interface


def http() -> Page:
    """Every call of the IMKit dialect."""
    yield "# The HTTP interface, call by call\n"
    yield "Every call of the IMKit dialect, with a request and its answer. What differs from IMKit is in"
    yield "[imkit.md](../imkit.md); what an error means is in [errors.md](errors.md). This page is made"
    yield "from the OpenAPI document, which a running service has at `/schema`, and at `/docs` to try it.\n"
    yield "A client sends `IM-CLIENT-KEY` and `IM-Authorization` (the user's token). A backend sends"
    yield "`IM-API-KEY` and, where it acts for a user, `IM-CLIENT-ID`. Answers are JSON: `RC` 0 and"
    yield "`result`, or the HTTP status as `RC`, and `error`."
    for path, calls in OPENAPI["paths"].items():
        for method, call in calls.items():
            if call["tags"] == ["IMKit"]:
                yield from _call(f"{method.upper()} {path}", call)


def _call(name: str, call: Mapping[str, Any]) -> Page:
    yield f"\n## {name}\n"
    yield call["description"] + "\n"
    yield f"For {_callers(call['security'])}.\n"
    if parameters := call.get("parameters"):
        yield "| parameter | in | type | |\n| --- | --- | --- | --- |"
        for one in parameters:
            needed = "" if one["required"] else "optional. "
            yield f"| `{one['name']}` | {one['in']} | {_type(one['schema'])} | {needed}{_cell(one['description'])} |"
        yield ""
    for media in call.get("requestBody", {}).get("content", {}).values():
        yield from _fields("field", media["schema"])
        yield from _json("Request", media["example"])
    for media in call["responses"]["200"]["content"].values():
        answer = _resolved(media["schema"]).get("properties", {}).get("result", {})
        yield from _fields("field of `result`", answer)
        yield from _json("Answer", media["example"])
    refusals = [status for status in call["responses"] if status != "200"]
    yield f"Errors: {', '.join(refusals)}."


def _callers(security: list[dict[str, Any]]) -> str:
    words = {
        ("apiKey",): "the backend",
        ("apiKey", "clientId"): "the backend in the name of a user",
        ("clientKey", "userToken"): "a user",
        ("clientKey",): "a client without a token of its own",
        ("userToken",): "a user",
    }
    return " or ".join(dict.fromkeys(words[tuple(sorted(one))] for one in security))


def _fields(title: str, schema: Mapping[str, Any]) -> Page:
    described = _resolved(schema)
    properties = described.get("properties")
    if not properties:
        return
    required = described.get("required", ())
    yield f"| {title} | type | |\n| --- | --- | --- |"
    for name, one in properties.items():
        needed = "" if name in required else "optional. "
        yield f"| `{name}` | {_type(one)} | {needed}{_cell(one.get('description') or _resolved(one)['description'])} |"
    if described.get("additionalProperties") is True:
        yield "| any other | | further fields are kept as they are given |"
    yield ""


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" in schema:
        return _resolved(SCHEMAS[schema["$ref"].removeprefix(_COMPONENT)])
    for one in schema.get("anyOf", ()):
        if "$ref" in one:
            return _resolved(one)
    return schema


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return f"`{schema['$ref'].removeprefix(_COMPONENT)}`"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(one) for one in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if "items" in schema:
        return f"list of {_type(schema['items'])}"
    if "const" in schema:
        return f"`{schema['const']}`"
    return str(schema.get("type", "any"))


def _json(title: str, value: Any) -> Page:
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    yield f"{title}:\n\n```json\n{text}\n```\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


# Settings, metrics, errors


def settings() -> Page:
    """Every setting, by topic."""
    yield "# Settings\n"
    yield "Every setting with its default. They are environment variables; the"
    yield "[README](../../README.md#settings) says how they are read and what is refused.\n"
    yield "`deploy/readstate.env` has the same as a file to fill in. Where a value may be in a file, the"
    yield "variable with `_FILE` at its end names that file. Traces are set up by OpenTelemetry's own"
    yield "variables: [operating.md](../operating.md#traces)."
    comments: list[str] = []
    for line in inspect.getsource(Fields).splitlines()[1:]:
        text = line.strip()
        if text.startswith("def "):
            return
        if text.startswith("#"):
            comments.append(text[2:])
        elif not text and comments:
            yield f"\n## {comments.pop()}\n\n| variable | default | |\n| --- | --- | --- |"
        elif (found := _FIELD.fullmatch(line)) and found[1] in TYPES:
            yield f"| `{PREFIX}{found[1].upper()}` | {_default(found[1])} | {_cell(' '.join(comments))} |"
            comments.clear()


def _default(name: str) -> str:
    value = getattr(Settings(), name)
    wanted = TYPES[name]
    choices = get_args(wanted) if get_origin(wanted) is Literal else ()
    others = f"; or {', '.join(f'`{one}`' for one in choices if one != value)}" if choices else ""
    shown = "unset" if value in (None, "") else f"`{text_of(value)}`"
    return shown + others + ("; may be in a file" if name in SECRETS else "")


def numbers() -> Page:
    """Every metric."""
    yield "# Metrics\n"
    yield "What `/metrics` has, in Prometheus' text format. A counter's samples end with `_total`, those"
    yield "of a histogram with `_bucket`, `_count` and `_sum`. [operating.md](../operating.md) says what to"
    yield "look at and explains each alert.\n"
    yield "| metric | kind | labels | |\n| --- | --- | --- | --- |"
    for family in sorted(REGISTRY.collect(), key=lambda one: one.name):
        if family.name.startswith("readstate_"):
            labels = ", ".join(f"`{label}`" for label in _labels(family.name))
            yield f"| `{family.name}` | {family.type} | {labels} | {_cell(family.documentation)} |"


def _labels(name: str) -> tuple[str, ...]:
    (metric,) = {one for one in vars(metrics).values() if isinstance(one, MetricWrapperBase) and one._name == name}
    return tuple(metric._labelnames)


def errors() -> Page:
    """Every error of the IMKit dialect."""
    yield "# Errors\n"
    yield "What `error.code` may be in an answer of the IMKit dialect, over HTTP and in acks of sockets."
    yield "The code is stable, and the message is for people. A refusal (4xx) has written nothing, and"
    yield "repeating the call does not help, except 429, which says in `Retry-After` when it may be"
    yield "repeated. With 503 the message says whether nothing was done or that this is not known.\n"
    yield "[rocketchat.md](../rocketchat.md) and [tencent.md](../tencent.md) have the errors of the other"
    yield "dialects.\n"
    yield "| code | status | messages |\n| --- | --- | --- |"
    known: dict[tuple[str, int], list[str]] = {}
    for problem in vars(imkit_errors).values():
        if isinstance(problem, Problem):
            known.setdefault((problem.code, problem.status), []).append(problem.text)
    for (code, status), messages in sorted(known.items(), key=lambda one: (one[0][1], one[0][0])):
        said = dict.fromkeys(message or "(what is wrong with this call)" for message in messages)
        yield f"| `{code}` | {status} | {_cell('; '.join(said))} |"


# The command line


def command(name: str) -> Page:
    """One command, as its `--help` says."""
    parser = argparse.ArgumentParser(prog=f"readstate {name}")
    declare(name, parser)
    yield f"# readstate {name}\n"
    yield f"{COMMANDS[name][0].upper()}{COMMANDS[name][1:]}.\n"
    yield from _help(parser)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner, of_inner in action.choices.items():
                yield f"\n## readstate {name} {inner}\n"
                yield from _help(of_inner)
    yield "\nExit codes, and the store that a command works on: [README](../../../README.md#commands)."


def _help(parser: argparse.ArgumentParser) -> Page:
    yield f"```text\n{parser.format_help().rstrip()}\n```"


def write() -> None:
    """Write the pages, and remove those that are no longer made."""
    made = pages()
    for path in FOLDER.rglob("*.md"):
        if path.relative_to(FOLDER).as_posix() not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(text, encoding="utf-8")


os.environ["COLUMNS"] = "90"  # of the help of commands, whatever terminal there is
if __name__ == "__main__":
    write()
