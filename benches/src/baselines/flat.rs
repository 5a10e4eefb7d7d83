//! A flat table of balances: open addressing, one cache line a slot, and the line is asked for before it is needed.

use super::native::Balances;
use crate::workload::Token;
use core::hash::{BuildHasher, Hasher};
use phalanx_engine::Address;

/// One cache line.
#[repr(align(64))]
#[derive(Clone, Default)]
struct Slot {
    account: Address,
    balance: u128,
    used: bool,
}

/// As many slots as the power of two at or above twice the accounts. It does not grow: the accounts are known.
pub(super) struct Table {
    slots: Vec<Slot>,
    hasher: foldhash::fast::RandomState,
}

impl Table {
    pub(super) fn new(token: &Token) -> Self {
        let accounts = token.accounts();
        let slots = (2 * accounts.count() as usize).next_power_of_two();
        let mut table = Self { slots: vec![Slot::default(); slots], hasher: Default::default() };
        for index in 0..accounts.count() {
            let account = accounts.address(index);
            let at = table.find(&account);
            table.slots[at] = Slot { account, balance: Token::funds(), used: true };
        }
        table
    }

    #[inline]
    fn home(&self, account: &Address) -> usize {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(account);
        hasher.finish() as usize & (self.slots.len() - 1)
    }

    /// The account's slot, or the free one where it would be. Half of the slots stay free, so that the search ends.
    #[inline]
    fn find(&self, account: &Address) -> usize {
        let mut at = self.home(account);
        while self.slots[at].used && self.slots[at].account != *account {
            at = (at + 1) & (self.slots.len() - 1);
        }
        at
    }
}

impl Balances for Table {
    #[inline]
    fn debit(&mut self, account: &Address, amount: u128) -> bool {
        let at = self.find(account);
        let Some(left) = self.slots[at].balance.checked_sub(amount) else { return false };
        self.slots[at].balance = left;
        true
    }

    #[inline]
    fn credit(&mut self, account: &Address, amount: u128) {
        let at = self.find(account);
        self.slots[at].balance += amount;
    }

    #[inline]
    fn expect(&self, account: &Address) {
        prefetch(&self.slots[self.home(account)]);
    }

    fn sum(&self) -> u128 {
        self.slots.iter().map(|slot| slot.balance).sum()
    }
}

#[inline]
fn prefetch(slot: &Slot) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing that the program can see and faults on no address; this one comes from a reference.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(core::ptr::from_ref(slot).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = slot;
}
