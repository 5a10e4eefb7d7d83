//! The imports as they are, for contracts that test a host: pointers are not checked by anyone but the host.

#[link(wasm_import_module = "phalanx")]
unsafe extern "C" {
    /// See `HOST.md`, as for every function here.
    pub fn input(out: *mut u8, cap: usize) -> usize;
    /// Sets the return bytes.
    pub fn ret(ptr: *const u8, len: usize);
    /// Writes the sender's address.
    pub fn caller(out: *mut u8);
    /// Writes the contract's id.
    #[link_name = "self"]
    pub fn contract_id(out: *mut u8);
    /// Writes the deployer's address.
    pub fn deployer(out: *mut u8);
    /// The batch's height.
    pub fn height() -> u64;
    /// The batch's time.
    pub fn batch_time() -> u64;
    /// Reads a value.
    pub fn get(key: *const u8, key_len: usize, out: *mut u8, cap: usize) -> i32;
    /// Writes a value.
    pub fn set(key: *const u8, key_len: usize, value: *const u8, value_len: usize);
    /// Removes a value.
    pub fn remove(key: *const u8, key_len: usize);
    /// Adds within bounds.
    pub fn add(
        key: *const u8,
        key_len: usize,
        magnitude_lo: u64,
        magnitude_hi: u64,
        low_lo: u64,
        low_hi: u64,
        high_lo: u64,
        high_hi: u64,
    ) -> i32;
    /// Subtracts within bounds.
    pub fn sub(
        key: *const u8,
        key_len: usize,
        magnitude_lo: u64,
        magnitude_hi: u64,
        low_lo: u64,
        low_hi: u64,
        high_lo: u64,
        high_hi: u64,
    ) -> i32;
    /// Reads a range of an ordered slot.
    pub fn scan(
        start: *const u8,
        start_len: usize,
        end: *const u8,
        end_len: usize,
        direction: i32,
        limit: usize,
        out: *mut u8,
        cap: usize,
    ) -> u64;
    /// Appends an event.
    pub fn emit(topic: *const u8, topic_len: usize, data: *const u8, data_len: usize);
    /// Hashes.
    pub fn hash(algorithm: i32, ptr: *const u8, len: usize, out: *mut u8);
    /// Raises a value.
    pub fn max(key: *const u8, key_len: usize, value_lo: u64, value_hi: u64);
    /// Writes a value where there is none.
    pub fn set_once(key: *const u8, key_len: usize, value: *const u8, value_len: usize) -> i32;
    /// The call's index in its batch.
    pub fn call_index() -> u32;
    /// Whether a signature is a key's.
    pub fn verify(algorithm: i32, key: *const u8, message: *const u8, message_len: usize, signature: *const u8) -> i32;
    /// Calls another contract.
    pub fn call(
        contract: *const u8,
        method: *const u8,
        method_len: usize,
        arguments: *const u8,
        arguments_len: usize,
        gas: u64,
        out: *mut u8,
        cap: usize,
    ) -> u64;
    /// Ends the call.
    pub fn abort(ptr: *const u8, len: usize) -> !;
}
