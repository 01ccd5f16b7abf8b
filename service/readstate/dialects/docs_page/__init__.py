"""The OpenAPI document as a page to read and to try calls on, at /docs.

The page is static, and works without any other host: its program, RapiDoc, is a file of this
package. It is `dist/rapidoc-min.js.gz` of the npm package rapidoc 9.3.8 as published, and is sent
compressed as it is. Its licences are in `rapidoc.LICENSE.txt`. The headers let a browser load and
call nothing but this service.
"""

from pathlib import Path
from typing import Final

from litestar import get
from litestar.handlers import HTTPRouteHandler

from readstate.dialects.base import Operation
from readstate.dialects.http.reply import TEXT, Headers, Reply

_FILES: Final = Path(__file__).parent
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final[Headers] = (
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
)
_SCRIPT: Final = b"text/javascript; charset=utf-8"
# Where each file is, its type, and what its answer says besides.
_SERVED: Final = (
    ("/docs", "page.html", b"text/html; charset=utf-8", _HEADERS),
    ("/docs/page.css", "page.css", b"text/css; charset=utf-8", ()),
    ("/docs/page.js", "page.js", _SCRIPT, ()),
    ("/docs/rapidoc-min.js", "rapidoc-min.js.gz", _SCRIPT, ((b"content-encoding", b"gzip"),)),
    ("/docs/LICENSE", "rapidoc.LICENSE.txt", TEXT, ()),
)


def docs_handlers() -> list[HTTPRouteHandler]:
    """The handlers of the page and of its files. They need no store and no credentials."""
    return [
        _file_handler(path, Reply((_FILES / name).read_bytes(), media_type=kind, more_headers=headers))
        for path, name, kind, headers in _SERVED
    ]


def _file_handler(path: str, file: Reply) -> HTTPRouteHandler:
    @get(path, opt={"operation": Operation(name="docs")}, include_in_schema=False)
    async def docs() -> Reply:
        return file

    return docs
