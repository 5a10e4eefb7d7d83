/* The host interface for contracts in C: every function of contracts/HOST.md under its own name with the prefix `phalanx_`,
 * and what a contract needs around them. Header only; needs clang with the target wasm32 and no C library.
 *
 * Pointers and lengths are as HOST.md says: a range outside memory ends the call. A u128 is two halves, low and high.
 */
#ifndef PHALANX_H
#define PHALANX_H

#include <stddef.h>
#include <stdint.h>

/* Defines a method of the contract: PHALANX_METHOD(transfer) { ...; return PHALANX_DONE; } */
#define PHALANX_METHOD(name) __attribute__((export_name(#name))) int32_t name(void)

/* What a method returns. */
enum {
    PHALANX_DONE = 0,          /* done */
    PHALANX_REVERTED = 1,      /* nothing is kept; the return bytes say why */
    PHALANX_BAD_ARGUMENTS = 2, /* the arguments do not decode */
};

/* The answer of phalanx_get for an absent key. */
#define PHALANX_ABSENT (-1)

/* Algorithms of phalanx_hash and phalanx_verify. */
enum { PHALANX_BLAKE3 = 0, PHALANX_SHA256 = 1, PHALANX_KECCAK256 = 2 };
enum { PHALANX_ED25519 = 0 };

/* Directions of phalanx_scan. */
enum { PHALANX_ASCENDING = 0, PHALANX_DESCENDING = 1 };

#define PHALANX_IMPORT(name) __attribute__((import_module("phalanx"), import_name(#name)))

PHALANX_IMPORT(input) int32_t phalanx_input(void *out, uint32_t cap);
PHALANX_IMPORT(ret) void phalanx_ret(const void *bytes, uint32_t len);
PHALANX_IMPORT(caller) void phalanx_caller(void *out);
PHALANX_IMPORT(self) void phalanx_self(void *out);
PHALANX_IMPORT(deployer) void phalanx_deployer(void *out);
PHALANX_IMPORT(height) int64_t phalanx_height(void);
PHALANX_IMPORT(batch_time) int64_t phalanx_batch_time(void);
PHALANX_IMPORT(call_index) int32_t phalanx_call_index(void);

PHALANX_IMPORT(get) int32_t phalanx_get(const void *key, uint32_t key_len, void *out, uint32_t cap);
PHALANX_IMPORT(set) void phalanx_set(const void *key, uint32_t key_len, const void *value, uint32_t value_len);
PHALANX_IMPORT(remove) void phalanx_remove(const void *key, uint32_t key_len);
PHALANX_IMPORT(set_once)
int32_t phalanx_set_once(const void *key, uint32_t key_len, const void *value, uint32_t value_len);
PHALANX_IMPORT(add)
int32_t phalanx_add(const void *key, uint32_t key_len, uint64_t magnitude_lo, uint64_t magnitude_hi, uint64_t low_lo,
                    uint64_t low_hi, uint64_t high_lo, uint64_t high_hi);
PHALANX_IMPORT(sub)
int32_t phalanx_sub(const void *key, uint32_t key_len, uint64_t magnitude_lo, uint64_t magnitude_hi, uint64_t low_lo,
                    uint64_t low_hi, uint64_t high_lo, uint64_t high_hi);
PHALANX_IMPORT(max) void phalanx_max(const void *key, uint32_t key_len, uint64_t value_lo, uint64_t value_hi);
PHALANX_IMPORT(scan)
int64_t phalanx_scan(const void *start, uint32_t start_len, const void *end, uint32_t end_len, int32_t direction,
                     int32_t limit, void *out, uint32_t cap);

PHALANX_IMPORT(emit) void phalanx_emit(const void *topic, uint32_t topic_len, const void *data, uint32_t data_len);
PHALANX_IMPORT(hash) void phalanx_hash(int32_t algorithm, const void *bytes, uint32_t len, void *out);
PHALANX_IMPORT(verify)
int32_t phalanx_verify(int32_t algorithm, const void *key, const void *message, uint32_t message_len,
                       const void *signature);
PHALANX_IMPORT(abort) void phalanx_abort(const void *text, uint32_t len);
PHALANX_IMPORT(call)
int64_t phalanx_call(const void *contract, const void *method, uint32_t method_len, const void *arguments,
                     uint32_t arguments_len, uint64_t gas, void *out, uint32_t cap);

/* The address of an account or the id of a contract. */
typedef struct {
    uint8_t bytes[32];
} phalanx_address;

/* A u128 as it is stored, passed in arguments and returned: little-endian. */
typedef struct {
    uint64_t lo, hi;
} __attribute__((packed)) phalanx_u128;

static inline int phalanx_same_address(const phalanx_address *left, const phalanx_address *right) {
    uint8_t different = 0;
    for (size_t i = 0; i < sizeof left->bytes; i++) {
        different |= left->bytes[i] ^ right->bytes[i];
    }
    return different == 0;
}

/* Adds to a number, and answers whether it still fits a u128: if not, nothing changes. */
static inline int phalanx_add_u128(const void *key, uint32_t key_len, phalanx_u128 amount) {
    return phalanx_add(key, key_len, amount.lo, amount.hi, 0, 0, UINT64_MAX, UINT64_MAX);
}

/* Subtracts from a number, and answers whether it was large enough: if not, nothing changes. */
static inline int phalanx_sub_u128(const void *key, uint32_t key_len, phalanx_u128 amount) {
    return phalanx_sub(key, key_len, amount.lo, amount.hi, 0, 0, UINT64_MAX, UINT64_MAX);
}

/* Ends the call with a text for whoever debugs the contract. It is a literal. */
#define PHALANX_ABORT(text) (phalanx_abort(text, sizeof(text) - 1), __builtin_unreachable())

/* Reads the arguments into `out`; returns from the method if they are of any other length. */
#define PHALANX_ARGUMENTS(out)                                                                                         \
    do {                                                                                                               \
        if (phalanx_input((out), sizeof *(out)) != (int32_t)sizeof *(out)) {                                            \
            return PHALANX_BAD_ARGUMENTS;                                                                              \
        }                                                                                                              \
    } while (0)

#endif
