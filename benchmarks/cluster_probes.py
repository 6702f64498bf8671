"""Real probes in a large gallery, searched by one process and over hosts: nothing may differ.

``python -m benchmarks.cluster_probes --fingers 100000 --probes 500 --cache FOLDER``. The gallery is
the synthetic one of ``fpmatch bench cluster`` with the first impression of each real finger in it;
probes are the other impressions, through the learned extractor. Compared are answer, roots, digest
of the candidates and every counter that the log holds, as bytes. FOLDER keeps templates and
galleries for the next run. ``--cost 40`` measures as ``fpmatch bench cluster`` does, over the same
gallery, with so many searches at 1, 2, 4 and 8 hosts.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import fpmatch as fp
from fpmatch.bench.cluster import ORI, PARTITION, _gallery, _measure, _probes
from fpmatch.cluster import Cluster
from fpmatch.search import Engine

BUCKETS = 8
COUNTED = ("live", "codes", "stage1", "stage2", "complete", "gallery_root", "candidate_digest",
           "n_candidates", "paired", "outcome", "reason")  # fmt: skip


def images(data: Path) -> dict[str, tuple[Path, int]]:
    """All images of the accuracy sets and their resolution, by name."""
    return {
        f"{folder.replace('/', '_')}_{path.stem}": (path, ppi)
        for folder, ppi in json.loads((data / "ppi.json").read_text()).items()
        for path in sorted((data / folder).iterdir())
        if path.suffix in (".tif", ".png")
    }


def template(kept: Path, path: Path, ppi: int) -> fp.Template:
    """An image's template, made once."""
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(fp.extract(fp.read_image(path, ppi=ppi)).to_bytes())
    return fp.Template.from_bytes(kept.read_bytes())


def said(engine: Engine, response: Any) -> bytes:
    """What may not differ: all but coverage, tokens and times."""
    sections = tuple(replace(section, token="") for section in response.sections)
    (found,) = [
        r
        for r in engine.audit.records(kind="OUTCOME", first=response.audit_seq)
        if r.intent_seq == response.audit_seq
    ]
    log = {p: {f: told[f] for f in COUNTED} for p, told in found.partitions.items()}
    body = replace(response, sections=sections, tcn="").to_bytes()
    return body + json.dumps(log, sort_keys=True, default=str).encode()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fingers", type=int, default=100_000)
    parser.add_argument("--probes", type=int, default=500)
    parser.add_argument("--hosts", type=int, default=4)
    parser.add_argument("--cost", type=int, default=0)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    data = Path(os.environ.get("FPMATCH_DATA", "../shared/data"))
    there = images(data)
    chosen = sorted(name for name in there if not name.endswith("_1"))
    random.Random(asked.seed).shuffle(chosen)
    made = {
        name: template(asked.cache / "probes" / f"{name}.fpt", *there[name])
        for name in [*(n for n in there if n.endswith("_1")), *chosen[: asked.probes]]
    }
    mates = {name: t for name, t in made.items() if name.endswith("_1")}
    print(f"{len(made)} templates", flush=True)
    place = asked.cache / f"real-{asked.fingers}-{asked.hosts}"
    if not (place / "ready").exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        _gallery(place / "one.fpm", asked.fingers, asked.cache, None)
        with Engine.open(place / "one.fpm", "rw", durability="off") as engine:
            engine.enrol(PARTITION, [fp.Record(f"REAL-{n}", [t]) for n, t in mates.items()])
        shutil.copytree(place / "one.fpm", place / "many.fpm")
    hosts = [f"h{n}" for n in range(1, asked.hosts + 1)]
    met: Counter[str] = Counter()
    begun = time.process_time()
    with (
        Cluster.start(place / "cluster", hosts, replicas=1, buckets=BUCKETS) as cluster,
        Engine.open(place / "many.fpm", "rw", shards=cluster, durability="off") as many,
        Engine.open(place / "one.fpm", "rw", durability="off") as one,
    ):
        (place / "ready").touch()
        print(f"open, {time.process_time() - begun:.0f} s of processor time", flush=True)
        for hosts_now in (1, 2, 4, 8) if asked.cost else ():
            cluster.rebalance([f"h{n}" for n in range(1, hosts_now + 1)])
            some = _probes(asked.cost, "balanced")
            row = _measure(one, many, cluster, some, f"{hosts_now}-{begun}", None)
            print(f"{hosts_now} hosts: {json.dumps(row)}", flush=True)
        if asked.cost:
            cluster.rebalance(hosts)
        for number, name in enumerate(chosen[: asked.probes]):
            request = fp.SearchRequest(fingers=[made[name]], booking_ori=ORI, tcn="")
            a, b = one.search(request), many.search(request)
            covered = b[PARTITION].coverage
            met["whole"] += covered is not None and covered.whole
            met["equal"] += said(one, a) == said(many, b)
            found = a[PARTITION].candidates
            mate = f"REAL-{name.rpartition('_')[0]}_1"
            met["mate first"] += bool(found) and found[0].record == mate
            met["candidates"] += len(found or ())
            met["searches"] += 1
            if not (number + 1) % 50:
                print(dict(met), flush=True)
    print(f"{dict(met)}, {time.process_time() - begun:.0f} s of processor time")
    return int(not met["equal"] == met["whole"] == met["searches"] == asked.probes)


if __name__ == "__main__":
    raise SystemExit(main())
