// The token of contracts/token in AssemblyScript: the same methods, keys, values, events and errors.
//
// It works in static memory and never allocates: the host gives every call a fresh instance, so nothing needs cleaning.

import {
  ABSENT, ADDRESS_BYTES, BAD_ARGUMENTS, DONE, REVERTED, U128_BYTES,
  abort, addU128, caller, copyAddress, deployer, emit, get, input, ret, sameAddress, set, subU128,
} from "./phalanx";

const SLOT_BALANCES: u8 = 1;
const SLOT_ALLOWANCES: u8 = 2;

// Why a method did nothing: the variants of `Error` in token.abi, in their order.
const INSUFFICIENT_BALANCE: u8 = 0;
const INSUFFICIENT_ALLOWANCE: u8 = 1;
const SUPPLY_OVERFLOW: u8 = 2;
const NOT_DEPLOYER: u8 = 3;

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

const number = memory.data(16, 8);
const deployerAddress = memory.data(32, 8);
const error = memory.data(1);

// Texts of events and of mistakes, which are bytes of UTF-8.
const TRANSFER = memory.data<u8>([0x54, 0x72, 0x61, 0x6e, 0x73, 0x66, 0x65, 0x72]);
const MINT = memory.data<u8>([0x4d, 0x69, 0x6e, 0x74]);
const APPROVAL = memory.data<u8>([0x41, 0x70, 0x70, 0x72, 0x6f, 0x76, 0x61, 0x6c]);
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
  caller(first);
  deployer(deployerAddress);
  if (!sameAddress(first, deployerAddress)) return reverted(NOT_DEPLOYER);
  if (!addU128(SUPPLY_KEY, 1, amount)) return reverted(SUPPLY_OVERFLOW);
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

export function balance_of(): i32 {
  if (input(first, ADDRESS_BYTES) != ADDRESS_BYTES) return BAD_ARGUMENTS;
  setBalanceKey(first);
  return returnNumber(balanceKey, BALANCE_KEY_BYTES);
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
  if (!subU128(balanceKey, BALANCE_KEY_BYTES, amount)) return reverted(INSUFFICIENT_BALANCE);
  credit();
  emit(TRANSFER, 8, first, FIRST_BYTES);
  return DONE;
}

// No balance is above the supply, which is a u128: a refusal here is a mistake of this contract.
function credit(): void {
  setBalanceKey(second);
  if (!addU128(balanceKey, BALANCE_KEY_BYTES, amount)) abort(ABOVE_SUPPLY, 12);
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

// Returns the number at a key: 0 if there is none.
function returnNumber(key: usize, keyLen: u32): i32 {
  const len = get(key, keyLen, number, U128_BYTES);
  if (len != ABSENT && len != U128_BYTES) abort(WRONG_LENGTH, 12);
  ret(number, U128_BYTES);
  return DONE;
}

function reverted(code: u8): i32 {
  store<u8>(error, code);
  ret(error, 1);
  return REVERTED;
}
