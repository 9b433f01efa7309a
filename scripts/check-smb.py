#!/usr/bin/env python3
"""check-smb.py WORK BINARY PROTOCOL DAMAGE: what scripts/check-smb asks of --extract."""
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys

work, binary, protocol, damage = sys.argv[1:]
work = pathlib.Path(work)


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


sent = {}
for folder in ("share", "up"):
    for path in (work / folder).rglob("*"):
        if path.is_file():
            sent[path.name] = sha256(path)

good = True
for name, options in (
    ("as it is", None),
    ("reordered and repeated", ["--reorder", "0.05", "--duplicate", "0.05"]),
    ("1% lost", ["--loss", "0.01"]),
):
    capture = work / "c.pcap"
    if options:
        subprocess.run([sys.executable, damage, *options, capture, work / "d.pcap"], check=True)
        capture = work / "d.pcap"
    out = work / "x"
    shutil.rmtree(out, ignore_errors=True)
    done = subprocess.run([binary, "-n", "-s", "-x", out, capture], capture_output=True, text=True)
    counters = [" ".join(line.split()[:2]) for line in done.stderr.splitlines() if line.startswith("files.")]
    rows = [json.loads(line) for line in open(out / "files.jsonl")]
    lists = [row for row in rows if row["command"] == "QUERY_DIRECTORY"]
    rows = [row for row in rows if row["command"] != "QUERY_DIRECTORY"]
    whole = [row for row in rows if row["complete"]]
    # A name may be lost; then what is whole must be one of the files all the same.
    wrong = [
        row["file"] for row in whole
        if row["sha256"] != sent.get((row["sent_name"] or "").rsplit("\\", 1)[-1])
        and (row["sent_name"] or row["sha256"] not in sent.values())
    ]
    wrong += [row["file"] for row in rows if not row["complete"] and not row["missing"]]
    lacking = set(sent) - {row["sent_name"] for row in whole if row["sent_name"]}
    if options and "--loss" in options:
        ok = not wrong and done.returncode == 0
    else:
        ok = not wrong and not lacking and done.returncode == 0 and len(rows) == len(sent)
    good &= ok
    print(f"{protocol}, {name}: {len(whole)} of {len(sent)} whole, {len(rows) - len(whole)} parts, {len(lists)} lists:",
          "good" if ok else f"WRONG {wrong} lacking {sorted(lacking)}")
    print("   ", ", ".join(counters))
sys.exit(not good)
