/* The token of contracts/token in C: the same methods, keys, values, events and errors. */

#include "phalanx.h"

enum { SLOT_SUPPLY = 0, SLOT_BALANCES = 1, SLOT_ALLOWANCES = 2 };

/* Why a method did nothing: the variants of `Error` in token.abi, in their order. */
enum error { INSUFFICIENT_BALANCE, INSUFFICIENT_ALLOWANCE, SUPPLY_OVERFLOW, NOT_DEPLOYER, FROZEN, NOT_FROZEN };

/* What is on top of a frozen balance, 2^127. The supply, and so each balance, stays below it. */
static const phalanx_u128 frozen = {0, UINT64_C(1) << 63};

struct balance_key {
    uint8_t slot;
    phalanx_address owner;
} __attribute__((packed));

struct allowance_key {
    uint8_t slot;
    phalanx_address owner, spender;
} __attribute__((packed));

struct transfer_event {
    phalanx_address from, to;
    phalanx_u128 amount;
} __attribute__((packed));

struct mint_event {
    phalanx_address to;
    phalanx_u128 amount;
} __attribute__((packed));

struct approval_event {
    phalanx_address owner, spender;
    phalanx_u128 amount;
} __attribute__((packed));

struct freeze_event {
    phalanx_address account;
    uint8_t frozen;
} __attribute__((packed));

static const uint8_t supply_key[] = {SLOT_SUPPLY};

static int32_t reverted(enum error error) {
    uint8_t code = error;
    phalanx_ret(&code, sizeof code);
    return PHALANX_REVERTED;
}

static int caller_is_deployer(void) {
    phalanx_address caller, deployer;
    phalanx_caller(&caller);
    phalanx_deployer(&deployer);
    return phalanx_same_address(&caller, &deployer);
}

/* No balance is above the supply, and with `frozen` on top it is a u128: a refusal is a mistake of this contract. */
static void credit(const phalanx_address *to, phalanx_u128 amount) {
    struct balance_key key = {SLOT_BALANCES, *to};
    if (!phalanx_add_u128(&key, sizeof key, amount)) {
        PHALANX_ABORT("a balance is above the supply");
    }
}

/* Takes an amount from an account that has it and is not frozen: what stays is below 2^127 - amount just if what was
 * there is below 2^127. */
static int debit(const struct balance_key *key, phalanx_u128 amount) {
    return amount.hi < frozen.hi
        && phalanx_sub(key, sizeof *key, amount.lo, amount.hi, 0, 0, UINT64_MAX - amount.lo, frozen.hi - 1 - amount.hi);
}

static int32_t shift(const struct transfer_event *transfer) {
    struct balance_key key = {SLOT_BALANCES, transfer->from};
    if (!debit(&key, transfer->amount)) {
        /* Only from a frozen account can `frozen` be taken; the error undoes it. */
        return reverted(phalanx_sub_u128(&key, sizeof key, frozen) ? FROZEN : INSUFFICIENT_BALANCE);
    }
    credit(&transfer->to, transfer->amount);
    phalanx_emit("Transfer", 8, transfer, sizeof *transfer);
    return PHALANX_DONE;
}

/* The number at a key: 0 if there is none. */
static phalanx_u128 number_at(const void *key, uint32_t key_len) {
    phalanx_u128 number = {0, 0};
    int32_t len = phalanx_get(key, key_len, &number, sizeof number);
    if (len != PHALANX_ABSENT && len != (int32_t)sizeof number) {
        PHALANX_ABORT("a stored value is not of its type");
    }
    return number;
}

static int32_t return_number(phalanx_u128 number) {
    phalanx_ret(&number, sizeof number);
    return PHALANX_DONE;
}

PHALANX_METHOD(transfer) {
    struct mint_event arguments;
    PHALANX_ARGUMENTS(&arguments);
    struct transfer_event transfer = {.to = arguments.to, .amount = arguments.amount};
    phalanx_caller(&transfer.from);
    return shift(&transfer);
}

PHALANX_METHOD(mint) {
    struct mint_event mint;
    PHALANX_ARGUMENTS(&mint);
    if (!caller_is_deployer()) {
        return reverted(NOT_DEPLOYER);
    }
    if (!phalanx_add(supply_key, sizeof supply_key, mint.amount.lo, mint.amount.hi, 0, 0, UINT64_MAX, frozen.hi - 1)) {
        return reverted(SUPPLY_OVERFLOW);
    }
    credit(&mint.to, mint.amount);
    phalanx_emit("Mint", 4, &mint, sizeof mint);
    return PHALANX_DONE;
}

PHALANX_METHOD(approve) {
    struct mint_event arguments;
    PHALANX_ARGUMENTS(&arguments);
    struct approval_event approval = {.spender = arguments.to, .amount = arguments.amount};
    phalanx_caller(&approval.owner);
    struct allowance_key key = {SLOT_ALLOWANCES, approval.owner, approval.spender};
    phalanx_set(&key, sizeof key, &approval.amount, sizeof approval.amount);
    phalanx_emit("Approval", 8, &approval, sizeof approval);
    return PHALANX_DONE;
}

PHALANX_METHOD(transfer_from) {
    struct transfer_event transfer;
    PHALANX_ARGUMENTS(&transfer);
    struct allowance_key key = {.slot = SLOT_ALLOWANCES, .owner = transfer.from};
    phalanx_caller(&key.spender);
    if (!phalanx_sub_u128(&key, sizeof key, transfer.amount)) {
        return reverted(INSUFFICIENT_ALLOWANCE);
    }
    return shift(&transfer);
}

PHALANX_METHOD(freeze) {
    struct balance_key key = {.slot = SLOT_BALANCES};
    PHALANX_ARGUMENTS(&key.owner);
    if (!caller_is_deployer()) {
        return reverted(NOT_DEPLOYER);
    }
    /* Refused to a frozen account: twice 2^127 is no u128. */
    if (!phalanx_add_u128(&key, sizeof key, frozen)) {
        return reverted(FROZEN);
    }
    struct freeze_event freeze = {.account = key.owner, .frozen = 1};
    phalanx_emit("Freeze", 6, &freeze, sizeof freeze);
    return PHALANX_DONE;
}

PHALANX_METHOD(unfreeze) {
    struct balance_key key = {.slot = SLOT_BALANCES};
    PHALANX_ARGUMENTS(&key.owner);
    if (!caller_is_deployer()) {
        return reverted(NOT_DEPLOYER);
    }
    if (!phalanx_sub_u128(&key, sizeof key, frozen)) {
        return reverted(NOT_FROZEN);
    }
    struct freeze_event freeze = {.account = key.owner, .frozen = 0};
    phalanx_emit("Freeze", 6, &freeze, sizeof freeze);
    return PHALANX_DONE;
}

PHALANX_METHOD(balance_of) {
    struct balance_key key = {.slot = SLOT_BALANCES};
    PHALANX_ARGUMENTS(&key.owner);
    phalanx_u128 balance = number_at(&key, sizeof key);
    balance.hi &= frozen.hi - 1;
    return return_number(balance);
}

PHALANX_METHOD(is_frozen) {
    struct balance_key key = {.slot = SLOT_BALANCES};
    PHALANX_ARGUMENTS(&key.owner);
    uint8_t is_frozen = number_at(&key, sizeof key).hi >= frozen.hi;
    phalanx_ret(&is_frozen, sizeof is_frozen);
    return PHALANX_DONE;
}

PHALANX_METHOD(allowance) {
    struct {
        phalanx_address owner, spender;
    } arguments;
    PHALANX_ARGUMENTS(&arguments);
    struct allowance_key key = {SLOT_ALLOWANCES, arguments.owner, arguments.spender};
    return return_number(number_at(&key, sizeof key));
}

PHALANX_METHOD(total_supply) {
    if (phalanx_input(NULL, 0) != 0) {
        return PHALANX_BAD_ARGUMENTS;
    }
    return return_number(number_at(supply_key, sizeof supply_key));
}
