#!/usr/bin/env bash
# Builds the contracts' modules so that anyone gets the same bytes.
#
#   contracts/build.sh           rebuilds contracts/wasm/*.wasm and contracts/wasm/MANIFEST.json
#   contracts/build.sh --check   rebuilds into a temporary folder and compares byte for byte
#
# Exit codes: 0 built, or the same; 1 a build failed or a module differs; 2 the toolchain is missing or is another one.
#
# Pinned are a packaged compiler and linker, not a container: Debian 12's rustc-web, with the standard library compiled from
# its own source package. Two things would let the place of a build into the bytes: panic locations, hence the three
# remapped path prefixes, and Cargo building the library for Rust callers beside the module, which turns link-time
# optimisation off, hence --crate-type.
set -euo pipefail
export LC_ALL=C

contracts=(
    token vault hostile exerciser conflicts
    evidence exchange smallbank kv collectible licence identity land trade-finance auction trace casework advisory
    asset-backed donothing cpuheavy ioheavy heap
)
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
rustc=/usr/bin/rustc
rust_source=/usr/lib/rustlib/src/rust
cargo_home=${CARGO_HOME:-$HOME/.cargo}
profile='profile contract: inherits release, opt-level 3, lto fat, codegen-units 1, panic abort, strip symbols'

fail() {
    local code=$1
    shift
    printf 'build.sh: %s\n' "$*" >&2
    exit "$code"
}

need_toolchain() {
    local install='apt-get install -y rustc-web rust-web-src lld'
    [[ -x $rustc ]] || fail 2 "$rustc is missing: $install"
    [[ -d $rust_source/library/core ]] || fail 2 "the standard library's source is missing: $install"
    command -v wasm-ld >/dev/null || fail 2 "wasm-ld is missing: $install"
    command -v cargo >/dev/null || fail 2 'cargo is missing: see rust-toolchain.toml and https://rustup.rs'
}

toolchain() {
    "$rustc" -vV | tr '\n' ';' | sed 's/;$//; s/;/; /g'
}

# build CONTRACT TARGET_DIR OUT
build() {
    local separator=$'\x1f' flags std=core,panic_abort
    grep -q '"alloc"' "$root/contracts/$1/Cargo.toml" && std=core,alloc,panic_abort
    flags="--remap-path-prefix=$root=phalanx"
    flags+="$separator--remap-path-prefix=$cargo_home=cargo"
    flags+="$separator--remap-path-prefix=$rust_source=rust"
    (
        cd "$root"
        unset RUSTFLAGS RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER
        env RUSTC="$rustc" RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$2" CARGO_ENCODED_RUSTFLAGS="$flags" \
            CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld \
            cargo rustc --quiet --locked --profile contract --target wasm32-unknown-unknown \
            -Zbuild-std="$std" -p "phalanx-$1" --lib --crate-type cdylib
    ) || fail 1 "phalanx-$1 does not build"
    install -m 644 "$2/wasm32-unknown-unknown/contract/phalanx_${1//-/_}.wasm" "$3"
}

# Contracts whose handles a contract uses: its dependencies with the feature "library".
libraries() {
    sed -n 's/^phalanx-\([a-z-]*\) = .*"library".*/\1/p' "$root/contracts/$1/Cargo.toml"
}

# The digest of a contract's sources: of the lines that sha256sum prints for its files, the SDK's, those of contracts that it calls
# and the build script that all share, in the order of their paths.
source_digest() {
    (
        cd "$root/contracts"
        # shellcheck disable=SC2046 # Names of folders.
        find "$1" $(libraries "$1") sdk macros token/build.rs -type f \( -path '*/src/*' -o -name build.rs -o -name Cargo.toml \) | sort -u \
            | xargs sha256sum | sha256sum | cut -d' ' -f1
    )
}

# The crates that went into a module, sorted: "name version", without the machine's paths.
dependencies() {
    (
        cd "$root"
        cargo tree --locked --target wasm32-unknown-unknown -e normal,build -p "phalanx-$1" --prefix none --format '{p}'
    ) | sed 's/ (.*//; s/ v/ /' | sort -u
}

json_list() {
    local separator='' line
    printf '['
    while IFS= read -r line; do
        printf '%s"%s"' "$separator" "$line"
        separator=', '
    done
    printf ']'
}

# manifest FOLDER
manifest() {
    local contract separator='' path
    printf '{\n  "schema": "phalanx.contracts/1",\n'
    printf '  "toolchain": "%s",\n' "$(toolchain)"
    printf '  "linker": "%s",\n' "$(wasm-ld --version | head -n1)"
    printf '  "packages": %s,\n' "$(dpkg-query -W -f '${Package} ${Version}\n' rustc-web rust-web-src lld | sort | json_list)"
    printf '  "flags": ["%s", "build-std core,panic_abort, and alloc for contracts with the feature", "--stack-first", "-zstack-size=16384", "--max-memory=1048576", ' "$profile"
    printf '"--remap-path-prefix of the sources, CARGO_HOME and the standard library"],\n'
    printf '  "modules": {\n'
    for contract in "${contracts[@]}"; do
        path=$1/$contract.wasm
        printf '%s    "%s.wasm": {\n' "$separator" "$contract"
        printf '      "sha256": "%s",\n' "$(sha256sum "$path" | cut -d' ' -f1)"
        printf '      "bytes": %s,\n' "$(stat -c %s "$path")"
        printf '      "source_sha256": "%s",\n' "$(source_digest "$contract")"
        printf '      "dependencies": %s\n    }' "$(dependencies "$contract" | json_list)"
        separator=$',\n'
    done
    printf '\n  }\n}\n'
}

# One line a section of a module: id, length, digest.
sections() {
    local -a bytes
    local at=8 id size shift byte
    mapfile -t bytes < <(od -An -v -tu1 -w1 "$1" | tr -d ' ')
    while ((at < ${#bytes[@]})); do
        id=${bytes[at]} size=0 shift=0
        while true; do
            at=$((at + 1)) byte=${bytes[at]}
            size=$((size | (byte & 127) << shift)) shift=$((shift + 7))
            ((byte & 128)) || break
        done
        at=$((at + 1))
        printf 'section %s, %s bytes, %s\n' "$id" "$size" "$(printf '%s ' "${bytes[@]:at:size}" | sha256sum | cut -c1-16)"
        at=$((at + size))
    done
}

check() {
    local contract committed rebuilt differs=0
    grep -qF "\"toolchain\": \"$(toolchain)\"" "$root/contracts/wasm/MANIFEST.json" \
        || fail 2 "the modules were built by another compiler than $("$rustc" --version): see contracts/wasm/MANIFEST.json"
    temporary=$(mktemp -d)
    trap 'rm -rf "$temporary"' EXIT
    for contract in "${contracts[@]}"; do
        committed=$root/contracts/wasm/$contract.wasm rebuilt=$temporary/$contract.wasm
        build "$contract" "$temporary/target" "$rebuilt"
        if cmp -s "$committed" "$rebuilt"; then
            echo "$contract.wasm: same"
        else
            differs=1
            echo "$contract.wasm: differs, first in (committed <, rebuilt >):"
            diff <(sections "$committed") <(sections "$rebuilt") | sed -n '2,4p' || true
        fi
    done
    if ! diff "$root/contracts/wasm/MANIFEST.json" <(manifest "$root/contracts/wasm") >&2; then
        differs=1
        echo 'MANIFEST.json: differs'
    fi
    return "$differs"
}

need_toolchain
case ${1:-} in
    '')
        target=${CARGO_TARGET_DIR:-$root/target}/contracts
        mkdir -p "$root/contracts/wasm"
        for contract in "${contracts[@]}"; do
            build "$contract" "$target" "$root/contracts/wasm/$contract.wasm"
        done
        manifest "$root/contracts/wasm" >"$root/contracts/wasm/MANIFEST.json"
        ;;
    --check) check ;;
    *) fail 1 "usage: contracts/build.sh [--check]" ;;
esac
