"""Groups by their types."""

import msgspec
import pytest

from readstate.dialects.tencent.group_types import (
    given_type,
    group_profile,
    has_receipts,
    has_unread,
    known_type,
)
from readstate.domain.profiles import GROUP_TYPE


@pytest.mark.parametrize(
    ("given", "known", "unread", "receipts"),
    [
        ("Private", "Work", True, True),
        ("Work", "Work", True, True),
        ("Public", "Public", True, True),
        ("ChatRoom", "Meeting", False, True),
        ("Meeting", "Meeting", False, True),
        ("AVChatRoom", "AVChatRoom", False, False),
        ("Community", "Community", True, False),
        ("unheard of", "", True, True),
        ("", "", True, True),
    ],
)
def test_what_the_types_of_groups_have(given: str, known: str, unread: bool, receipts: bool) -> None:
    assert given_type(group_profile(given)) == given
    assert (known_type(given), has_unread(given), has_receipts(given)) == (known, unread, receipts)


@pytest.mark.parametrize("value", [5, None, ["Public"], {"a": 1}])
def test_a_type_that_is_no_text_is_none(value: object) -> None:
    """Another dialect may set the field too."""
    assert given_type({GROUP_TYPE: msgspec.json.encode(value)}) == ""
