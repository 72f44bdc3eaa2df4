"""Limits as datasets write them."""

import pytest

from trl_rltf.data.limits_parsing import parse_bytes, parse_seconds


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [
        ({"seconds": 2, "nanos": 500_000_000}, 2.5),
        ({"seconds": None, "nanos": 5e8}, 0.5),
        ({"seconds": "2"}, None),
        ({}, None),
        (3, 3.0),
        ("2.0 seconds", 2.0),
        ("1 second", 1.0),
        ("500 ms", 0.5),
        ("0.5 - 1 sec", None),
        ("2", 2.0),
        ("two", None),
        ("3 parsecs", None),
        ("inf", None),
        (0, None),
        (-1, None),
        (True, None),
        (10**400, None),
        ({"seconds": 10**400}, None),
        (None, None),
    ],
)
def test_seconds(limit, seconds):
    assert parse_seconds(limit) == seconds


@pytest.mark.parametrize(
    ("limit", "count"),
    [
        ("256 megabytes", 2**28),
        ("256 MB", 2**28),
        ("1.5 GB", 3 * 2**29),
        ("64 kilobytes", 2**16),
        (1000, 1000),
        (0, None),
        ("", None),
        (None, None),
        ("-1 MB", None),
        ([1], None),
    ],
)
def test_bytes(limit, count):
    assert parse_bytes(limit) == count
