;; The token's `transfer`, `mint` and `balance_of` by hand: the same keys, values, results, events and typed errors as
;; contracts/token. It is what the SDK's guest cost is measured against, so it does whatever makes the guest cheap.
;;
;; Bytes are placed so that the host writes them where they are needed next, and nothing is copied:
;;
;;   0    1                    32  33                   65             81
;;   +----+--------------------+---+--------------------+--------------+
;;   | 01 |       caller           |         to         |    amount    |
;;   +----+--------------------+---+--------------------+--------------+
;;   |<-- key of the caller -->|   |<---- arguments of a transfer ---->|
;;        |<------------------ data of the event Transfer ------------>|
;;                           |<--- key of `to` -->|
;;
;; The key of `to` needs the slot's byte where the caller's last byte is: `transfer` lends the place to the slot for one `add`.
;; `mint` and `balance_of` leave the caller's place alone, where byte 32 starts out as the slot.
;;
;; A frozen account, which contracts/token makes, has 2^127 on top of its balance: 0x7fff… below is the high half of 2^127 - 1.
(module
  (import "phalanx" "input" (func $input (param i32 i32) (result i32)))
  (import "phalanx" "ret" (func $ret (param i32 i32)))
  (import "phalanx" "caller" (func $caller (param i32)))
  (import "phalanx" "deployer" (func $deployer (param i32)))
  (import "phalanx" "get" (func $get (param i32 i32 i32 i32) (result i32)))
  (import "phalanx" "add" (func $add (param i32 i32 i64 i64 i64 i64 i64 i64) (result i32)))
  (import "phalanx" "sub" (func $sub (param i32 i32 i64 i64 i64 i64 i64 i64) (result i32)))
  (import "phalanx" "emit" (func $emit (param i32 i32 i32 i32)))
  (import "phalanx" "abort" (func $abort (param i32 i32)))
  (memory (export "memory") 1 16)
  ;; Slot 1 (balances) at 0 and 32; 96 and 128 are for addresses that `mint` compares; 176 is the key of slot 0 (the supply)
  ;; and the code of InsufficientBalance; 192 is an absent balance.
  (data (i32.const 0) "\01")
  (data (i32.const 32) "\01")
  (data (i32.const 177) "\02\03\04") ;; SupplyOverflow, NotDeployer, Frozen
  (data (i32.const 256) "TransferMinta balance is above the supplya stored value is not of its type")

  (func (export "transfer") (result i32)
    (local $amount_lo i64) (local $amount_hi i64) (local $caller_last i32)
    (if (i32.ne (call $input (i32.const 33) (i32.const 48)) (i32.const 48)) (then (return (i32.const 2))))
    (call $caller (i32.const 1))
    (local.set $amount_lo (i64.load (i32.const 65)))
    (if (i64.lt_s (local.tee $amount_hi (i64.load (i32.const 73))) (i64.const 0)) (then (return (call $refused))))
    (if (i32.eqz
          (call $sub (i32.const 0) (i32.const 33)
            (local.get $amount_lo) (local.get $amount_hi)
            (i64.const 0) (i64.const 0)
            (i64.xor (local.get $amount_lo) (i64.const -1))
            (i64.xor (local.get $amount_hi) (i64.const 0x7fffffffffffffff))))
      (then (return (call $refused))))
    (local.set $caller_last (i32.load8_u (i32.const 32)))
    (i32.store8 (i32.const 32) (i32.const 1))
    (call $credit (local.get $amount_lo) (local.get $amount_hi))
    (i32.store8 (i32.const 32) (local.get $caller_last))
    (call $emit (i32.const 256) (i32.const 8) (i32.const 1) (i32.const 80))
    (i32.const 0))

  ;; Why a debit was refused: only from a frozen account can 2^127 be taken, which the error undoes.
  (func $refused (result i32)
    (call $ret
      (select
        (i32.const 179)
        (i32.const 176)
        (call $sub (i32.const 0) (i32.const 33)
          (i64.const 0) (i64.const 0x8000000000000000) (i64.const 0) (i64.const 0) (i64.const -1) (i64.const -1)))
      (i32.const 1))
    (i32.const 1))

  (func (export "mint") (result i32)
    (local $amount_lo i64) (local $amount_hi i64)
    (if (i32.ne (call $input (i32.const 33) (i32.const 48)) (i32.const 48)) (then (return (i32.const 2))))
    (call $caller (i32.const 96))
    (call $deployer (i32.const 128))
    (if (i64.ne
          (i64.const 0)
          (i64.or
            (i64.or
              (i64.xor (i64.load (i32.const 96)) (i64.load (i32.const 128)))
              (i64.xor (i64.load (i32.const 104)) (i64.load (i32.const 136))))
            (i64.or
              (i64.xor (i64.load (i32.const 112)) (i64.load (i32.const 144)))
              (i64.xor (i64.load (i32.const 120)) (i64.load (i32.const 152))))))
      (then
        (call $ret (i32.const 178) (i32.const 1))
        (return (i32.const 1))))
    (if (i32.eqz
          (call $add (i32.const 176) (i32.const 1)
            (local.tee $amount_lo (i64.load (i32.const 65))) (local.tee $amount_hi (i64.load (i32.const 73)))
            (i64.const 0) (i64.const 0) (i64.const -1) (i64.const 0x7fffffffffffffff)))
      (then
        (call $ret (i32.const 177) (i32.const 1))
        (return (i32.const 1))))
    (call $credit (local.get $amount_lo) (local.get $amount_hi))
    (call $emit (i32.const 264) (i32.const 4) (i32.const 33) (i32.const 48))
    (i32.const 0))

  (func (export "balance_of") (result i32)
    (local $len i32)
    (if (i32.ne (call $input (i32.const 33) (i32.const 32)) (i32.const 32)) (then (return (i32.const 2))))
    (local.set $len (call $get (i32.const 32) (i32.const 33) (i32.const 192) (i32.const 16)))
    (if (i32.ne (local.get $len) (i32.const 16))
      (then
        (if (i32.ge_s (local.get $len) (i32.const 0))
          (then
            (call $abort (i32.const 297) (i32.const 33))
            (unreachable)))))
    (i64.store (i32.const 200) (i64.and (i64.load (i32.const 200)) (i64.const 0x7fffffffffffffff)))
    (call $ret (i32.const 192) (i32.const 16))
    (i32.const 0))

  ;; Adds to the balance whose key stands at 32. No balance is above the supply, so a refusal is a mistake of the contract.
  (func $credit (param $amount_lo i64) (param $amount_hi i64)
    (if (i32.eqz
          (call $add (i32.const 32) (i32.const 33)
            (local.get $amount_lo) (local.get $amount_hi)
            (i64.const 0) (i64.const 0) (i64.const -1) (i64.const -1)))
      (then
        (call $abort (i32.const 268) (i32.const 29))
        (unreachable)))))
