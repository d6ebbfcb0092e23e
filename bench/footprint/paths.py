#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# bench/footprint/paths.py — the shortest way through a function that does what is asked of it, from an object's disassembly.
#   paths.py OBJECT FUNCTION [WHAT=COUNT]... [calls=REGEX]
# Of all ways from the function's first instruction to its return: the shortest on which each WHAT occurs exactly so often (see
# KINDS; what is not named may occur as it likes). Direct calls are followed where the callee's name matches REGEX; a way with
# another is no way. Nothing is executed: a loop is gone through as often as its code allows, mostly once.
# Prints the instructions of that way; exit status 1 if there is none.
import collections
import re
import subprocess
import sys

KINDS = {
    "handler": r"^call +\*",              # a call through a pointer
    "reads_dr6": r"^mov +%db6,",
    "writes_dr6": r",%db6$",
    "writes_dr7": r",%db7$",
    "writes_address": r",%db[0-3]$",
    "branches": r"^j(?!mp)",
    "loads": r"^(?!lea|nop)\S+ ([^,]*\([^)]*\)|%gs:[^,]*),|^(cmp|test)\w* .*,\S*\([^)]*\)$|^pop",
    "stores": r"^(?!cmp|test|lea|nop|bt |call|jmp)\S+ (\S+,)?(%gs:)?[-0-9a-fx]*\([^)]*\)$|^(push|call|rep )",
    "repeats": r"^rep",                    # memset and memcpy as one instruction
    "locked": r"^lock|^xchg .*\(|^mfence",
}
Instruction = collections.namedtuple("Instruction", "text target next")


def read(objdump):
    """Functions by name: their first address and instructions by address. An address is a section and an offset."""
    names, code, section, last = {}, {}, "", None
    for line in objdump.splitlines():
        if found := re.match(r"Disassembly of section (\S+):", line):
            section, last = found[1], None
        elif found := re.match(r"([0-9a-f]+) <(.*)>:$", line):
            names[found[2]] = (section, int(found[1], 16))
        elif found := re.match(r"\s+([0-9a-f]+): (R_\S+)\s+(\S.*)", line):  # what the linker will put there
            at = code[last]
            if re.match(r"(call|j\w+) ", at.text):
                to = re.sub(r"-0x4$", "", found[3])
                code[last] = at._replace(target=to, text=f"{at.text.split()[0]} {to}")
            else:
                code[last] = at._replace(text=at.text.replace("0x0", found[3], 1))
        elif found := re.match(r" *([0-9a-f]+):\t(.*)", line):
            at = (section, int(found[1], 16))
            if last:
                code[last] = code[last]._replace(next=at)
            text = re.sub(r" +", " ", found[2].split("#")[0].strip())
            jump = re.match(r"(j\w+|call) ([0-9a-f]+) <(.*)>$", text)
            code[at] = Instruction(text, (section, int(jump[2], 16)) if jump else None, None)
            last = at
    return names, code


def resolve(target, names):
    """Where a call or jump goes: an address, or the name of what is elsewhere."""
    if not isinstance(target, str):
        return target
    if target in names:
        return names[target]
    found = re.match(r"(\.text\S*?)([+-]0x[0-9a-f]+)?$", target)  # a part that the compiler has put elsewhere
    return (found[1], int(found[2] or "0", 16) + 4) if found else target


def shortest(names, code, function, wanted, calls):
    """Breadth first over (address, return addresses, counts)."""
    starts = [a for n, a in names.items() if n.split("(")[0] == function]
    if len(starts) != 1:
        sys.exit(f"{len(starts)} functions are called {function}")
    name_at = {a: n for n, a in names.items()}
    kinds = [(re.compile(KINDS[k]), n) for k, n in wanted.items()]
    start = (starts[0], (), (0,) * len(kinds))
    came, queue = {start: None}, collections.deque([start])
    while queue:
        state = queue.popleft()
        at, returns, counts = state
        i = code.get(at)
        if i is None or i.text.startswith("ud2"):
            continue
        counts = tuple(c + bool(k.search(i.text)) for c, (k, _) in zip(counts, kinds))
        if any(c > n for c, (_, n) in zip(counts, kinds)):
            continue
        to, following = resolve(i.target, names), []
        followed = calls and isinstance(to, tuple) and re.search(calls, name_at.get(to, ""))
        if i.text.startswith("ret"):
            if not returns:
                if all(c == n for c, (_, n) in zip(counts, kinds)):
                    way = []
                    while state:
                        way.append(code[state[0]].text)
                        state = came[state]
                    return way[::-1]
            else:
                following.append((returns[-1], returns[:-1]))
        elif i.text.startswith("call") and i.target is not None:
            if followed and len(returns) < 4:
                following.append((to, returns + (i.next,)))
        elif i.text.startswith("j"):
            if isinstance(to, tuple) and (to not in name_at or followed or ".cold" in name_at[to]):
                following.append((to, returns))
            if not i.text.startswith("jmp"):
                following.append((i.next, returns))
        else:
            following.append((i.next, returns))
        for where, back in following:
            new = (where, back, counts)
            if new not in came:
                came[new] = state
                queue.append(new)
    return None


def main():
    given = dict(a.split("=", 1) for a in sys.argv[3:])
    calls = given.pop("calls", "")
    dump = subprocess.run(["objdump", "-drC", "--no-show-raw-insn", sys.argv[1]], capture_output=True, text=True, check=True).stdout
    way = shortest(*read(dump), sys.argv[2], {k: int(n) for k, n in given.items()}, calls)
    if way is None:
        sys.exit(f"no way through {sys.argv[2]} with " + " ".join(sys.argv[3:]))
    print("\n".join(way))


if __name__ == "__main__":
    main()
