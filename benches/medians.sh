#!/usr/bin/env bash
# Measures the rows of benches/README.md: the median of several runs, and the lowest and highest of them.
#
#   benches/medians.sh [ROW…]     all rows, or some of: speed durable memory isolation guest baselines
#
# PHALANX  the binary to measure; by default it is built from this tree
# RUNS     runs of each row, 5
# FOLDER   where durable runs keep their log, by default the current folder; it must be on the disk that counts
#
# What belongs to one ratio is measured in one run or in runs that take turns, so that whatever else the machine does meets both.
# Exit codes: 0 measured; 1 a run failed; 2 a tool is missing or a row is unknown.
set -euo pipefail
export LC_ALL=C

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
runs=${RUNS:-5}
folder=${FOLDER:-.}
rows=(speed durable memory isolation guest baselines)

command -v jq >/dev/null || { echo 'medians.sh: jq is missing' >&2; exit 2; }
if [[ -z ${PHALANX:-} ]]; then
    cargo build --quiet --release --manifest-path "$root/Cargo.toml" -p phalanx-node
    PHALANX=$(cargo metadata --format-version 1 --no-deps --manifest-path "$root/Cargo.toml" | jq -r .target_directory)/release/phalanx
fi

bench() {
    "$PHALANX" bench "$@" -o json
}

# Numbers on stdin, one a line: "median (lowest to highest)", as printf format $1 writes them.
spread() {
    sort -g | awk -v format="$1" '
        { value[NR] = $1 }
        END {
            middle = NR % 2 ? value[(NR + 1) / 2] : (value[NR / 2] + value[NR / 2 + 1]) / 2
            printf format " (" format " to " format ")\n", middle, value[1], value[NR]
        }'
}

speed() {
    for ((run = 0; run < runs; run++)); do
        bench --accounts 1000000 --calls 4000000 --mode serial --durability none | jq .calls_per_second
    done | spread %.0f | sed 's/^/speed of one core, calls\/s: /'
}

# Each durable run beside one without syncs; the bound is the lower of that rate and what the disk gives a plain file.
durable() {
    local without with
    for ((run = 0; run < runs; run++)); do
        without=$(bench --accounts 1000000 --calls 4000000 --mode serial --durability none)
        with=$(cd "$folder" && bench --accounts 1000000 --calls 4000000 --mode serial --durability fsync)
        jq -n --argjson without "$without" --argjson with "$with" '
            ([$without.calls_per_second, $with.sync_reference_bytes_per_second / $with.log_bytes_per_call] | min) as $bound
            | $with.calls_per_second / $bound'
    done | spread %.3f | sed 's/^/durable against its bound: /'
}

memory() {
    local small large
    for ((run = 0; run < runs; run++)); do
        small=$(bench --accounts 1000000 --calls 1000000 --mode serial | jq .rss_bytes)
        large=$(bench --accounts 8000000 --calls 1000000 --mode serial | jq .rss_bytes)
        jq -n "($large - $small) / 7000000"
    done | spread %.1f | sed 's/^/memory, bytes an account: /'
}

baselines() {
    local name reports
    reports=$(for ((run = 0; run < runs; run++)); do
        bench --accounts 1000000 --calls 1000000 --mode serial --baselines
    done)
    for name in native_serial native_flat wasm_serial fresh_instance; do
        jq ".calls_per_second / .baselines.$name" <<<"$reports" | spread %.2f | sed "s/^/Phalanx against $name: /"
    done
}

isolation() {
    cargo run --quiet --release --manifest-path "$root/Cargo.toml" -p phalanx-benches --example isolation -- "$runs"
}

guest() {
    cargo run --quiet --release --manifest-path "$root/Cargo.toml" -p phalanx-benches --example guest_cost -- "$runs"
}

(($# > 0)) && rows=("$@")
for row in "${rows[@]}"; do
    case $row in
        speed | durable | memory | isolation | guest | baselines) "$row" ;;
        *)
            echo "medians.sh: there is no row $row" >&2
            exit 2
            ;;
    esac
done
