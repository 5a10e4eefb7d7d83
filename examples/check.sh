#!/usr/bin/env bash
# Clients that are not ours against a live node: Python, curl and, where there is npm, TypeScript make calls and see the receipts
# that the Rust client sees. And the rules of buf, for the style of the .proto files and against changes that break clients.
#
#     examples/check.sh target/debug/phalanx
set -euo pipefail
phalanx="$(realpath "${1:?name the phalanx command}")"
cd "$(dirname "$0")/.."

folder="$(mktemp -d)"
node=
cleanup() {
    if [ -n "$node" ]; then kill "$node" 2>/dev/null && wait "$node" || true; fi
    rm -rf "$folder"
}
trap cleanup EXIT

python3 -m venv "$folder/python"
"$folder/python/bin/pip" install --quiet --disable-pip-version-check -r examples/python/requirements.txt -r examples/python/requirements-check.txt
python="$folder/python/bin/python"

(cd proto && "$folder/python/bin/buf" lint && "$folder/python/bin/buf" breaking --against image.binpb)
echo "buf: no complaint"

"$phalanx" serve --data-dir "$folder/data" --listen 127.0.0.1:0 -o json >"$folder/started" &
node=$!
for _ in $(seq 600); do
    [ -s "$folder/started" ] && break
    kill -0 "$node"
    sleep 0.1
done
endpoint="$("$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["endpoint"].removeprefix("http://"))' "$folder/started")"

expect() { # text that must be printed, command
    local text="$1" printed
    shift
    printed="$("$@")"
    printf '%s\n' "$printed"
    grep -qF "$text" <<<"$printed" || { echo "this does not say: $text" >&2; exit 1; }
}
expect "transfers 4000" "$python" examples/python/transfers.py --endpoint "$endpoint" --calls 4000
expect "the same by grpcio, curl, command" "$python" examples/python/same_receipt.py --endpoint "$endpoint" --phalanx "$phalanx"
if command -v npm >/dev/null; then
    cp -r examples/typescript "$folder/typescript"
    rm -rf "$folder/typescript/node_modules" "$folder/typescript/built"
    (cd "$folder/typescript" && npm ci --silent --no-audit --no-fund --ignore-scripts && npm run --silent build)
    expect "transfers 4000" env PHALANX_ROOT="$PWD/" node "$folder/typescript/built/transfers.js" "$endpoint" 4000
else
    echo "no npm: the TypeScript example is not checked"
fi
kill "$node"
wait "$node"
node=
"$phalanx" log verify --data-dir "$folder/data"
