#!/usr/bin/env bash
# Builds the modules of the token in other languages so that anyone gets the same bytes.
#
#   contracts/languages/build.sh           rebuilds wasm/*.wasm and wasm/MANIFEST.json
#   contracts/languages/build.sh --check   rebuilds into a temporary folder and compares byte for byte
#
# Exit codes: 0 built, or the same; 1 a build failed or a module differs; 2 the toolchain is missing or is another one.
#
# Pinned are Debian 12's clang and lld, and the AssemblyScript compiler of package-lock.json, which npm installs beside the
# sources. Neither compiler writes the ABI: token.abi is appended as the custom section that `phalanx contract abi` reads.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
modules=(token-c token-assemblyscript)
c_flags=(
    --target=wasm32 -std=c11 -O2 -Wall -Wextra -Werror -ffreestanding -fno-builtin -nostdlib
    -Wl,--no-entry,--strip-all,--stack-first,-z,stack-size=16384,--max-memory=1048576
)
asc_flags=(--runtime stub --use abort= -O3 --converge --initialMemory 1 --maximumMemory 16)

fail() {
    local code=$1
    shift
    printf 'build.sh: %s\n' "$*" >&2
    exit "$code"
}

need_toolchain() {
    command -v clang >/dev/null || fail 2 'clang is missing: apt-get install -y clang lld'
    command -v wasm-ld >/dev/null || fail 2 'wasm-ld is missing: apt-get install -y clang lld'
    command -v node >/dev/null || fail 2 'node is missing (20 or later)'
    [[ -x $here/assemblyscript/node_modules/.bin/asc ]] \
        || (cd "$here/assemblyscript" && npm ci --silent --no-audit --no-fund) \
        || fail 2 'the AssemblyScript compiler is missing: npm ci in contracts/languages/assemblyscript'
}

asc() {
    "$here/assemblyscript/node_modules/.bin/asc" "$@"
}

# The bytes of a number as Wasm has it, as escapes of printf.
leb() {
    local number=$1
    while ((number > 127)); do
        printf '\\x%02x' $((number & 127 | 128))
        number=$((number >> 7))
    done
    printf '\\x%02x' "$number"
}

# append_abi MODULE: adds the custom section `abi`.
append_abi() {
    local length
    length=$(stat -c %s "$here/token.abi")
    {
        printf "\\x00$(leb $((length + 4)))\\x03abi"
        cat "$here/token.abi"
    } >>"$1"
}

# build MODULE OUT
build() {
    case $1 in
        token-c) (cd "$here/c" && clang "${c_flags[@]}" -o "$2" token.c) ;;
        token-assemblyscript) (cd "$here/assemblyscript" && asc token.ts "${asc_flags[@]}" -o "$2") ;;
    esac || fail 1 "$1 does not build"
    append_abi "$2"
    chmod 644 "$2"
}

toolchain() {
    printf '%s; %s; AssemblyScript %s' "$(clang --version | head -n1)" "$(wasm-ld --version | head -n1)" \
        "$(asc --version | sed 's/^Version //')"
}

# The digest of a module's sources: of the lines that sha256sum prints for its files, in the order of their paths.
source_digest() {
    (
        cd "$here"
        find "${1#token-}" token.abi -type f -not -path '*/node_modules/*' \
            \( -name '*.c' -o -name '*.h' -o -name '*.ts' -o -name '*.json' -o -name '*.abi' \) \
            | sort | xargs sha256sum | sha256sum | cut -d' ' -f1
    )
}

# manifest FOLDER
manifest() {
    local module separator=''
    printf '{\n  "schema": "phalanx.contracts/1",\n'
    printf '  "toolchain": "%s",\n' "$(toolchain)"
    printf '  "flags": ["clang %s", "asc %s"],\n' "${c_flags[*]}" "${asc_flags[*]}"
    printf '  "modules": {\n'
    for module in "${modules[@]}"; do
        printf '%s    "%s.wasm": {\n' "$separator" "$module"
        printf '      "sha256": "%s",\n' "$(sha256sum "$1/$module.wasm" | cut -d' ' -f1)"
        printf '      "bytes": %s,\n' "$(stat -c %s "$1/$module.wasm")"
        printf '      "source_sha256": "%s"\n    }' "$(source_digest "$module")"
        separator=$',\n'
    done
    printf '\n  }\n}\n'
}

check() {
    local module differs=0
    grep -qF "\"toolchain\": \"$(toolchain)\"" "$here/wasm/MANIFEST.json" \
        || fail 2 "the modules were built by other compilers than $(toolchain): see contracts/languages/wasm/MANIFEST.json"
    temporary=$(mktemp -d)
    trap 'rm -rf "$temporary"' EXIT
    for module in "${modules[@]}"; do
        build "$module" "$temporary/$module.wasm"
        if cmp -s "$here/wasm/$module.wasm" "$temporary/$module.wasm"; then
            echo "$module.wasm: same"
        else
            differs=1
            echo "$module.wasm: differs"
        fi
    done
    if ! diff "$here/wasm/MANIFEST.json" <(manifest "$temporary") >&2; then
        differs=1
        echo 'MANIFEST.json: differs'
    fi
    return "$differs"
}

need_toolchain
case ${1:-} in
    '')
        mkdir -p "$here/wasm"
        for module in "${modules[@]}"; do
            build "$module" "$here/wasm/$module.wasm"
        done
        manifest "$here/wasm" >"$here/wasm/MANIFEST.json"
        ;;
    --check) check ;;
    *) fail 1 "usage: contracts/languages/build.sh [--check]" ;;
esac
