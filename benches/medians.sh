#!/usr/bin/env bash
# Measures the rows of benches/README.md: the median of several runs, and the lowest and highest of them.
#
#   benches/medians.sh [ROW…]     all rows, or some of: speed durable memory isolation guest baselines parallel conflicts hinted sizes
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
rows=(speed durable memory isolation guest baselines parallel conflicts hinted sizes)

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

rate() {
    bench "$@" | jq .calls_per_second
}

# ratio NAME ARGUMENTS… -- OTHER ARGUMENTS…: the first's rate through the second's, in turns.
ratio() {
    local name=$1 other=0 argument
    local -a first=() second=()
    shift
    for argument; do
        if [[ $argument == -- ]]; then other=1; elif ((other)); then second+=("$argument"); else first+=("$argument"); fi
    done
    for ((run = 0; run < runs; run++)); do
        jq -n "$(rate "${first[@]}") / $(rate "${second[@]}")"
    done | spread %.2f | sed "s|^|$name: |"
}

# auto NAME ARGUMENTS…: what auto with two workers reaches of the serial loop on the same workload.
auto() {
    local name=$1
    shift
    ratio "$name, auto against serial" "$@" --mode auto --workers 2 -- "$@" --mode serial --workers 1
}

# Two workers: rates by mode, the share of two processes that know nothing of each other, and what checking costs.
parallel() {
    local token=(token --accounts 1000000 --calls 4000000)
    local mode first second
    for mode in serial pipe optimistic hinted auto; do
        for ((run = 0; run < runs; run++)); do
            rate "${token[@]}" --mode "$mode" --workers 2
        done | spread %.0f | sed "s/^/two workers, $mode, calls\/s: /"
    done
    for ((run = 0; run < runs; run++)); do
        exec {first}< <(rate "${token[@]}" --mode serial --workers 1)
        exec {second}< <(rate "${token[@]}" --mode serial --workers 1)
        # The two run at the same time; both are waited for here.
        jq -n "$(rate_after "$first" "$second" "${token[@]}")"
    done | spread %.2f | sed 's/^/two workers against two independent serial processes: /'
    ratio 'one worker, time of optimistic against serial' "${token[@]}" --mode serial --workers 1 -- \
        "${token[@]}" --mode optimistic --workers 1
}

# The rate of auto through the sum of the two rates that come through the descriptors.
rate_after() {
    local a b
    read -r a <&"$1"
    read -r b <&"$2"
    shift 2
    printf '%s / (%s + %s)' "$(rate "$@" --mode auto --workers 2)" "$a" "$b"
}

conflicts() {
    local theta uniform=(token --calls 2000000 --mode auto --workers 2)
    for theta in 0.6 0.9 0.99 1.2; do
        ratio "token, Zipf $theta against uniform" "${uniform[@]}" --skew "$theta" -- "${uniform[@]}"
    done
    auto 'refusals that depend on order, Zipf 0.99' token-lowbal --calls 2000000 --skew 0.99
    auto 'read-modify-write balances, uniform' token-rmw --calls 2000000
    auto 'read-modify-write balances, Zipf 0.99' token-rmw --calls 2000000 --skew 0.99
    auto 'a key read by every call, written by one in 1,000' read-mostly --calls 2000000
    auto 'one counter, read-modify-write' counter-rmw --calls 2000000
    auto 'one counter, add' counter-add --calls 2000000
    auto 'two accounts, read-modify-write' token-rmw --accounts 2 --calls 2000000
    auto '100 pools, Zipf 0.9' pools --calls 2000000 --skew 0.9
    auto 'flood: one ordered slot' flood --accounts 100000 --calls 500000
    auto 'switch of workload' switch --calls 2000000 --switch-every 64
    switched
    auto 'long calls' long-call --calls 200000
}

# A workload that changes about every second, against what its three parts reach each by itself: twice through all of them.
switched() {
    local options=(--mode auto --workers 2) part times
    for ((run = 0; run < runs; run++)); do
        times=()
        for part in token-rmw counter-rmw read-mostly; do
            times+=("1 / $(rate "$part" --calls 2000000 "${options[@]}")")
        done
        jq -n "$(rate switch --calls $((6 * 128 * 16384)) --switch-every 128 "${options[@]}") *
            (${times[0]} + ${times[1]} + ${times[2]}) / 3"
    done | spread %.2f | sed "s/^/switch of workload against its parts' own rates: /"
}

# What hinted with two workers reaches of the serial loop where auto executes many calls again, or in order.
hinted() {
    local workload
    for workload in token-rmw 'token-rmw --skew 0.99' 'token-lowbal --skew 0.99' read-mostly counter-rmw; do
        # shellcheck disable=SC2086 # Several words each.
        ratio "$workload, hinted against serial" $workload --calls 1000000 --mode hinted --workers 2 -- \
            $workload --calls 1000000 --mode serial --workers 1
    done
}

sizes() {
    local small=(token --accounts 1000000 --calls 2000000 --mode auto --workers 2)
    ratio 'cost a call at 16 M accounts against 1 M' "${small[@]}" -- "${small[@]/1000000/16000000}"
    auto 'batches of 64' token --calls 200000 --batch-size 64
    ratio '10,000 contracts of one code against one' many-contracts --calls 1000000 --mode auto --workers 2 -- \
        token --calls 1000000 --mode auto --workers 2
    ratio '500 codes against one' many-contracts --contracts 500 --codes 500 --calls 200000 --mode auto --workers 2 -- \
        token --calls 200000 --mode auto --workers 2
}

(($# > 0)) && rows=("$@")
for row in "${rows[@]}"; do
    case $row in
        speed | durable | memory | isolation | guest | baselines | parallel | conflicts | hinted | sizes) "$row" ;;
        *)
            echo "medians.sh: there is no row $row" >&2
            exit 2
            ;;
    esac
done
