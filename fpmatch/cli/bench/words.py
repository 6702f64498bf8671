"""What the figures of a benchmark are, in words with their unit; JSON has their short names."""

from __future__ import annotations

import re

_WORDS = {
    "images": "images",
    "images_per_second_per_core": "extraction, images a second and core",
    "extract_ms_median": "extraction of an image, median, ms",
    "extract_ms_p95": "extraction of an image, 95th percentile, ms",
    "read_ms_median": "reading an image, median, ms",
    "median_pixels": "size of an image, median, pixels",
    "failures_to_extract": "images without a template",
    "templates": "templates compared",
    "compare_us_median": "non-mated comparison, packed, median, us",
    "mated_us_median": "mated comparison, packed, median, us",
    "single_us_median": "one call of compare, encoding included, median, us",
    "comparisons_per_second_per_core": "non-mated comparisons a second and core",
    "searches": "searches",
    "agencies": "agencies of the policy",
    "decide_first_us_median": "an agency's first decision, median, us",
    "decide_us_median": "further decisions, median, us",
    "decide_and_audit_us_grouped": "decision and both records, searches in a group, us",
    "verify_us_per_record": "verifying the log, us a record",
    "naive_per_second": "plain loop, pictures a second",
    "naive_cpu_seconds": "plain loop, CPU time, s",
    "stored_per_second": "stored templates enrolled a second",
    "stored_ratio_to_engine_enrol": "stored templates, speed over that of Engine.enrol",
    "searches_alone": "searches while nothing else goes on",
    "searches_beside": "searches beside enrolment",
    "search_ratio": "median time of a search beside enrolment over that alone",
    "incomplete_beside": "searches beside enrolment that a deadline cut short",
    "enrolled_per_second_alone": "fingers enrolled a second, no searches",
    "enrolled_per_second_beside": "fingers enrolled a second, beside searches",
    "fingers": "fingers in the gallery",
    "cpu_ms_median_alone": "CPU of one process, median, ms",
    "cpu_ratio": "CPU over that of one process, median",
    "wall_ms_median_alone": "one process, median, ms",
    "sent_kb": "sent a search, KB",
    "received_kb": "received a search, KB",
    "calls": "calls a search",
    "nonmated": "non-mated searches",
    "efforts": "efforts",
    "effort": "effort",
    "threads": "threads",
    "probes": "probes",
    "synthetic": "synthetic",
    "real": "real",
    "fpir": "FPIR asked for, %",
    "fpir_measured": "FPIR measured, %",
    "threshold": "threshold, score",
    "fnir": "FNIR, %",
    "fnir_low": "FNIR, 95 % interval from, %",
    "fnir_high": "FNIR, 95 % interval to, %",
    "exact_high": "FNIR, exact upper limit, %",
    "against_last": "FNIR less that of the last effort, %",
    "against_low": "that difference, 95 % interval from, %",
    "against_high": "that difference, 95 % interval to, %",
    "misses": "mates missed",
    "identities": "people searched for",
    "barred": "share of the records barred",
    "ratio": "ratio of the times",
    "unmasked_ms_median": "search without a mask, median, ms",
    "search_ms_median": "search, median, ms",
    "search_ms_p95": "search, 95th percentile, ms",
    "search_cpu_ms_median": "search, CPU time, median, ms",
    "templates_per_second_per_core": "templates searched a second and core",
    "batch": "searches in a batch",
    "batch_ms_per_probe": "search in a batch, ms a probe",
    "single_ms_per_probe": "search alone, ms a probe",
    "identical": "same answers",
    "add_us_per_finger": "adding to the index, us a finger",
    "compact_us_per_finger": "merging segments, us a finger",
    "bytes_per_finger": "index on the disk, bytes a finger",
    "resident_bytes_per_finger": "index in memory, bytes a finger",
    "peak_memory_mb": "most memory of the process, MiB",
    "open_ms_median": "opening the index, median, ms",
    "open_ms_first": "opening the index, first time, ms",
    "first_search_ms_median": "first search after opening, median, ms",
    "second_search_ms_median": "second search, median, ms",
    "engine_open_ms_first": "opening the engine to read, first time, ms",
    "engine_open_ms_median": "opening the engine to read, median, ms",
    "engine_open_cpu_ms_median": "opening the engine to read, CPU time, median, ms",
    "engine_open_rw_ms_median": "opening the engine to write, median, ms",
    "engine_open_rw_cpu_ms_median": "opening the engine to write, CPU time, median, ms",
    "pairs": "paired searches of each question",
    "withheld_ms": "time at which opaque answers leave, ms",
    "longest_ms": "longest search without such a time, ms",
    "records": "people enrolled",
    "poor": "share of poor prints",
    "positions": "finger positions",
    "together_ms_median": "all fingers in one search, median, ms",
    "alone_ms_median": "each finger in a search of its own, median, ms, all together",
    "verified_median": "records verified, median",
    "rank1": "rank-1, %",
    "rank1_alone": "rank-1 of single fingers, %",
    "by_barred": "by share barred",
    "by_effort": "by effort",
    "by_fingers": "by size of the gallery",
    "by_case": "by case",
    "calculated": "calculated, not measured",
    "peer": "peer",
    "name": "name",
    "skipped": "nothing to time",
    "comparisons": "comparisons",
}
_WORKERS = {
    "cpu_seconds": "CPU time, s",
    "whole_per_second": "pictures a second, start included",
    "steady_per_second": "pictures a second once started",
    "whole_ratio": "speed over the plain loop's, start included",
    "steady_ratio": "speed over the plain loop's once started",
    "again_per_second": "items a second that were enrolled before",
}
_SYNC = {
    "no_sync": "the disk not waited for",
    "sync": "the disk waited for",
}
_BESIDE = {
    "median": "median",
    "p95": "95th percentile",
    "longest": "longest",
}


def worded(name: str) -> str:
    """The name of a figure as people read it.

    Parameters
    ----------
    name : str
        As in the JSON, nested ones with spaces between: ``peer compare_us_median``.
    """
    *outer, last = name.split(" ")
    words = _worded(last)
    return ": ".join([*(_worded(part) for part in outer), words]) if outer else words


def _worded(name: str) -> str:
    if name in _WORDS:
        return _WORDS[name]
    if found := re.fullmatch(r"(\w+?)_(\d+)_workers", name):
        stem, count = found.groups()
        if stem in _WORKERS:
            workers = {"0": "in this process", "1": "1 worker"}.get(count, f"{count} workers")
            return f"{workers}: {_WORKERS[stem]}"
    if found := re.fullmatch(r"decide_and_audit_us_median_(\w+)", name):
        how = _SYNC.get(found[1], found[1].replace("_", " "))
        return f"decision and both records, {how}, median, us"
    if found := re.fullmatch(r"search_ms_(median|p95|longest)_(alone|beside)", name):
        when = "beside enrolment" if found[2] == "beside" else "alone"
        return f"search {when}, {_BESIDE[found[1]]}, ms"
    if found := re.fullmatch(r"rank1_same_(\w+)", name):
        return f"rank-1 on the probes of {found[1]}, %"
    if found := re.fullmatch(r"rank1_(\w+)", name):
        return f"rank-1 with {found[1]}, %"
    if found := re.fullmatch(r"probes_(\w+)", name):
        return f"probes with {found[1]}"
    if found := re.fullmatch(r"(\w+)_templates_per_second_per_core", name):
        return f"with {found[1]}, templates searched a second and core"
    if found := re.fullmatch(r"(\w+?)_(ms|us)_median", name):
        return f"{found[1].replace('_', ' ')}, median, {found[2]}"
    return name.replace("_", " ")
