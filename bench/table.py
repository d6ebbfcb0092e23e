#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# bench/table.py — what run.sh has collected, as one table, one JSON file and the data of the plots. Python 3 alone.
#   table.py DIR [--json FILE] [--markdown FILE] [--plots DIR]
# DIR holds, for each benchmark NAME: NAME.times (Google Benchmark's JSON), NAME.rows (--describe), NAME.count.* (callgrind, one
# file a row and n); and machine.txt, exactness.txt, footprint.txt, listing.md.
import argparse
import glob
import json
import os
import re
import statistics
import sys


def split(row):
    """BM_trap_peer_linux/hits:1 -> work 'trap', who 'linux', argument 'hits:1'; who '' is bookend, 'by_hand' the floor."""
    name, _, argument = row.removeprefix("BM_").partition("/")
    if "_peer_" in name:
        work, _, who = name.partition("_peer_")
    else:
        work = name.removesuffix("_by_hand")
        who = "by_hand" if name != work else ""
    return work, who, argument


def read(folder):
    """Everything of DIR: rows by name, in the order of the files, what they ask, and the targets."""
    rows, asks, targets = {}, {}, []
    for described in sorted(glob.glob(f"{folder}/*.rows")):
        stem = described.removesuffix(".rows")
        for line in open(described):
            kind, *rest = line.rstrip("\n").split("\t")
            if kind == "asks":
                asks[rest[0]] = rest[1]
            elif kind == "target":
                targets.append({"row": rest[0], "against": rest[1], "at_most": float(rest[2])})
            else:
                rows[rest[0]] = {"clock": "real_time" if rest[1] == "wall" else "cpu_time", "ns": []}
        for run in json.load(open(f"{stem}.times"))["benchmarks"]:
            if run["run_type"] == "iteration" and not run.get("error_occurred"):
                row = rows[run["name"].split("/repeats")[0].replace("/real_time", "")]
                row["ns"].append(run[row["clock"]])
        count(rows, stem)
    for row in rows.values():
        if row["ns"]:
            low, middle, high = statistics.quantiles(row["ns"], n=4) if len(row["ns"]) > 1 else row["ns"] * 3
            row.update(median=middle, spread=(high - low) / middle)
    return rows, asks, targets


def count(rows, stem):
    """callgrind's totals of n and of 2n times; what was done once drops out."""
    totals = {}
    for part in glob.glob(f"{stem}.count.*"):
        text = open(part).read()
        title = re.search(r"^desc: Trigger: Client Request: (\S+) (\d+)$", text, re.M)
        if title:
            totals.setdefault(title[1], {})[int(title[2])] = int(re.search(r"^totals: (\d+)", text, re.M)[1])
    for name, by_n in totals.items():
        n = min(by_n)
        if len(by_n) == 2:
            rows[name]["instructions"] = (by_n[2 * n] - by_n[n]) / n


def name_of(work, who, argument):
    middle = {"": "", "by_hand": "_by_hand"}.get(who, f"_peer_{who}")
    return f"BM_{work}{middle}" + (f"/{argument}" if argument else "")


def figure(ns):
    for unit, size in (("ns", 1), ("us", 1e3), ("ms", 1e6)):
        if ns < 1000 * size or unit == "ms":
            return f"{ns / size:.3g} {unit}" if ns / size < 100 else f"{ns / size:.0f} {unit}"


def whole(n):
    """Instructions: a whole number, but where the work is random."""
    return "-" if n is None else f"{n:,.0f}" if n == int(n) else f"{n:,.1f}"


def times(x):
    return f"{x:.0f}x" if x >= 10 else f"{x:.2g}x"


def judge(rows, targets):
    """Each target with its figure: bookend's median over the other's."""
    for t in targets:
        work, _, argument = t["row"].partition("/")
        ours, other = rows.get(f"BM_{t['row']}"), rows.get(name_of(work, t["against"].removeprefix("peer_"), argument))
        if ours and other and "median" in ours and "median" in other:
            t["ratio"] = ours["median"] / other["median"]
            t["met"] = t["ratio"] <= t["at_most"]


def said(t):
    """A target in words: at most 2x, or, where it is a part of a peer's, at least 40x faster."""
    against = t["against"].removeprefix("peer_").replace("by_hand", "hand")
    wish = f"<= {t['at_most']:.3g}x {against}" if t["at_most"] >= 1 else f"{1 / t['at_most']:.3g}x faster than {against}"
    if "ratio" not in t:
        return f"{wish}: not measured"
    has = f"{t['ratio']:.{3 if t['at_most'] < 1.1 else 2}f}x" if t["at_most"] >= 1 else f"{1 / t['ratio']:.3g}x"
    return f"{wish}: {has}, {'met' if t['met'] else 'MISSED'}"


def lines(rows, asks, targets):
    """Of the table: ('asks', text) or ('row', cells)."""
    shown = set()
    for name in rows:
        work, who, argument = split(name)
        if who:
            continue
        if work not in shown:
            shown.add(work)
            yield "asks", f"{work}: {asks[work]}"
        ours, floor = rows[name], rows.get(name_of(work, "by_hand", argument), {})
        peers = []
        for other in rows:
            w, peer, a = split(other)
            if (w, a) == (work, argument) and peer not in ("", "by_hand") and "median" in rows[other] and "median" in ours:
                peers.append(f"{peer} {figure(rows[other]['median'])} ({times(rows[other]['median'] / ours['median'])})")
        both = "median" in ours and "median" in floor
        yield "row", [
            argument or "-",
            figure(ours["median"]) if "median" in ours else "skipped",
            figure(floor["median"]) if "median" in floor else "-",
            f"{ours['median'] / floor['median']:.2f}x" if both else "-",
            f"{whole(ours.get('instructions'))} / {whole(floor.get('instructions'))}",
            f"{100 * ours['spread']:.0f} / {100 * floor['spread']:.0f} %" if both else "-",
            "; ".join(said(t) for t in targets if f"BM_{t['row']}" == name),
            ", ".join(peers),
        ]


TITLES = ["", "bookend", "by hand", "ratio", "instructions", "spread", "target", "peers (x bookend)"]


def text(table):
    """Columns for a terminal."""
    cells = [TITLES] + [c for kind, c in table if kind == "row"]
    widths = [max(len(c[i]) for c in cells) for i in range(len(TITLES))]
    line = lambda c: "  ".join(v.ljust(w) if i in (0, 6, 7) else v.rjust(w) for i, (v, w) in enumerate(zip(c, widths))).rstrip()
    return "\n".join([line(TITLES)] + [("\n" + c) if kind == "asks" else line(c) for kind, c in table])


def markdown(table):
    """One table for the README: what was asked stands in a row of its own."""
    row = lambda c: "| " + " | ".join(c) + " |"
    out = [row(TITLES), "|---|--:|--:|--:|--:|--:|---|---|"]
    for kind, c in table:
        if kind == "asks":
            work, _, question = c.partition(": ")
            out.append(row([f"**{work}** {question}"] + [""] * 7))
        else:
            out.append(row(c))
    return "\n".join(out)


def exactness(folder):
    """Rows of bench/exactness.cpp."""
    return [line.rstrip("\n").split("\t") for line in open(f"{folder}/exactness.txt")]


def footprint(folder):
    """What measure.sh says, as two tables: text by compiler and level, then the rest."""
    figures = [line.rstrip("\n").split("\t") for line in open(f"{folder}/footprint.txt")]
    text, rest = {}, []
    for name, value in figures:
        what, _, of = name.partition(", ")
        if what == "text":
            verbs, _, compiler = of.partition(", ")
            text.setdefault(verbs, {})[compiler] = value
        else:
            rest.append((name, value))
    compilers = list(next(iter(text.values())))
    out = ["| text, bytes | " + " | ".join(compilers) + " |", "|---|" + "--:|" * len(compilers)]
    out += [f"| {verbs} | " + " | ".join(by[c] for c in compilers) + " |" for verbs, by in text.items()]
    return "\n".join(out + ["", "| | |", "|---|--:|"] + [f"| {name} | {value} |" for name, value in rest])


def put(page, name, block):
    """The page with the block between its two marks replaced."""
    begin, end = f"<!-- bench: {name} -->\n", "<!-- bench: end -->"
    head, rest = page.split(begin)
    return head + begin + block + "\n" + end + rest.split(end, 1)[1]


def plots(rows, folder):
    """A .dat for each plot: a title line, then argument and medians in ns, '?' where there is no row."""
    def of(work, whos, arguments, value="median"):
        for a in arguments:
            row = lambda who: rows.get(name_of(work, who, a), {}).get(value, "?")
            yield [a.partition(":")[2] or "0"] + [str(row(w)) for w in whos]

    def write(name, titles, table):
        with open(f"{folder}/{name}.dat", "w") as f:
            f.write("\n".join("\t".join(c) for c in [titles] + list(table)) + "\n")

    cpus = [f"cpus:{n}" for n in (4, 64, 256, 1024, 4096, 8192)]
    write("cpus", ["CPUs", "bookend", "by hand", "counters of each CPU", "linux", "linux2009"],
          of("kernel_all", ["", "by_hand", "counters", "linux", "linux2009"], cpus))
    tasks = [f"tasks:{n}" for n in (1, 100, 10000, 1000000)]
    write("tasks", ["tasks", "bookend", "by hand", "linux", "linux2009"], of("task_random", ["", "by_hand", "linux", "linux2009"], tasks))
    others = [f"others:{n}" for n in (0, 100, 10000, 100000)]
    write("breakpoints", ["others", "bookend", "by hand"], of("register_user", ["", "by_hand"], others))
    paths = [("no watches", "switch_none", ""), ("same 4", "switch_same", "watches:4"), ("1 to 1", "switch_from_to", "km:11"),
             ("4 to 4", "switch_from_to", "km:44"), ("trap, 1 hit", "trap", "hits:1"), ("trap, 4 hits", "trap", "hits:4"),
             ("user's, 1 hit", "trap_user", "hits:1"), ("spurious", "trap_spurious", ""), ("not ours", "trap_not_ours", ""),
             ("quiet, 1 hit", "trap_quiet", "hits:1"), ("quiet, 4 hits", "trap_quiet", "hits:4")]
    for name, value in (("paths", "median"), ("paths_instructions", "instructions")):
        write(name, ["path", "bookend", "by hand"],
              [[title] + list(of(work, ["", "by_hand"], [a], value))[0][1:] for title, work, a in paths])


def main():
    ask = argparse.ArgumentParser()
    ask.add_argument("folder")
    for option in ("--json", "--markdown", "--plots"):
        ask.add_argument(option)
    given = ask.parse_args()
    rows, asks, targets = read(given.folder)
    judge(rows, targets)
    table = list(lines(rows, asks, targets))
    machine = open(f"{given.folder}/machine.txt").read().strip()
    exact = exactness(given.folder)
    met = sum(t.get("met", False) for t in targets)
    summary = f"{met} of {len(targets)} targets met"

    print(machine + "\n\n" + text(table) + "\n\nAsked the same random requests (8 CPUs, 6 tasks, 4 slots):")
    for who, what, asked, granted, wrongly, over in exact:
        print(f"  {who:10} {what:36} {asked} requests, {granted} granted, {wrongly} refused wrongly, {over} overcommitted")
    print("\nWhat it adds to a kernel (bytes; lines; the compiler's work):")
    for line in open(f"{given.folder}/footprint.txt"):
        print("  {:42} {:>8}".format(*line.rstrip("\n").split("\t")))
    print("\n" + summary)
    for t in targets:
        if not t.get("met"):
            print(f"  {t['row']}: {said(t)}")
    if given.json:
        json.dump({"machine": machine.split("\n"), "rows": rows, "asks": asks, "targets": targets,
                   "exactness": [dict(zip(("who", "what", "requests", "granted", "refused_wrongly", "overcommitted"), e)) for e in exact]},
                  open(given.json, "w"), indent=1)
    if given.plots:
        plots(rows, given.plots)
    if given.markdown:
        who_refuses = ["| | asked | requests | granted | refused wrongly | overcommitted |", "|---|---|--:|--:|--:|--:|"]
        who_refuses += ["| " + " | ".join(e) + " |" for e in exact]
        block = "\n".join(["```", machine, "```", "", summary + ".", "", markdown(table), "", *who_refuses])
        page = put(open(given.markdown).read(), "table", block)
        page = put(page, "footprint", footprint(given.folder))
        page = put(page, "listing", open(f"{given.folder}/listing.md").read().strip())
        open(given.markdown, "w").write(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
