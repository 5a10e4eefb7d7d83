#!/usr/bin/env bash
# Measures the gRPC service: the rows of benches/README.md, "Loading a node". Each row has a fresh node in a temporary folder.
#
#   benches/service.sh [ROW…]     all rows, or some of: columns calls submit open overload subscribe readers paused queries hostile
#
# PHALANX   the binary to measure; by default it is built from this tree
# FOLDER    where nodes keep their logs, by default the current folder; it must be on the disk that counts
# SECONDS_A_ROW  seconds that the clock of a closed loop runs, 50
# WINDOW, WINDOWS  seconds of a window, 10, and how many of them the open loop has, 5
# TURNS     how often the rows with readers or queries beside the calls (subscribe, readers, paused, queries) are measured with and
#           without them, 3
# SECONDS_A_TURN  seconds of each, 20; of `paused` they are twice PAUSE
# PAUSE     seconds for which its reader reads nothing, 30
# QUERIES   queries a second, 10000
# ATTACKS, CALM_RATE  attacks a second of the row `hostile`, 200, and calls a second of the client beside them, 100000; it needs python3
# ACCOUNTS  accounts of each token, 1000000
# NODE_CORES, CLIENT_CORES  cores that the node and the generator are kept on, as taskset names them; by default all
# WORKERS   threads that the node executes calls on, by default its cores
# OPEN_RATE  calls a second; by default half of the highest rate of the closed loops of this run
# OVERLOAD_RATE  the same; by default twice the highest rate of submissions as short, which is measured before it
# REPORTS   folder that the generators' JSON reports are kept in, by default none
#
# Exit codes: 0 measured; 1 a run failed; 2 a tool is missing, a row is unknown, or a row needs one that is not there.
set -euo pipefail
export LC_ALL=C

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
folder=${FOLDER:-.}
duration=${SECONDS_A_ROW:-50}
window=${WINDOW:-10}
windows=${WINDOWS:-5}
accounts=${ACCOUNTS:-1000000}
turns=${TURNS:-3}
turn_seconds=${SECONDS_A_TURN:-20}
pause=${PAUSE:-30}
rows=(columns calls submit open overload subscribe readers paused queries hostile)
(($# > 0)) && rows=("$@")
for row in "${rows[@]}"; do
    case $row in
        columns | calls | submit | open | overload | subscribe | readers | paused | queries | hostile) ;;
        *)
            echo "service.sh: there is no row $row" >&2
            exit 2
            ;;
    esac
done

command -v jq >/dev/null || { echo 'service.sh: jq is missing' >&2; exit 2; }
if [[ -z ${PHALANX:-} ]]; then
    cargo build --quiet --release --manifest-path "$root/Cargo.toml" -p phalanx-node
    PHALANX=$(cargo metadata --format-version 1 --no-deps --manifest-path "$root/Cargo.toml" | jq -r .target_directory)/release/phalanx
fi

highest=0
node=
attacker=
directory=

end_node() {
    if [[ -n $node ]]; then
        kill -TERM "$node" 2>/dev/null || true
        wait "$node" 2>/dev/null || true
        node=
    fi
    if [[ -n $attacker ]]; then
        kill "$attacker" 2>/dev/null || true
        attacker=
    fi
    if [[ -n $directory ]]; then
        rm -rf "$directory"
        directory=
    fi
}
trap end_node EXIT

# on CORES COMMAND…: takes the place of this shell, so that what runs in the background has the number of the command.
on() {
    local cores=$1
    shift
    if [[ -n $cores ]]; then exec taskset -c "$cores" "$@"; else exec "$@"; fi
}

# Starts a node; $endpoint is where it listens.
start_node() {
    directory=$(mktemp -d --tmpdir="$folder")
    local -a workers=()
    [[ -n ${WORKERS:-} ]] && workers=(--workers "$WORKERS")
    on "${NODE_CORES:-}" "$PHALANX" serve --data-dir "$directory/data" --listen 127.0.0.1:0 "${workers[@]}" -o json >"$directory/serving" &
    node=$!
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        endpoint=$(jq -r .endpoint "$directory/serving" 2>/dev/null || true)
        [[ $endpoint == http* ]] && return
        kill -0 "$node" 2>/dev/null || break
        sleep 0.1
    done
    echo 'service.sh: the node does not start' >&2
    exit 1
}

# The head of the table, above its first line.
head_of_loads() {
    [[ -n ${headed:-} ]] && return
    headed=1
    printf '%-9s %9s %9s %9s %9s %9s %9s %9s %9s %6s %6s %10s %10s\n' \
        row asked calls/s median 'p50 ms' 'p90 ms' 'p99 ms' 'p99.9 ms' 'max ms' client node refused 'not begun'
}

# What else happens once a node serves, and before it ends.
on_serving() { :; }
on_loaded() { :; }

# measure NAME ARGUMENTS…: loads a fresh node. $report is the generator's.
measure() {
    local name=$1 code=0
    shift
    start_node
    on_serving
    report=$(on "${CLIENT_CORES:-}" "$PHALANX" load --endpoint "$endpoint" --accounts "$accounts" --prepared 1048576 --window "$window" \
        --server-pid "$node" -o json "$@") || code=$?
    on_loaded
    end_node
    if ((code != 0)); then
        echo "service.sh: $name: phalanx load ended with code $code:" \
            "$(jq -r '[.first_violation, (.balances, .readers, .queries | .difference?)] | map(select(.)) | join("; ")' <<<"$report")" >&2
        exit 1
    fi
    if [[ -n ${REPORTS:-} ]]; then
        mkdir -p "$REPORTS"
        printf '%s\n' "$report" >"$REPORTS/$name.json"
    fi
    rate=$(jq '.calls_per_second | round' <<<"$report")
}

# load ROW ARGUMENTS…: loads a fresh node, and prints a line of the table.
load() {
    local row=$1
    measure "$@"
    head_of_loads
    jq -r --arg row "$row" '
        def fixed(digits): (. * pow(10; digits) | round) / pow(10; digits);
        [$row, (.asked_calls_per_second // "-"), (.calls_per_second | round), (.window_calls_per_second // 0 | round),
         (.latency_ms | .p50, .p90, .p99, .["p99.9"], .max | fixed(2)),
         (.client_cpu_seconds / .elapsed_seconds | fixed(2)), (.server_cpu_seconds / .elapsed_seconds | fixed(2)),
         (.submissions.refused * .batch), (.submissions.missed * .batch)] | @tsv' <<<"$report" |
        awk -F '\t' '{ printf "%-9s %9s %9s %9s %9s %9s %9s %9s %9s %6s %6s %10s %10s\n", $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 }'
}

# conclude ROW RATIOS…: prints the last line of a row that is measured in turns.
conclude() {
    jq -rn --arg row "$1" '
        def fixed: (. * 1000 | round) / 1000;
        [$ARGS.positional[] | tonumber] | sort
        | (if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end) as $median
        | "\($row): median of the ratios \($median | fixed), \(.[0] | fixed) to \(.[-1] | fixed)"' --args "${@:2}"
}

# beside ROW SECONDS ARGUMENTS…: the closed loop of columns without and with those who read, in turns. ARGUMENTS say who reads.
beside() {
    local row=$1 seconds=$2 turn kind without with
    shift 2
    # How far behind who reads is at the end is measured; it is waited for long.
    local -a closed=(--form columns --streams 2 --batch 4096 --duration "$seconds" --timeout 600) kinds ratios=()
    [[ -n ${in_flight:-} ]] && closed+=(--in-flight "$in_flight")
    printf '\n%-9s %4s %9s %9s %6s   %s\n' row turn without with ratio 'who reads'
    for ((turn = 1; turn <= turns; turn++)); do
        # Neither is always the one that comes first.
        kinds=(without with)
        ((turn % 2)) || kinds=(with without)
        for kind in "${kinds[@]}"; do
            if [[ $kind == without ]]; then
                measure "$row-$turn-without" "${closed[@]}"
                without=$rate
            else
                measure "$row-$turn-with" "${closed[@]}" "$@"
                with=$rate
                read=$(jq -r '
                    def fixed(digits): (. * pow(10; digits) | round) / pow(10; digits);
                    [(.readers | select(.) | "\(.calls) calls read, cut off \(.cut_off) times, p99 of age \(.age_ms.p99 | fixed(1)) ms, max \(.age_ms.max | fixed(1)) ms, behind \(.behind_seconds | fixed(3)) s"),
                     (.queries | select(.) | "\(.per_second | round) queries/s, p99 \(.latency_ms.p99 | fixed(1)) ms, \(.missed) not begun, failed \(.failed | tojson)")]
                    | join("; ")' <<<"$report")
            fi
        done
        ratios+=("$(jq -n "$with / $without")")
        printf '%-9s %4s %9s %9s %6.3f   %s\n' "$row" "$turn" "$without" "$with" "${ratios[-1]}" "$read"
    done
    conclude "$row" "${ratios[@]}"
}

# attacked: a client in open loop without and with hostile ones beside it, in turns. What is compared are the p99s of its latency.
attacked() {
    local turn kind without with begun resident
    local -a calm=(--form columns --streams 2 --batch 256 --rate "${CALM_RATE:-100000}" --duration "$turn_seconds") ratios=() kinds
    on_serving() {
        [[ $kind == with ]] || return 0
        "$root/benches/hostile.py" "${endpoint#http://}" "${ATTACKS:-200}" >"$directory/attacks" &
        attacker=$!
    }
    on_loaded() {
        [[ -n $attacker ]] || return 0
        resident=$(awk '/VmHWM/ { printf "%d", $2 / 1024 }' "/proc/$node/status")
        kill "$attacker"
        wait "$attacker"
        attacker=
        begun=$(cat "$directory/attacks")
    }
    printf '\n%-9s %4s %11s %11s %6s   %s\n' hostile turn 'p99 without' 'p99 with' ratio 'attacks begun'
    for ((turn = 1; turn <= turns; turn++)); do
        kinds=(without with)
        ((turn % 2)) || kinds=(with without)
        for kind in "${kinds[@]}"; do
            measure "hostile-$turn-$kind" "${calm[@]}"
            printf -v "$kind" '%s' "$(jq '.latency_ms.p99' <<<"$report")"
        done
        ratios+=("$(jq -n "$with / $without")")
        printf '%-9s %4s %11.2f %11.2f %6.3f   %s, node at most %s MiB\n' hostile "$turn" "$without" "$with" "${ratios[-1]}" "$begun" "$resident"
    done
    on_serving() { :; }
    on_loaded() { :; }
    conclude hostile "${ratios[@]}"
}

# closed ROW ARGUMENTS…: a closed loop, whose rate counts for the highest one.
closed() {
    load "$@" --duration "$duration"
    ((rate > highest)) && highest=$rate
    return 0
}

# of_highest RATE FACTOR: the rate that is said, or that share of the highest one.
of_highest() {
    if [[ -n $1 ]]; then
        echo "$1"
    elif ((highest == 0)); then
        echo "service.sh: $row needs a closed loop before it, or OPEN_RATE" >&2
        exit 2
    else
        jq -n "$highest * $2 | round"
    fi
}

for row in "${rows[@]}"; do
    case $row in
        columns) closed columns --form columns --streams 2 --batch 4096 ;;
        calls) closed calls --form calls --streams 2 --batch 4096 ;;
        submit) closed submit --form submit --tasks 256 --connections 16 ;;
        open)
            # Smaller submissions, as who looks at latency sends: one of 4,096 waits for all of them.
            asked=$(of_highest "${OPEN_RATE:-}" 0.5)
            load open --form columns --streams 2 --batch 1024 --rate "$asked" --duration "$(jq -n "$window * $windows")"
            ;;
        overload)
            # What it is held against: the highest rate with submissions as short, one behind the other.
            closed short --form columns --batch 64 --tasks 512 --connections 100
            asked=${OVERLOAD_RATE:-$((2 * rate))}
            # More requests at a time than the node's queue of 64 MiB holds.
            load overload --form columns --batch 64 --tasks 12800 --connections 100 --rate "$asked" --duration "$duration"
            ;;
        subscribe) beside subscribe "$turn_seconds" --readers 1 ;;
        # A filter names 256 senders at most: of a hundred times as many, each reader has its own hundredth.
        readers) accounts=25600 beside readers "$turn_seconds" --readers 100 --reader-senders 256 ;;
        paused) beside paused "$((2 * pause))" --readers 1 --reader-pause "$pause" ;;
        # A query waits for what is queued before it: few submissions are, and still enough to keep the node busy.
        queries) in_flight=4 beside queries "$turn_seconds" --queries "${QUERIES:-10000}" ;;
        hostile) attacked ;;
    esac
done
