// The host interface for contracts in AssemblyScript: every function of contracts/HOST.md under its own name, and what a
// contract needs around them. Pointers are usize, lengths u32; a range outside memory ends the call. A u128 is two halves,
// low and high.

// What a method returns.
export const DONE: i32 = 0; // done
export const REVERTED: i32 = 1; // nothing is kept; the return bytes say why
export const BAD_ARGUMENTS: i32 = 2; // the arguments do not decode

// The answer of `get` for an absent key.
export const ABSENT: i32 = -1;

// Algorithms of `hash` and `verify`, directions of `scan`.
export const BLAKE3: i32 = 0;
export const SHA256: i32 = 1;
export const KECCAK256: i32 = 2;
export const ED25519: i32 = 0;
export const ASCENDING: i32 = 0;
export const DESCENDING: i32 = 1;

// Bytes of an address, and of a u128 as it is stored, passed in arguments and returned.
export const ADDRESS_BYTES: u32 = 32;
export const U128_BYTES: u32 = 16;

@external("phalanx", "input") export declare function input(out: usize, cap: u32): i32;
@external("phalanx", "ret") export declare function ret(bytes: usize, len: u32): void;
@external("phalanx", "caller") export declare function caller(out: usize): void;
@external("phalanx", "self") export declare function self(out: usize): void;
@external("phalanx", "deployer") export declare function deployer(out: usize): void;
@external("phalanx", "height") export declare function height(): i64;
@external("phalanx", "batch_time") export declare function batch_time(): i64;
@external("phalanx", "call_index") export declare function call_index(): i32;

@external("phalanx", "get") export declare function get(key: usize, keyLen: u32, out: usize, cap: u32): i32;
@external("phalanx", "set") export declare function set(key: usize, keyLen: u32, value: usize, valueLen: u32): void;
@external("phalanx", "remove") export declare function remove(key: usize, keyLen: u32): void;
@external("phalanx", "set_once")
export declare function set_once(key: usize, keyLen: u32, value: usize, valueLen: u32): i32;
@external("phalanx", "add")
export declare function add(
  key: usize, keyLen: u32, magnitudeLo: u64, magnitudeHi: u64, lowLo: u64, lowHi: u64, highLo: u64, highHi: u64,
): i32;
@external("phalanx", "sub")
export declare function sub(
  key: usize, keyLen: u32, magnitudeLo: u64, magnitudeHi: u64, lowLo: u64, lowHi: u64, highLo: u64, highHi: u64,
): i32;
@external("phalanx", "max") export declare function max(key: usize, keyLen: u32, valueLo: u64, valueHi: u64): void;
@external("phalanx", "scan")
export declare function scan(
  start: usize, startLen: u32, end: usize, endLen: u32, direction: i32, limit: i32, out: usize, cap: u32,
): i64;

@external("phalanx", "emit")
export declare function emit(topic: usize, topicLen: u32, data: usize, dataLen: u32): void;
@external("phalanx", "hash") export declare function hash(algorithm: i32, bytes: usize, len: u32, out: usize): void;
@external("phalanx", "verify")
export declare function verify(algorithm: i32, key: usize, message: usize, messageLen: u32, signature: usize): i32;
@external("phalanx", "abort") export declare function abort(text: usize, len: u32): void;
@external("phalanx", "call")
export declare function call(
  contract: usize, method: usize, methodLen: u32, args: usize, argsLen: u32, gas: u64, out: usize, cap: u32,
): i64;

// Adds the u128 at `amount` to a number, and answers whether it still fits: if not, nothing changes.
export function addU128(key: usize, keyLen: u32, amount: usize): bool {
  return add(key, keyLen, load<u64>(amount), load<u64>(amount, 8), 0, 0, u64.MAX_VALUE, u64.MAX_VALUE) != 0;
}

// Subtracts the u128 at `amount` from a number, and answers whether it was large enough: if not, nothing changes.
export function subU128(key: usize, keyLen: u32, amount: usize): bool {
  return sub(key, keyLen, load<u64>(amount), load<u64>(amount, 8), 0, 0, u64.MAX_VALUE, u64.MAX_VALUE) != 0;
}

// Whether the addresses at two places are the same.
export function sameAddress(left: usize, right: usize): bool {
  let different: u64 = 0;
  for (let at: usize = 0; at < ADDRESS_BYTES; at += 8) {
    different |= load<u64>(left + at) ^ load<u64>(right + at);
  }
  return different == 0;
}

// Copies an address.
export function copyAddress(to: usize, from: usize): void {
  for (let at: usize = 0; at < ADDRESS_BYTES; at += 8) {
    store<u64>(to + at, load<u64>(from + at));
  }
}
