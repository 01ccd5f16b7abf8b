"""The OpenAPI document of all dialects, as JSON at /schema."""

from collections.abc import Mapping

from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme


def openapi_config(version: str, security: Mapping[str, SecurityScheme]) -> OpenAPIConfig:
    """`security`: how callers of each dialect prove who they are."""
    return OpenAPIConfig(
        title="readstate",
        version=version,
        description="Read state for chat products: cursors, unread counts and receipts, spoken as IMKit, Rocket.Chat and Tencent IM.",
        path="/schema",
        render_plugins=[JsonRenderPlugin(path=["/", "/openapi.json"])],
        components=Components(security_schemes=dict(security)),
        use_handler_docstrings=True,
    )
