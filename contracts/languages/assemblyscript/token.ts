// The token of contracts/token in AssemblyScript: the same methods, keys, values, events and errors.
//
// It works in static memory and never allocates: the host gives every call a fresh instance, so nothing needs cleaning.

import {
  ABSENT, ADDRESS_BYTES, BAD_ARGUMENTS, DONE, REVERTED, U128_BYTES,
  abort, add, addU128, caller, copyAddress, deployer, emit, get, input, ret, sameAddress, set, sub, subU128,
} from "./phalanx";

const SLOT_BALANCES: u8 = 1;
const SLOT_ALLOWANCES: u8 = 2;

// Why a method did nothing: the variants of `Error` in token.abi, in their order.
const INSUFFICIENT_BALANCE: u8 = 0;
const INSUFFICIENT_ALLOWANCE: u8 = 1;
const SUPPLY_OVERFLOW: u8 = 2;
const NOT_DEPLOYER: u8 = 3;
const FROZEN: u8 = 4;
const NOT_FROZEN: u8 = 5;

// What is on top of a frozen balance, 2^127: its high half, its bytes. The supply, and so each balance, stays below it.
const FROZEN_HIGH: u64 = 1 << 63;
const frozen = memory.data<u64>([0, FROZEN_HIGH]);

// Keys: a slot, then addresses. The supply's key is slot 0 alone.
const BALANCE_KEY_BYTES: u32 = 1 + ADDRESS_BYTES;
const ALLOWANCE_KEY_BYTES: u32 = 1 + 2 * ADDRESS_BYTES;
const SUPPLY_KEY = memory.data<u8>([0]);
const balanceKey = memory.data(<i32>BALANCE_KEY_BYTES);
const allowanceKey = memory.data(<i32>ALLOWANCE_KEY_BYTES);

// An event, which is its arguments too: (from or owner, to or spender, amount). `Mint` leaves the first out.
const FIRST_BYTES: u32 = 2 * ADDRESS_BYTES + U128_BYTES;
const SECOND_BYTES: u32 = ADDRESS_BYTES + U128_BYTES;
const first = memory.data(80, 8);
const second: usize = first + ADDRESS_BYTES;
const amount: usize = second + ADDRESS_BYTES;

// The event of a freeze: the account and whether it is frozen.
const FREEZE_BYTES: u32 = ADDRESS_BYTES + 1;

const number = memory.data(16, 8);
const deployerAddress = memory.data(32, 8);
const byte = memory.data(1);

// Texts of events and of mistakes, which are bytes of UTF-8.
const TRANSFER = memory.data<u8>([0x54, 0x72, 0x61, 0x6e, 0x73, 0x66, 0x65, 0x72]);
const MINT = memory.data<u8>([0x4d, 0x69, 0x6e, 0x74]);
const APPROVAL = memory.data<u8>([0x41, 0x70, 0x70, 0x72, 0x6f, 0x76, 0x61, 0x6c]);
const FREEZE = memory.data<u8>([0x46, 0x72, 0x65, 0x65, 0x7a, 0x65]);
// "above supply"
const ABOVE_SUPPLY = memory.data<u8>([0x61, 0x62, 0x6f, 0x76, 0x65, 0x20, 0x73, 0x75, 0x70, 0x70, 0x6c, 0x79]);
// "wrong length"
const WRONG_LENGTH = memory.data<u8>([0x77, 0x72, 0x6f, 0x6e, 0x67, 0x20, 0x6c, 0x65, 0x6e, 0x67, 0x74, 0x68]);

export function transfer(): i32 {
  if (input(second, SECOND_BYTES) != SECOND_BYTES) return BAD_ARGUMENTS;
  caller(first);
  return shift();
}

export function mint(): i32 {
  if (input(second, SECOND_BYTES) != SECOND_BYTES) return BAD_ARGUMENTS;
  if (!callerIsDeployer()) return reverted(NOT_DEPLOYER);
  const low = load<u64>(amount), high = load<u64>(amount, 8);
  if (!add(SUPPLY_KEY, 1, low, high, 0, 0, u64.MAX_VALUE, FROZEN_HIGH - 1)) return reverted(SUPPLY_OVERFLOW);
  credit();
  emit(MINT, 4, second, SECOND_BYTES);
  return DONE;
}

export function approve(): i32 {
  if (input(second, SECOND_BYTES) != SECOND_BYTES) return BAD_ARGUMENTS;
  caller(first);
  setAllowanceKey(first, second);
  set(allowanceKey, ALLOWANCE_KEY_BYTES, amount, U128_BYTES);
  emit(APPROVAL, 8, first, FIRST_BYTES);
  return DONE;
}

export function transfer_from(): i32 {
  if (input(first, FIRST_BYTES) != FIRST_BYTES) return BAD_ARGUMENTS;
  // The spender is written into the key's last part.
  setAllowanceKey(first, first);
  caller(allowanceKey + 1 + ADDRESS_BYTES);
  if (!subU128(allowanceKey, ALLOWANCE_KEY_BYTES, amount)) return reverted(INSUFFICIENT_ALLOWANCE);
  return shift();
}

export function freeze(): i32 {
  if (input(second, ADDRESS_BYTES) != ADDRESS_BYTES) return BAD_ARGUMENTS;
  if (!callerIsDeployer()) return reverted(NOT_DEPLOYER);
  setBalanceKey(second);
  // Refused to a frozen account: twice 2^127 is no u128.
  if (!addU128(balanceKey, BALANCE_KEY_BYTES, frozen)) return reverted(FROZEN);
  emitFreeze(1);
  return DONE;
}

export function unfreeze(): i32 {
  if (input(second, ADDRESS_BYTES) != ADDRESS_BYTES) return BAD_ARGUMENTS;
  if (!callerIsDeployer()) return reverted(NOT_DEPLOYER);
  setBalanceKey(second);
  if (!subU128(balanceKey, BALANCE_KEY_BYTES, frozen)) return reverted(NOT_FROZEN);
  emitFreeze(0);
  return DONE;
}

export function balance_of(): i32 {
  if (input(first, ADDRESS_BYTES) != ADDRESS_BYTES) return BAD_ARGUMENTS;
  setBalanceKey(first);
  readNumber(balanceKey, BALANCE_KEY_BYTES);
  store<u64>(number, load<u64>(number, 8) & (FROZEN_HIGH - 1), 8);
  ret(number, U128_BYTES);
  return DONE;
}

export function is_frozen(): i32 {
  if (input(first, ADDRESS_BYTES) != ADDRESS_BYTES) return BAD_ARGUMENTS;
  setBalanceKey(first);
  readNumber(balanceKey, BALANCE_KEY_BYTES);
  store<u8>(byte, load<u64>(number, 8) >= FROZEN_HIGH ? 1 : 0);
  ret(byte, 1);
  return DONE;
}

export function allowance(): i32 {
  if (input(first, 2 * ADDRESS_BYTES) != 2 * ADDRESS_BYTES) return BAD_ARGUMENTS;
  setAllowanceKey(first, second);
  return returnNumber(allowanceKey, ALLOWANCE_KEY_BYTES);
}

export function total_supply(): i32 {
  if (input(0, 0) != 0) return BAD_ARGUMENTS;
  return returnNumber(SUPPLY_KEY, 1);
}

// Moves `amount` from `first` to `second`.
function shift(): i32 {
  setBalanceKey(first);
  if (!debit()) {
    // Only from a frozen account can 2^127 be taken; the error undoes it.
    return reverted(subU128(balanceKey, BALANCE_KEY_BYTES, frozen) ? FROZEN : INSUFFICIENT_BALANCE);
  }
  credit();
  emit(TRANSFER, 8, first, FIRST_BYTES);
  return DONE;
}

// Takes `amount` from an account that has it and is not frozen: what stays is below 2^127 - amount just if what was
// there is below 2^127.
function debit(): bool {
  const low = load<u64>(amount), high = load<u64>(amount, 8);
  return high < FROZEN_HIGH
    && sub(balanceKey, BALANCE_KEY_BYTES, low, high, 0, 0, u64.MAX_VALUE - low, FROZEN_HIGH - 1 - high) != 0;
}

// No balance is above the supply, and with 2^127 on top it is a u128: a refusal is a mistake of this contract.
function credit(): void {
  setBalanceKey(second);
  if (!addU128(balanceKey, BALANCE_KEY_BYTES, amount)) abort(ABOVE_SUPPLY, 12);
}

// Whether the caller is the deployer; the caller is `first` then.
function callerIsDeployer(): bool {
  caller(first);
  deployer(deployerAddress);
  return sameAddress(first, deployerAddress);
}

// Tells that `second` was frozen, or unfrozen. The event's last byte is where an amount begins, which has none here.
function emitFreeze(isFrozen: u8): void {
  store<u8>(amount, isFrozen);
  emit(FREEZE, 6, second, FREEZE_BYTES);
}

function setBalanceKey(owner: usize): void {
  store<u8>(balanceKey, SLOT_BALANCES);
  copyAddress(balanceKey + 1, owner);
}

function setAllowanceKey(owner: usize, spender: usize): void {
  store<u8>(allowanceKey, SLOT_ALLOWANCES);
  copyAddress(allowanceKey + 1, owner);
  copyAddress(allowanceKey + 1 + ADDRESS_BYTES, spender);
}

// Reads the number at a key into `number`: 0 if there is none.
function readNumber(key: usize, keyLen: u32): void {
  const len = get(key, keyLen, number, U128_BYTES);
  if (len != ABSENT && len != U128_BYTES) abort(WRONG_LENGTH, 12);
}

function returnNumber(key: usize, keyLen: u32): i32 {
  readNumber(key, keyLen);
  ret(number, U128_BYTES);
  return DONE;
}

function reverted(code: u8): i32 {
  store<u8>(byte, code);
  ret(byte, 1);
  return REVERTED;
}
