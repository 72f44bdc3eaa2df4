"""Stages on words and grids."""

from __future__ import annotations

import itertools
import re

from .stage import Stage


def _cancel(a: str) -> str:
    shorter = re.sub(r"(.)\1", "", a, count=1)
    return a if shorter == a else _cancel(shorter)


def _palindrome(a: str) -> int:
    return max((j - i for i, j in itertools.combinations(range(len(a) + 1), 2) if a[i:j] == a[i:j][::-1]), default=0)


def _hills(a: list[list[int]]) -> int:
    cells = {(i, j): x for i, row in enumerate(a) for j, x in enumerate(row)}
    sides = ((0, 1), (1, 0), (0, -1), (-1, 0))
    return sum(all(x > cells.get((i + u, j + v), x - 1) for u, v in sides) for (i, j), x in cells.items())


def _walk(a: list[list[int]]) -> int:
    if len(a) == 1:
        return sum(a[0])
    if len(a[0]) == 1:
        return sum(row[0] for row in a)
    right = [row[1:] for row in a]
    return a[0][0] + _walk(right if a[0][1] > a[1][0] else a[1:])


TEXT_STAGES = (
    Stage(
        "cancel",
        "reduced",
        "{a} after equal neighbours were removed in pairs until there are none",
        ("word",),
        "word",
        _cancel,
        (
            "@text $r\n@each $x in $a\n    if {{$r and $r[-1] == $x|$x in $r}}:\n        @pop $r\n    else:\n"
            "        @append $x to $r",
        ),
    ),
    Stage(
        "shift",
        "shifted",
        "{a} with each letter moved {k} places on in the alphabet, from z on to a",
        ("word",),
        "word",
        lambda a, k: "".join("abcdefghijklmnopqrstuvwxyz"[(ord(x) - ord("a") + k) % 26] for x in a),
        (
            "@text $r\n@each $x in $a\n    $n = ord($x) + $k\n    if $n > 122:\n        $n -= {{26|25}}\n    @append chr($n) to $r",
            "@text $r\n@each $x in $a\n    @append chr((ord($x) - 97 + $k) % {{26|25}} + 97) to $r",
        ),
        constants=(1, 3, 7, 13),
    ),
    Stage(
        "double_vowels",
        "doubled",
        "{a} with each of the letters a, e, i, o, u written twice",
        ("word",),
        "word",
        lambda a: re.sub("([aeiou])", r"\1\1", a),
        (
            '@text $r\n@each $x in $a\n    @append $x to $r\n    if $x in "aeio{{u|}}":\n        @append $x to $r',
            '@text $r\n@each $x in $a\n    if $x in "aeio{{u|}}":\n        @append $x to $r\n    @append $x to $r',
        ),
    ),
    Stage(
        "pack",
        "packed",
        "{a} with each run of equal letters written as the letter and the length of the run",
        ("word",),
        "code",
        lambda a: "".join(f"{x}{len(list(run))}" for x, run in itertools.groupby(a)),
        (
            "@text $r\n$c = 0\n@each $i,$x in $a\n    $c += 1\n    if $i == len($a) - 1 or $a[$i + 1] != $x:\n"
            "        @append $x to $r\n        @append str($c) to $r\n        $c = {{0|1}}",
        ),
    ),
    Stage(
        "letter_runs",
        "stretches",
        "the lengths of the runs of equal letters in {a}",
        ("word",),
        "list",
        lambda a: [len(list(run)) for _, run in itertools.groupby(a)],
        (
            '$r = []\n$p = ""\n@each $x in $a\n    if $x == $p:\n        $r[-1] += 1\n    else:\n        $r.append({{1|0}})\n'
            "    $p = $x",
            "$r = []\n$i = 0\nwhile $i < len($a):\n    $j = $i\n    while $j < len($a) and $a[$j] == $a[$i]:\n        $j += 1\n"
            "    $r.append($j - $i{{| - 1}})\n    $i = $j",
        ),
    ),
    Stage(
        "letter_numbers",
        "ordinals",
        "the places of the letters of {a} in the alphabet, with 1 for a",
        ("word",),
        "list",
        lambda a: ["abcdefghijklmnopqrstuvwxyz".index(x) + 1 for x in a],
        (
            "$r = []\n@each $x in $a\n    $r.append(ord($x) - {{96|97}})",
            "$r = [ord($x) - {{96|97}} for $x in $a]",
        ),
    ),
    Stage(
        "vowel_groups",
        "groups",
        "the number of groups of neighbours in {a} that are all one of a, e, i, o, u",
        ("word",),
        "number",
        lambda a: len(re.findall("[aeiou]+", a)),
        (
            "$r = 0\n$p = False\n@each $x in $a\n    if $x in 'aeiou' {{and not $p|}}:\n        $r += 1\n    $p = $x in 'aeiou'",
            "$r = 0\n@each $i,$x in $a\n    if $x in 'aeiou' {{and ($i == 0 or $a[$i - 1] not in 'aeiou')|}}:\n        $r += 1",
        ),
    ),
    Stage(
        "palindrome",
        "mirror",
        "the length of the longest part of {a} that is the same when it is reversed",
        ("word",),
        "number",
        _palindrome,
        (
            "$r = 0\nfor $i in range(len($a)):\n    for $j in range($i + 1, len($a){{ + 1|}}):\n"
            "        if $a[$i:$j] == $a[$i:$j][::-1] and $j - $i > $r:\n            $r = $j - $i",
            "$r = 0\nfor $i in range(len($a)):\n    for $j in range($i, len($a){{| - 1}}):\n        $y = $a[$i:$j + 1]\n"
            "        if $y == $y[::-1]:\n            $r = max($r, len($y))",
        ),
    ),
    Stage(
        "row_sums",
        "totals",
        "the sums of the rows of {a}",
        ("grid",),
        "list",
        lambda a: [sum(row) for row in a],
        (
            "$r = []\nfor $i in range($h):\n    $t = 0\n    for $j in range($w{{| - 1}}):\n        $t += cell($i, $j)\n    $r.append($t)",
            "$r = []\nfor $i in range($h):\n    $r.append(sum(cell($i, $j) for $j in range($w{{| - 1}})))",
        ),
    ),
    Stage(
        "column_maxima",
        "columns",
        "the largest numbers in the columns of {a}",
        ("grid",),
        "list",
        lambda a: [max(column) for column in zip(*a, strict=True)],
        (
            "$r = []\nfor $j in range($w):\n    $m = {{cell(0, $j)|0}}\n    for $i in range($h):\n        if cell($i, $j) > $m:\n"
            "            $m = cell($i, $j)\n    $r.append($m)",
            "$r = []\nfor $j in range($w):\n    $r.append(max([{{cell(0, $j)|0}}] + [cell($i, $j) for $i in range($h)]))",
        ),
    ),
    Stage(
        "snake",
        "snake",
        "the numbers of {a} by rows, the first row from left to right, the second from right to left, and so on",
        ("grid",),
        "list",
        lambda a: [x for i, row in enumerate(a) for x in row[:: (1, -1)[i % 2]]],
        (
            "$r = []\nfor $i in range($h):\n    for $j in range($w):\n        if $i % 2 == {{0|1}}:\n            $r.append(cell($i, $j))\n"
            "        else:\n            $r.append(cell($i, $w - 1 - $j))",
            "$r = []\nfor $i in range($h):\n    $q = [cell($i, $j) for $j in range($w)]\n"
            "    $r += $q if $i % 2 == {{0|1}} else $q[::-1]",
        ),
    ),
    Stage(
        "hills",
        "hills",
        "how many numbers in {a} are larger than all those next to them in their row and column",
        ("grid",),
        "number",
        _hills,
        (
            "$r = 0\nfor $i in range($h):\n    for $j in range($w):\n        $m = True\n"
            "        for $p, $q in [(0, 1), (1, 0), (0, -1), (-1, 0)]:\n"
            "            if 0 <= $i + $p < $h and 0 <= $j + $q < $w and cell($i + $p, $j + $q) {{>=|>}} cell($i, $j):\n"
            "                $m = False\n        if $m:\n            $r += 1",
        ),
    ),
    Stage(
        "walk",
        "path",
        "the sum on a walk in {a} from the first to the last corner, each step to the larger number right or below, below if equal",
        ("grid",),
        "number",
        _walk,
        (
            "$i = 0\n$j = 0\n$r = cell(0, 0)\nwhile $i < $h - 1 or $j < $w - 1:\n"
            "    if $i == $h - 1 or ($j < $w - 1 and cell($i, $j + 1) {{>|>=}} cell($i + 1, $j)):\n        $j += 1\n    else:\n"
            "        $i += 1\n    $r += cell($i, $j)",
        ),
    ),
    Stage(
        "best_row",
        "rank",
        "the position, from 1, of the first row of {a} with the largest sum",
        ("grid",),
        "number",
        lambda a: max(range(len(a)), key=lambda i: (sum(a[i]), -i)) + 1,
        (
            "$r = 0\n$m = 0\nfor $i in range($h):\n    $t = 0\n    for $j in range($w):\n        $t += cell($i, $j)\n"
            "    if $i == 0 or $t > $m:\n        $m = $t\n        $r = $i{{ + 1|}}",
            "$m = [sum(cell($i, $j) for $j in range($w)) for $i in range($h)]\n$r = $m.index(max($m)){{ + 1|}}",
        ),
    ),
)
