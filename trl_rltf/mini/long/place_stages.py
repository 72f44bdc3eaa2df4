"""Stages around positions in a list, an element of a list, and counts of values."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable

from .stage import Stage


def _peaks(a: list[int]) -> list[int]:
    return [i for i, x in enumerate(a) if all(x > a[j] for j in (i - 1, i + 1) if 0 <= j < len(a))]


def _records(a: list[int]) -> list[int]:
    return [i for i, x in enumerate(a) if all(y < x for y in a[:i])]


def _parts(p: list[int], s: list[int]) -> list[int]:
    return [sum(s[start:end]) for start, end in itertools.pairwise([0, *(i + 1 for i in p)])]


def _common(c: Counter[int]) -> int:
    return min(c, key=lambda x: (-c[x], x), default=0)


def _first(a: list[int], key: Callable[[int], int]) -> int:
    return min(range(len(a)), key=key, default=-1)


def _value(e: int, s: list[int]) -> int:
    return s[e] if s else 0


PLACE_STAGES = (
    Stage(
        "peaks",
        "peaks",
        "the positions in {a} of elements larger than all their neighbours",
        ("list",),
        "positions",
        _peaks,
        (
            "@start $r of $a\n@each $i,$x in $a\n    if ($i == 0 or $x {{>|>=}} $a[$i - 1]) and ($i == len($a) - 1 or $x {{>|>=}} "
            "$a[$i + 1]):\n        @add $i to $r",
            "@start $r of $a\n@each $i,$x in $a\n    if all($x {{>|>=}} $y for $y in $a[max(0, $i - 1):$i] + $a[$i + 1:$i + 2]):\n"
            "        @add $i to $r",
        ),
    ),
    Stage(
        "records",
        "records",
        "the positions in {a} of elements larger than all before them",
        ("list",),
        "positions",
        _records,
        (
            "@start $r of $a\n$m = None\n@each $i,$x in $a\n    if $m is None or $x {{>|>=}} $m:\n        $m = $x\n"
            "        @add $i to $r",
            "@start $r of $a\n@each $i,$x in $a\n    if all($y {{<|<=}} $x for $y in $a[:$i]):\n        @add $i to $r",
        ),
    ),
    Stage(
        "places_of_multiples",
        "places",
        "the positions in {a} of multiples of {k}",
        ("list",),
        "positions",
        lambda a, k: [i for i, x in enumerate(a) if not x % k],
        ("@start $r of $a\n@each $i,$x in $a\n    if $x % $k == 0{{| and $x > 0}}:\n        @add $i to $r",),
        constants=(2, 3),
    ),
    Stage(
        "falls",
        "falls",
        "the positions in {a} of elements smaller than the one before them",
        ("list",),
        "positions",
        lambda a: [i for i in range(1, len(a)) if a[i - 1] > a[i]],
        (
            "@start $r of $a\n$p = None\n@each $i,$x in $a\n    if $p is not None and $x {{<|<=}} $p:\n        @add $i to $r\n"
            "    $p = $x",
            "@start $r of $a\nfor $i in range(1, len($a)):\n    if $a[$i] {{<|<=}} $a[$i - 1]:\n        @add $i to $r",
        ),
    ),
    Stage(
        "taken",
        "taken",
        "the elements of {s} at the positions {a}",
        ("positions",),
        "list",
        lambda p, s: [s[i] for i in p],
        ("$r = []\n@positions $i of $a\n    $r.append($s[$i{{| - 1}}])",),
    ),
    Stage(
        "left_over",
        "others",
        "the elements of {s} that are not at the positions {a}",
        ("positions",),
        "list",
        lambda p, s: [x for i, x in enumerate(s) if i not in p],
        ("$r = []\n$p = 0\n@positions $i of $a\n    $r += $s[$p:$i]\n    $p = $i{{ + 1|}}\n$r += $s[$p:]",),
    ),
    Stage(
        "gaps",
        "gaps",
        "the distances between each two positions in {a} that follow each other",
        ("positions",),
        "list",
        lambda p, s: [j - i for i, j in itertools.pairwise(p)],
        (
            "$r = []\n$p = None\n@positions $i of $a\n    if $p is not None:\n        $r.append($i - $p{{| - 1}})\n    $p = $i",
            "$r = []\n$p = -1\n@positions $i of $a\n    if $p >= 0:\n        $r.append($i - $p{{| - 1}})\n    $p = $i",
        ),
    ),
    Stage(
        "weighted",
        "weight",
        "the sum of the elements of {s} at the positions {a}, each times its position, from 1",
        ("positions",),
        "number",
        lambda p, s: sum(i * x for i, x in enumerate(s, 1) if i - 1 in p),
        ("$r = 0\n@positions $i of $a\n    $r += $s[$i] * ($i{{ + 1|}})",),
    ),
    Stage(
        "part_sums",
        "parts",
        "the sums of the parts of {s} that end at each of the positions {a}",
        ("positions",),
        "list",
        _parts,
        (
            "$r = []\n$p = 0\n@positions $i of $a\n    $r.append(sum($s[$p:$i{{ + 1|}}]))\n    $p = $i{{ + 1|}}",
            "$r = []\n$p = 0\n@positions $i of $a\n    $t = 0\n    for $j in range($p, $i{{ + 1|}}):\n        $t += $s[$j]\n"
            "    $r.append($t)\n    $p = $i{{ + 1|}}",
        ),
    ),
    Stage(
        "largest",
        "peak",
        "the first of the largest elements of {a}",
        ("list",),
        "element",
        lambda a: _first(a, lambda i: -a[i]),
        forms={
            "index": (
                "$r = -1\n@each $i,$x in $a\n    if $r < 0 or $x {{>|>=}} $a[$r]:\n        $r = $i",
                "$r = -1\nfor $i in range(len($a)):\n    if $r == -1 or $a[$r] {{<|<=}} $a[$i]:\n        $r = $i",
            ),
            "place": ("$r = 0\n@each $i,$x in $a\n    if $r == 0 or $x {{>|>=}} $a[$r - 1]:\n        $r = $i + 1",),
            "value": ("$r = {{$a[0] if $a else 0|0}}\n@each $x in $a\n    if $x > $r:\n        $r = $x",),
        },
    ),
    Stage(
        "smallest",
        "bottom",
        "the first of the smallest elements of {a}",
        ("list",),
        "element",
        lambda a: _first(a, lambda i: a[i]),
        forms={
            "index": ("$r = -1\n@each $i,$x in $a\n    if $r < 0 or $x {{<|<=}} $a[$r]:\n        $r = $i",),
            "place": ("$r = 0\n@each $i,$x in $a\n    if $r == 0 or $x {{<|<=}} $a[$r - 1]:\n        $r = $i + 1",),
            "value": (
                "$r = {{$a[0] if $a else 0|0}}\n@each $x in $a\n    if $x < $r:\n        $r = $x",
                "$r = {{$a[0] if $a else 0|0}}\n@each $x in $a\n    $r = min($r, $x)",
            ),
        },
    ),
    Stage(
        "nearest",
        "near",
        "the first of the elements of {a} with the smallest distance to {k}",
        ("list",),
        "element",
        lambda a, k: _first(a, lambda i: abs(a[i] - k)),
        forms={
            "index": (
                "$r = -1\n@each $i,$x in $a\n    if $r < 0 or abs($x - $k) {{<|<=}} abs($a[$r] - $k):\n        $r = $i",
            ),
            "place": (
                "$r = 0\n$m = 0\n@each $i,$x in $a\n    if $r == 0 or abs($x - $k) {{<|<=}} $m:\n        $m = abs($x - $k)\n"
                "        $r = $i + 1",
            ),
            "value": (
                "$r = $a[0] if $a else 0\n@each $x in $a\n    if abs($x - $k) {{<|<=}} abs($r - $k):\n        $r = $x",
            ),
        },
        constants=(3, 5, 8),
    ),
    Stage(
        "after",
        "tail",
        "the elements of {s} behind {a}",
        ("element",),
        "list",
        lambda e, s: s[e + 1 :],
        forms={
            "index": (
                "$r = []\nfor $i in range($a{{ + 1|}}, len($s)):\n    $r.append($s[$i])",
                "$r = $s[$a{{ + 1|}}:]",
            ),
            "place": (
                "$r = $s[$a{{| - 1}}:]",
                "$r = []\nfor $i in range($a{{| - 1}}, len($s)):\n    $r.append($s[$i])",
            ),
            "value": (
                "$r = []\n$i = 0\nwhile $i < len($s) and $s[$i] != $a:\n    $i += 1\n$r = $s[$i{{ + 1|}}:]",
                "$r = $s[$s.index($a){{ + 1|}}:] if $s else []",
            ),
        },
    ),
    Stage(
        "up_to",
        "head",
        "the elements of {s} before {a}",
        ("element",),
        "list",
        lambda e, s: s[: max(e, 0)],
        forms={
            "index": (
                "$r = []\nfor $i in range($a{{| + 1}}):\n    $r.append($s[$i])",
                "$r = $s[:max(0, $a{{| + 1}})]",
            ),
            "place": (
                "$r = $s[:max(0, $a{{ - 1|}})]",
                "$r = []\nfor $i in range($a{{ - 1|}}):\n    $r.append($s[$i])",
            ),
            "value": (
                "$r = []\nfor $x in $s:\n    if $x == $a:\n{{|        $r.append($x)\n}}        break\n    $r.append($x)",
                "$r = $s[:$s.index($a){{| + 1}}] if $s else []",
            ),
        },
    ),
    Stage(
        "distances",
        "distances",
        "the distances of the elements of {s} to {a}",
        ("element",),
        "list",
        lambda e, s: [abs(x - s[e]) for x in s],
        forms={
            "index": ("$r = []\n@each $x in $s\n    $r.append({{abs|}}($x - $s[$a]))",),
            "place": ("$r = []\n@each $x in $s\n    $r.append({{abs|}}($x - $s[$a - 1]))",),
            "value": (
                "$r = []\n@each $x in $s\n    $r.append({{abs|}}($x - $a))",
                "$r = [{{abs|}}($x - $a) for $x in $s]",
            ),
        },
    ),
    Stage(
        "below",
        "smaller",
        "the sum of the elements of {s} that are smaller than {a}, plus {a}",
        ("element",),
        "number",
        lambda e, s: sum(x for x in s if x < s[e]) + _value(e, s),
        forms={
            "index": (
                "$r = $s[$a] if $s else 0\n@each $x in $s\n    if $x {{<|<=}} $s[$a]:\n        $r += $x",
                "$r = 0\nif $s:\n    $r = $s[$a] + sum($x for $x in $s if $x {{<|<=}} $s[$a])",
            ),
            "place": (
                "$r = $s[$a - 1] if $s else 0\n@each $x in $s\n    if $x {{<|<=}} $s[$a - 1]:\n        $r += $x",
            ),
            "value": ("$r = $a\n@each $x in $s\n    if $x {{<|<=}} $a:\n        $r += $x",),
        },
    ),
    Stage(
        "place_of",
        "where",
        "the position of {a} in {s}, from 1, plus {a}, or 0",
        ("element",),
        "number",
        lambda e, s: e + 1 + _value(e, s),
        forms={
            "index": ("$r = 0\nif $s:\n    $r = $a{{ + 1|}} + $s[$a]", "$r = $a{{ + 1|}} + $s[$a] if $s else 0"),
            "place": ("$r = 0\nif $s:\n    $r = $a{{| - 1}} + $s[$a - 1]",),
            "value": (
                "$r = 0\nif $s:\n    $r = $s.index($a){{ + 1|}} + $a",
                "$r = 0\n@each $i,$x in $s\n    if $x == $a:\n        $r = $i{{ + 1|}} + $x\n        break",
            ),
        },
    ),
    Stage(
        "counts",
        "tally",
        "the numbers of times that the values of {a} occur",
        ("list",),
        "counts",
        Counter,
        forms={
            "dict": (
                "$r = {}\n@each $x in $a\n    if $x in $r:\n        $r[$x] += 1\n    else:\n        $r[$x] = {{1|0}}",
                "$r = {}\n@each $x in $a\n    $r[$x] = $r.get($x, {{0|-1}}) + 1",
            ),
            "pairs": (
                "$r = []\n@each $x in sorted($a)\n    if $r and $r[-1][0] == $x:\n        $r[-1][1] += 1\n    else:\n"
                "        $r.append([$x, {{1|0}}])",
                "$r = []\nfor $x in sorted(set($a)):\n    $r.append([$x, $a.count($x){{| - 1}}])",
            ),
        },
    ),
    Stage(
        "most_common",
        "common",
        "the value that occurs most often by {a}, the smallest if there are several, or 0",
        ("counts",),
        "number",
        _common,
        (
            "$r = 0\n$m = 0\n@counts $v,$c of $a\n    if $c > $m or ($c == $m and $v {{<|>}} $r):\n        $m = $c\n        $r = $v",
            "$r = 0\n$m = 0\n@counts $v,$c of $a\n    if $c > $m:\n        $m = $c\n        $r = $v\n    elif $c == $m:\n"
            "        $r = {{min|max}}($r, $v)",
        ),
    ),
    Stage(
        "singles",
        "singles",
        "the values that occur once by {a}, in rising order",
        ("counts",),
        "list",
        lambda c: sorted(x for x in c if c[x] == 1),
        ("$r = []\n@counts $v,$c of $a\n    if $c == 1:\n        $r.append($v)\n$r.sort({{|reverse=True}})",),
    ),
    Stage(
        "frequencies",
        "frequencies",
        "the numbers in {a} in falling order",
        ("counts",),
        "list",
        lambda c: sorted(c.values(), reverse=True),
        ("$r = []\n@counts $v,$c of $a\n    $r.append($c)\n$r.sort({{reverse=True|}})",),
    ),
    Stage(
        "odd_counts",
        "oddly",
        "the sum of the values that occur an odd number of times by {a}",
        ("counts",),
        "number",
        lambda c: sum(x for x, count in c.items() if count & 1),
        ("$r = 0\n@counts $v,$c of $a\n    if $c % 2 == 1:\n        $r += $v{{| * $c}}",),
    ),
)
