"""Times are written as the SDK writes them."""

from datetime import datetime, timedelta, timezone

from hypothesis import example, given
from hypothesis import strategies as st

from asgi_sentry._sdk.names import format_timestamp
from asgi_sentry._sdk.times import now, written

OFFSETS = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)


@given(st.datetimes(timezones=st.none() | st.just(timezone.utc) | OFFSETS))
@example(datetime(1000, 1, 1, tzinfo=timezone.utc))
@example(datetime(999, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone.utc))
@example(datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone.utc))
@example(datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=timezone.utc))
def test_a_time_is_written_as_the_sdk_writes_it(at: datetime) -> None:
    try:
        theirs = format_timestamp(at)
    except (OverflowError, ValueError):  # beyond the calendar, once it is in UTC
        return
    assert written(at) == theirs


def test_now_is_now() -> None:
    before = datetime.now(timezone.utc)
    read = datetime.strptime(now(), "%Y-%m-%dT%H:%M:%S.%f%z")
    assert before <= read <= datetime.now(timezone.utc)
