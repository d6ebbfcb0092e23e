# SPDX-License-Identifier: MIT
# tests/gates/coverage.py — reads what `llvm-cov export` says of lines (lcov) and of branches (json), for coverage.sh, and what
# coverage.md says of them. Prints what is in one of the two only, then a summary; exit status 1 if there was anything.
import collections
import json
import os
import re
import sys

lcov, branches, known = (open(name).read() for name in sys.argv[1:4])
source = {}


def code(path, line, first=1, end=None, last=None):
    """The text of a region, white space as one blank."""
    if path not in source:
        source[path] = open(path).read().split("\n")
    text = source[path][line - 1 : end or line]
    if last:
        text[-1] = text[-1][: last - 1]
    text[0] = text[0][first - 1 :]
    return " ".join(" ".join(text).split())


# What is not reached: (file, "line", "true" or "false", text) -> where. The same text may stand there twice.
missed = collections.defaultdict(list)
lines = reached = 0
for record in lcov.split("end_of_record"):
    path = re.search(r"^SF:(.*)$", record, re.M)
    for n, count in re.findall(r"^DA:(\d+),(\d+)", record, re.M):
        text = code(path[1], int(n))
        if text.strip("{};") == "":  # a brace is reached with what stands before it
            continue
        lines += 1
        reached += count != "0"
        if count == "0":
            missed[os.path.relpath(path[1]), "line", text].append(int(n))

# A branch counts once, however many instantiations there are, and not at all where every one of them has decided it already.
outcomes = had = 0
for file in json.loads(branches)["data"][0]["files"]:
    places = collections.defaultdict(lambda: (0, 0))
    for b in file["branches"]:
        yes, no = places[tuple(b[:4])]
        places[tuple(b[:4])] = (yes + b[4], no + b[5])
    for (line, first, end, last), counts in places.items():
        if counts == (0, 0) or "= default;" in code(file["filename"], line):  # nor a comparison that the compiler writes
            continue
        for outcome, count in zip(("true", "false"), counts):
            outcomes += 1
            had += count != 0
            if count == 0:
                missed[os.path.relpath(file["filename"]), outcome, code(file["filename"], line, first, end, last)].append(line)

rows = re.findall(r"^- `(\S+)` (never|seldom) (line|true|false): ``?(.*?)``?$", known, re.M)
explained = collections.Counter((path, kind, text) for path, _, kind, text in rows)
seldom = {(path, kind, text) for path, how, kind, text in rows if how == "seldom"}  # may be reached, too
wrong = 0
for (path, kind, text), where in sorted(missed.items()):
    if len(where) > explained[path, kind, text]:
        wrong += 1
        print(f"not reached, {path}:{','.join(map(str, where))}\n- `{path}` never {kind}: `{text}`")
for (path, kind, text), times in explained.items():
    if times > len(missed[path, kind, text]) and (path, kind, text) not in seldom:
        wrong += 1
        print(f"explained, but reached or gone: `{path}` never {kind}: `{text}`")
print(f"{reached} of {lines} lines, {had} of {outcomes} outcomes of branches; {sum(explained.values())} explained")  # also those that were reached by luck
sys.exit(wrong != 0)
