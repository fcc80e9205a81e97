"""Splink on its DuckDB backend over a table of contacts: run by that package's own interpreter, never by ours.

    python splink_peer.py TABLE.csv person|organisation OUT.json [--threshold P …]

Configured as its documentation shows for such columns: its own comparisons for names, dates, addresses and postcodes
with frequencies of terms, deterministic rules for the prior, random sampling for u, expectation maximisation for m.
Prints nothing; writes seconds, peak memory and for each threshold the clusters as lists of keys.
"""

import json
import resource
import sys
import time
import warnings
from pathlib import Path

import pandas as pd
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on


def _comparisons(columns: set[str]) -> list[object]:
    made = {
        "given": lambda: cl.NameComparison("given").configure(term_frequency_adjustments=True),
        "family": lambda: cl.NameComparison("family").configure(term_frequency_adjustments=True),
        "name": lambda: cl.JaroWinklerAtThresholds("name", [0.95, 0.88, 0.75]).configure(
            term_frequency_adjustments=True
        ),
        "born": lambda: cl.DateOfBirthComparison("born", input_is_string=True),
        "email": lambda: cl.EmailComparison("email").configure(term_frequency_adjustments=True),
        "phone": lambda: cl.LevenshteinAtThresholds("phone", [1]).configure(
            term_frequency_adjustments=True
        ),
        "street": lambda: cl.JaroWinklerAtThresholds("street", [0.95, 0.88]),
        "postcode": lambda: cl.LevenshteinAtThresholds("postcode", [1]),
        "city": lambda: cl.ExactMatch("city").configure(term_frequency_adjustments=True),
    }
    return [make() for column, make in made.items() if column in columns]


def _rules(columns: set[str], kind: str) -> list[object]:
    wanted = (
        [("name",), ("phone",), ("street",), ("email",), ("postcode", "name")]
        if kind == "organisation"
        else [
            *(("email",), ("phone",), ("given", "family"), ("born", "family"), ("born", "given")),
            *(("family", "postcode"), ("street", "postcode"), ("born", "city")),
        ]
    )
    return [block_on(*parts) for parts in wanted if columns.issuperset(parts)]


def _training(columns: set[str], kind: str) -> list[object]:
    wanted = (
        [("phone",), ("street",), ("name",)]
        if kind == "organisation"
        else [("given", "family"), ("born",), ("email",), ("phone",)]
    )
    return [block_on(*parts) for parts in wanted if columns.issuperset(parts)]


def main() -> None:
    """Links one table."""
    table, kind, out = sys.argv[1:4]
    thresholds = [float(text) for text in sys.argv[5:]] or [0.95]
    warnings.simplefilter("ignore")
    frame = pd.read_csv(table, dtype=str, keep_default_na=False).replace("", None)
    frame = frame.dropna(axis="columns", how="all")
    columns = set(frame.columns)
    began = time.perf_counter()
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="key",
        comparisons=_comparisons(columns),
        blocking_rules_to_generate_predictions=_rules(columns, kind),
        retain_intermediate_calculation_columns=False,
        retain_matching_columns=False,
    )
    linker = Linker(frame, settings, DuckDBAPI(), set_up_basic_logging=False)
    certain = [("email",), ("phone", "name"), ("given", "family", "born"), ("phone", "family")]
    linker.training.estimate_probability_two_random_records_match(
        [block_on(*parts) for parts in certain if columns.issuperset(parts)], recall=0.7
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for rule in _training(columns, kind):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    predictions = linker.inference.predict(threshold_match_probability=min(thresholds))
    clusters = {}
    for threshold in thresholds:
        found = linker.clustering.cluster_pairwise_predictions_at_threshold(
            predictions, threshold_match_probability=threshold
        ).as_pandas_dataframe()
        clusters[str(threshold)] = found.groupby("cluster_id")["key"].apply(list).tolist()
    seconds = time.perf_counter() - began
    figures = {
        "seconds": seconds,
        "cpu_seconds": time.process_time(),
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "clusters": clusters,
    }
    Path(out).write_text(json.dumps(figures), "utf-8")


if __name__ == "__main__":
    main()
