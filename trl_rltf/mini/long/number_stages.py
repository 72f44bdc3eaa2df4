"""Stages that make a number from a list, or from numbers."""

from __future__ import annotations

import itertools
import math
from functools import reduce

from .stage import Stage


def _longest_rise(a: list[int]) -> int:
    spans = itertools.combinations(range(len(a) + 1), 2)
    return max((j - i for i, j in spans if all(x < y for x, y in itertools.pairwise(a[i:j]))), default=0)


def _best_sum(a: list[int]) -> int:
    sums = list(itertools.accumulate(a, initial=0))
    return max(y - x for x, y in itertools.combinations_with_replacement(sums, 2))


def _first_above(a: list[int], k: int) -> int:
    return next((i for i in range(1, len(a) + 1) if sum(a[:i]) > k), 0)


def _second(a: list[int]) -> int:
    values = sorted(set(a), reverse=True)
    return values[1] if len(values) > 1 else 0


def _fit(a: list[int], b: int) -> int:
    return next((i for i in range(len(a)) if sum(a[: i + 1]) > b), len(a))


def _countdown(a: int) -> int:
    a = abs(a)
    return a.bit_length() - 1 + a.bit_count() if a else 0


NUMBER_STAGES = (
    Stage(
        "longest_rise",
        "rise",
        "the length of the longest run of neighbours in {a} in which each is larger than the one before",
        ("list",),
        "number",
        _longest_rise,
        (
            "$r = 0\n$c = 0\n@each $i,$x in $a\n    if $i > 0 and $x {{>|>=}} $a[$i - 1]:\n        $c += 1\n    else:\n"
            "        $c = 1\n    $r = max($r, $c)",
            "$r = 0\n$c = 0\n$p = None\n@each $x in $a\n    $c = $c + 1 if $p is not None and $x {{>|>=}} $p else 1\n    $p = $x\n"
            "    if $c > $r:\n        $r = $c",
        ),
    ),
    Stage(
        "best_sum",
        "gain",
        "the largest sum of neighbours in a row in {a}, and 0 if none is positive",
        ("list",),
        "number",
        _best_sum,
        (
            "$r = 0\nfor $i in range({{len($a)|min(1, len($a))}}):\n    $t = 0\n    for $j in range($i, len($a)):\n"
            "        $t += $a[$j]\n        if $t > $r:\n            $r = $t",
            "$r = 0\n$t = 0\n@each $x in $a\n    $t = {{max(0, $t + $x)|$t + $x}}\n    $r = max($r, $t)",
        ),
    ),
    Stage(
        "common_divisor",
        "divisor",
        "the greatest common divisor of the elements of {a}, or 0",
        ("list",),
        "number",
        lambda a: math.gcd(*a),
        ("$r = 0\n@each $x in $a\n    $y = abs($x)\n    while $y > {{0|1}}:\n        $r, $y = $y, $r % $y",),
    ),
    Stage(
        "alternating_sum",
        "signed",
        "the first element of {a} minus the second plus the third, and so on",
        ("list",),
        "number",
        lambda a: sum(a[::2]) - sum(a[1::2]),
        (
            "$r = 0\n@each $i,$x in $a\n    if $i % 2 == {{0|1}}:\n        $r += $x\n    else:\n        $r -= $x",
            "$r = 0\n$t = {{1|-1}}\n@each $x in $a\n    $r += $t * $x\n    $t = -$t",
        ),
    ),
    Stage(
        "sign_changes",
        "turns",
        "how many neighbours in {a} are one below 0 and the other not",
        ("list",),
        "number",
        lambda a: sum((x < 0) ^ (y < 0) for x, y in itertools.pairwise(a)),
        (
            "$r = 0\nfor $i in range(1, len($a)):\n    if ($a[$i] {{<|<=}} 0) != ($a[$i - 1] {{<|<=}} 0):\n        $r += 1",
            "$r = 0\n$p = None\n@each $x in $a\n    if $p is not None and $p != ($x {{<|<=}} 0):\n        $r += 1\n"
            "    $p = $x {{<|<=}} 0",
        ),
    ),
    Stage(
        "pairs_with_sum",
        "pairs",
        "how many pairs of elements of {a} at different places have the sum {k}",
        ("list",),
        "number",
        lambda a, k: sum(x + y == k for x, y in itertools.combinations(a, 2)),
        (
            "$r = 0\nfor $i in range(len($a)):\n    for $j in range($i{{ + 1|}}, len($a)):\n        if $a[$i] + $a[$j] == $k:\n"
            "            $r += 1",
            "$r = 0\n@each $i,$x in $a\n    $r += $a[:$i{{| + 1}}].count($k - $x)",
        ),
        constants=(4, 6, 8, 10),
    ),
    Stage(
        "lowest_sum",
        "low",
        "the lowest running sum of {a}, and 0 if none is negative",
        ("list",),
        "number",
        lambda a: min(itertools.accumulate(a, initial=0)),
        (
            "$r = {{0|$a[0] if $a else 0}}\n$t = 0\n@each $x in $a\n    $t += $x\n    if $t < $r:\n        $r = $t",
            "$r = {{0|$a[0] if $a else 0}}\n$t = 0\n@each $x in $a\n    $t += $x\n    $r = min($r, $t)",
        ),
    ),
    Stage(
        "from_both_ends",
        "spread",
        "the sum of the distances between the first and the last element of {a}, the second and the last but one, and so on",
        ("list",),
        "number",
        lambda a: sum(abs(x - y) for x, y in zip(a, reversed(a), strict=True)) // 2,
        (
            "$r = 0\n$i = 0\n$j = len($a) - 1\nwhile $i < $j:\n    $r += {{abs|}}($a[$i] - $a[$j])\n    $i += 1\n    $j -= 1",
            "$r = 0\nfor $i in range(len($a) // 2):\n    $r += {{abs|}}($a[$i] - $a[-1 - $i])",
        ),
    ),
    Stage(
        "first_above",
        "place",
        "the position in {a}, from 1, where the running sum is above {k} for the first time, or 0",
        ("list",),
        "number",
        _first_above,
        (
            "$r = 0\n$t = 0\n@each $i,$x in $a\n    $t += $x\n    if $r == 0 and $t {{>|>=}} $k:\n        $r = $i + 1",
            "$r = 0\n$t = 0\nfor $i in range(len($a)):\n    $t += $a[$i]\n    if $t {{>|>=}} $k:\n        $r = $i + 1\n        break",
        ),
        constants=(5, 10, 20),
    ),
    Stage(
        "inversions",
        "swaps",
        "how many pairs in {a} have the larger element first",
        ("list",),
        "number",
        lambda a: sum(x > y for x, y in itertools.combinations(a, 2)),
        (
            "$r = 0\nfor $i in range(len($a)):\n    for $j in range($i + 1, len($a)):\n        if $a[$i] {{>|>=}} $a[$j]:\n"
            "            $r += 1",
            "$r = 0\n@each $i,$x in $a\n    $r += sum(1 for $y in $a[:$i] if $y {{>|>=}} $x)",
        ),
    ),
    Stage(
        "second_largest",
        "second",
        "the second largest value in {a}, where equal values count once, or 0",
        ("list",),
        "number",
        _second,
        (
            "$m = None\n$p = None\n@each $x in $a\n    if $m is None or $x > $m:\n        $p = $m\n        $m = $x\n"
            "    elif {{$x != $m and |}}($p is None or $x > $p):\n        $p = $x\n$r = 0 if $p is None else $p",
            "$y = sorted({{set($a)|$a}})\n$r = $y[-2] if len($y) > 1 else 0",
        ),
    ),
    Stage(
        "mix",
        "mixed",
        "the number that starts as {k} and becomes (3 * itself + x) modulo 97 for each element x of {a}",
        ("list",),
        "number",
        lambda a, k: reduce(lambda total, x: (3 * total + x) % 97, a, k),
        ("$r = $k\n@each $x in $a\n    $r = {{($r * 3 + $x)|($r + $x) * 3}} % 97",),
        constants=(1, 5, 7),
    ),
    Stage(
        "profit",
        "profit",
        "the most by which an element of {a} is larger than one before it, or 0",
        ("list",),
        "number",
        lambda a: max((y - x for x, y in itertools.combinations(a, 2) if y > x), default=0),
        (
            "$r = 0\n$m = {{None|0}}\n@each $x in $a\n    if $m is None or $x < $m:\n        $m = $x\n    elif $x - $m > $r:\n"
            "        $r = $x - $m",
            "$r = 0\n$m = {{$a[0] if $a else 0|0}}\n@each $x in $a\n    $m = min($m, $x)\n    $r = max($r, $x - $m)",
        ),
    ),
    Stage(
        "fit",
        "fitting",
        "how many elements of {a}, from the left, can be added up before the sum is above {b}",
        ("list", "number"),
        "number",
        _fit,
        (
            "$r = 0\n$t = 0\nwhile $r < len($a) and $t + $a[$r] {{<=|<}} $b:\n    $t += $a[$r]\n    $r += 1",
            "$r = 0\n$t = 0\nfor $x in $a:\n    $t += $x\n    if $t {{>|>=}} $b:\n        break\n    $r += 1",
        ),
    ),
    Stage(
        "countdown",
        "steps",
        "the number of steps from {a} without its sign to 0, where a step halves an even number and takes 1 from an odd one",
        ("number",),
        "number",
        _countdown,
        (
            "$r = 0\n$y = abs($a)\nwhile $y > {{0|1}}:\n    if $y % 2 == 0:\n        $y //= 2\n    else:\n        $y -= 1\n"
            "    $r += 1",
        ),
    ),
    Stage(
        "digits_back",
        "figures",
        "the digits of {a} without its sign, from the last to the first, and nothing for 0",
        ("number",),
        "list",
        lambda a: [int(digit) for digit in reversed(str(abs(a)))] if a else [],
        (
            "$r = []\n$y = abs($a)\nwhile $y > {{0|9}}:\n    $r.append($y % 10)\n    $y //= 10",
            "$r = [int($y) for $y in reversed(str(abs($a)){{|[1:]}})] if $a != 0 else []",
        ),
    ),
)
