"""The parameters of a URL, the same for calls and callbacks."""

from urllib.parse import parse_qsl

MAX_PARAMETERS = 32


def parameters(query: bytes) -> dict[str, str]:
    """Percent-decoded once; of a name given twice the first counts. A query with too many parameters says nothing."""
    try:
        given = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        return {}
    return dict(reversed(given))
