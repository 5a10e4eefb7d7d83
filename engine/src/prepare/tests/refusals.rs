//! Every reason to refuse a module, each with a module that is refused for it and for nothing else.

use std::fmt::Write;

use super::*;

/// A method, so that this is not what is missing.
const METHOD: &str = r#"(func (export "m") (result i32) (i32.const 0))"#;

/// The names of the reasons why a module is refused.
fn names(module: &[u8]) -> Vec<&'static str> {
    match prepare(module) {
        Ok(_) => Vec::new(),
        Err(refused) => refused.reasons.iter().map(Reason::name).collect(),
    }
}

/// A module of a memory, a method and these fields.
fn contract_with(fields: &str) -> Vec<u8> {
    contract(&format!("{METHOD} {fields}"))
}

/// Names for a module of a memory, a method and these fields.
fn with(fields: &str) -> Vec<&'static str> {
    names(&contract_with(fields))
}

/// Names for a function of this body, beside a method.
fn body(text: &str) -> Vec<&'static str> {
    with(&format!("(func {text})"))
}

/// Locals that are set once, so many blocks deep.
fn joins(locals: usize, depth: usize) -> String {
    let mut sets = String::new();
    for local in 0..locals {
        let _ = write!(sets, "(local.set {local} (i64.const 0))");
    }
    format!("(local {}) {} {sets} {}", "i64 ".repeat(locals), "block ".repeat(depth), "end ".repeat(depth))
}

#[test]
fn features_are_refused_by_name() {
    let cases: [(&str, &str); 35] = [
        ("(func (result f32) (f32.const 0))", "Floats"),
        ("(func (param f64))", "Floats"),
        ("(func (local f64))", "Floats"),
        ("(global f32 (f32.const 0))", "Floats"),
        ("(func (drop (f64.load (i32.const 0))))", "Floats"),
        ("(func (drop (i32.trunc_sat_f32_s (f32.const 0))))", "Floats"),
        ("(func (drop (v128.const i64x2 0 0)))", "Simd"),
        ("(func (local v128))", "Simd"),
        ("(func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))", "Simd RelaxedSimd"),
        ("(func (drop (i32.atomic.load (i32.const 0))))", "Threads"),
        ("(func atomic.fence)", "Threads"),
        ("(func (param externref))", "ReferenceTypes"),
        ("(func (drop (ref.null func)))", "ReferenceTypes"),
        ("(func (drop (select (result i32) (i32.const 0) (i32.const 1) (i32.const 2))))", "ReferenceTypes"),
        ("(table 1 externref)", "ReferenceTypes"),
        ("(table 1 funcref) (table 1 funcref)", "ReferenceTypes"),
        ("(table 1 funcref) (func (drop (table.size 0)))", "ReferenceTypes"),
        ("(table 1 funcref) (func (drop (table.get 0 (i32.const 0))))", "ReferenceTypes"),
        ("(table 1 funcref) (func (table.set 0 (i32.const 0) (ref.null func)))", "ReferenceTypes TableMutation"),
        ("(table 1 funcref) (func (table.copy (i32.const 0) (i32.const 0) (i32.const 0)))", "TableMutation"),
        ("(type $t (func)) (func (param (ref null $t)))", "FunctionReferences"),
        ("(type (struct))", "Gc"),
        ("(rec (type (func)) (type (func)))", "Gc"),
        ("(func (drop (ref.i31 (i32.const 0))))", "Gc"),
        ("(tag)", "Exceptions"),
        ("(tag $e) (func (throw $e))", "Exceptions"),
        ("(func $f (return_call $f))", "TailCall"),
        ("(func (param i64) (drop (drop (i64.mul_wide_u (local.get 0) (local.get 0)))))", "WideArithmetic"),
        ("(global i32 (i32.add (i32.const 1) (i32.const 2)))", "ExtendedConst"),
        ("(global $g i32 (i32.const 0)) (global i32 (global.get $g))", "ExtendedConst"),
        ("(memory 1)", "MultiMemory"),
        ("(data \"passive\")", "PassiveSegments"),
        ("(data \"passive\") (func (data.drop 0))", "PassiveSegments"),
        ("(table 1 funcref) (elem func 0)", "PassiveSegments"),
        ("(data $d \"\") (func (memory.init $d (i32.const 0) (i32.const 0) (i32.const 0)))", "PassiveSegments"),
    ];
    for (fields, expected) in cases {
        assert_eq!(with(fields).join(" "), expected, "{fields}");
    }
    for (memory, expected) in [
        ("(memory (export \"memory\") i64 1)", "Memory64"),
        ("(memory (export \"memory\") 1 2 shared)", "Threads"),
        ("(memory (export \"memory\") 1 (pagesize 1))", "CustomPageSizes"),
    ] {
        assert_eq!(names(&wat(&format!("(module {memory} {METHOD})"))), [expected], "{memory}");
    }
}

#[test]
fn imports_outside_the_host_interface_are_refused_by_name() {
    let module = |import: &str| names(&wat(&format!("(module {import} (memory (export \"memory\") 1) {METHOD})")));
    assert_eq!(module(r#"(import "phalanx" "height" (func (result i64)))"#), [""; 0]);
    assert_eq!(module(r#"(import "phalanx" "height" (func (result i32)))"#), ["ImportType"]);
    assert_eq!(module(r#"(import "phalanx" "random" (func (result i64)))"#), ["UnknownImport"]);
    assert_eq!(module(r#"(import "env" "height" (func (result i64)))"#), ["UnknownImport"]);
    assert_eq!(module(r#"(import "phalanx" "t" (table 1 funcref))"#), ["ImportKind"]);
    assert_eq!(module(r#"(import "phalanx" "g" (global i32))"#), ["ImportKind"]);
    let memory = wat(&format!(r#"(module (import "phalanx" "m" (memory 1)) {METHOD})"#));
    assert_eq!(names(&memory), ["ImportKind", "MissingMemory"]);
}

#[test]
fn exports_are_refused_by_name() {
    assert_eq!(names(&wat(&format!("(module {METHOD})"))), ["MissingMemory"]);
    assert_eq!(names(&wat(&format!("(module (memory 1) {METHOD})"))), ["MissingMemory"]);
    assert_eq!(names(&contract("")), ["NoMethod"]);
    assert_eq!(with(r#"(func (export "other") (param i32))"#), ["MethodType"]);
    assert_eq!(with(r#"(func (export "other") (result i64) (i64.const 0))"#), ["MethodType"]);
    assert_eq!(with(r#"(global (export "g") (mut i32) (i32.const 0))"#), ["MutableGlobalExport"]);
    assert_eq!(with(r#"(global (export "__heap_base") i32 (i32.const 0))"#), [""; 0]);
    let name = "n".repeat(limits::METHOD_BYTES_MAX);
    assert_eq!(with(&format!(r#"(func (export "{name}") (result i32) (i32.const 0))"#)), [""; 0]);
    assert_eq!(with(&format!(r#"(func (export "{name}n") (result i32) (i32.const 0))"#)), ["MethodNameBytes"]);
    assert_eq!(names(&two_exports_of_one_name()), ["DuplicateExport"]);
}

/// Text cannot say this.
fn two_exports_of_one_name() -> Vec<u8> {
    use wasm_encoder as we;
    let mut types = we::TypeSection::new();
    types.ty().function([], [we::ValType::I32]);
    let mut functions = we::FunctionSection::new();
    functions.function(0);
    let mut memories = we::MemorySection::new();
    let one_page = we::MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None };
    memories.memory(one_page);
    let mut exports = we::ExportSection::new();
    exports.export("memory", we::ExportKind::Memory, 0);
    exports.export("m", we::ExportKind::Func, 0).export("m", we::ExportKind::Func, 0);
    let mut body = we::Function::new([]);
    body.instructions().i32_const(0).end();
    let mut code = we::CodeSection::new();
    code.function(&body);
    let mut module = we::Module::new();
    module.section(&types).section(&functions).section(&memories).section(&exports).section(&code);
    module.finish()
}

#[test]
fn start_function_and_segments_out_of_bounds_are_refused() {
    assert_eq!(with("(func $s) (start $s)"), ["StartFunction"]);
    assert_eq!(with(r#"(data (i32.const 65535) "ab")"#), ["SegmentOutOfBounds"]);
    assert_eq!(with(r#"(data (i32.const -1) "a")"#), ["SegmentOutOfBounds"]);
    assert_eq!(with(r#"(data (i32.const 65534) "ab")"#), [""; 0]);
    assert_eq!(with("(table 2 funcref) (elem (i32.const 1) 0 0)"), ["SegmentOutOfBounds"]);
}

#[test]
fn limits_are_refused_by_name_with_limit_and_value() {
    let repeat = |text: &str, count: usize| text.repeat(count);
    let loops = 200;
    let nested = |count: usize| format!("{}{}", "loop ".repeat(count), "end ".repeat(count));
    let i64s = |count: usize| "i64 ".repeat(count);
    let params = limits::PARAMETERS_MAX + 1;
    let cases = [
        (with(&repeat("(type (func))", 10_001)), "Types"),
        (body(&format!("(param {})", i64s(params))), "Parameters"),
        (body(&format!("(result {}) unreachable", i64s(params))), "Results"),
        (with(&repeat("(func)", 10_000)), "Functions"),
        (with("(table 10001 funcref)"), "TableElements"),
        (with(&repeat("(global i32 (i32.const 0))", 257)), "Globals"),
        (with(&repeat(r#"(data (i32.const 0) "")"#, 10_001)), "Segments"),
        (body(&repeat("nop ", limits::BODY_BYTES_MAX)), "BodyBytes"),
        (body(&format!("(local {})", i64s(4_097))), "Locals"),
        (body(&format!("(local {}) {}", i64s(1_000), repeat("loop end ", loops))), "LoopsTimesLocals"),
        (
            with(&repeat(&format!("(func (local {}) {})", i64s(128), repeat("loop end ", 128)), 17)),
            "ModuleLoopsTimesLocals",
        ),
        (with(&format!("(func $f) {}", repeat(&format!("(func {})", repeat("call $f ", 8_193)), 4))), "ModuleCalls"),
        (body(&repeat("block end ", 4_097)), "ControlOperators"),
        (body(&nested(129)), "Nesting"),
        (body(&format!("(param i32) block local.get 0 br_table {} 0 end", repeat("0 ", 8_193))), "BranchTargets"),
        (body(&format!("{} unreachable", repeat("i32.const 0 ", 1_025))), "Operands"),
        (
            with(&format!(
                "(func $f (result {0}) unreachable) (func unreachable {1})",
                i64s(32),
                repeat("call $f ", 2_049)
            )),
            "CallResults",
        ),
        (
            with(&format!(
                "(type $t (func (result {0}))) (func unreachable {1})",
                i64s(32),
                repeat("(block (type $t) unreachable) ", 257)
            )),
            "BlockValues",
        ),
        (body(&joins(257, 128)), "JoinValues"),
        (with(&repeat(&format!("(func {})", joins(256, 128)), 9)), "ModuleJoinValues"),
    ];
    for (found, expected) in cases {
        assert_eq!(found, [expected]);
    }
    let two_gib = wat(&format!(r#"(module (memory (export "memory") 32768) {METHOD})"#));
    let refused = prepare(&two_gib).expect_err("2 GiB");
    assert_eq!(refused.to_string(), "MemoryPages: 32768, the limit is 256 (at offset 0x16)");
    let mut methods = String::new();
    for method in 0..=limits::METHODS_MAX {
        let _ = write!(methods, r#"(export "{method}" (func 0))"#);
    }
    assert_eq!(names(&contract(&format!("(func (result i32) (i32.const 0)) {methods}"))), ["Methods"]);
    let mut large = contract_with("");
    large.resize(limits::MODULE_BYTES_MAX + 1, 0);
    assert_eq!(names(&large), ["ModuleBytes"]);
    let data = "x".repeat(limits::DATA_BYTES_MAX / 2);
    let module = wat(&format!(
        r#"(module (memory (export "memory") 16) {METHOD} (data (i32.const 0) "{data}") (data (i32.const 0) "{data}"))"#
    ));
    assert_eq!(names(&module), ["ModuleBytes"], "data of the limit's size makes the module too large first");
    // Loops become many times as many bytes with their charges and checks.
    let loops = repeat("loop call 1 end ", 500) + &repeat("loop i32.const 0 br_if 0 end ", 1_750);
    let many = repeat(&format!("(func {loops})"), 60);
    assert_eq!(with(&many), ["InstrumentedBytes"]);
}

#[test]
fn compile_bomb_of_200_nested_loops_and_1000_locals() {
    let bomb = body(&format!("(local {}) {}{}", "i64 ".repeat(1_000), "loop ".repeat(200), "end ".repeat(200)));
    assert_eq!(bomb, ["LoopsTimesLocals", "Nesting"]);
}

#[test]
fn every_independent_reason_is_given_at_once() {
    let module = wat(r#"(module
        (import "env" "now" (func (result i64)))
        (import "phalanx" "height" (func (result i32)))
        (memory 300)
        (global (export "g") (mut f64) (f64.const 0))
        (func $s (drop (f32.add (f32.const 1) (f32.const 2))))
        (func (export "go") (param i32) (local v128))
        (start $s)
        (data "passive"))"#);
    let expected = [
        "UnknownImport",
        "ImportType",
        "MemoryPages",
        "Floats",
        "MutableGlobalExport",
        "MethodType",
        "StartFunction",
        "PassiveSegments",
        "MissingMemory",
        "NoMethod",
        "Simd",
    ];
    assert_eq!(names(&module), expected);
    let text = prepare(&module).expect_err("refused").to_string();
    assert!(text.contains("Floats: type f64 (at offset 0x"), "{text}");
    assert!(text.contains(", and at 4 more)"), "{text}");
    assert!(text.contains("`phalanx.height` is () -> i64, imported as () -> i32"), "{text}");
    assert!(text.contains("exported function `go` is (i32) -> nothing, a method is () -> i32"), "{text}");
}

#[test]
fn bytes_that_are_no_module_have_one_reason() {
    let module = contract_with(r#"(func (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))"#);
    for length in 0..module.len() {
        let found = names(&module[..length]);
        // Cut between sections, the rest may be a module that lacks what comes later.
        assert!(found == ["Invalid"] || found.contains(&"NoMethod"), "cut to {length} bytes: {found:?}");
    }
    assert_eq!(names(b"\0asm\x0d\0\x01\0"), ["Invalid"], "a component");
    assert_eq!(names(&[0x7f; 100]), ["Invalid"]);
    // A type error is found also where a feature is refused.
    let mut wrong = contract_with("(func (result i32) (drop (f32.const 0)) (i32.const 77))");
    let place = wrong.windows(3).position(|window| window == [0x41, 0xcd, 0x00]).expect("i32.const 77");
    wrong[place] = 0x42;
    assert_eq!(names(&wrong), ["Invalid"]);
}

#[test]
fn what_compilers_write_is_accepted() {
    let mut module = wat(r#"(module
        (type $m (func (result i32)))
        (import "phalanx" "set" (func (param i32 i32 i32 i32)))
        (import "phalanx" "height" (func (result i64)))
        (table 3 3 funcref)
        (memory (export "memory") 17)
        (global $sp (mut i32) (i32.const 1048576))
        (global (export "__data_end") i32 (i32.const 1048600))
        (export "b" (func $b)) (export "a" (func $a))
        (elem (i32.const 1) func $a $b)
        (func $a (type $m) (call_indirect (type $m) (i32.const 2)))
        (func $b (type $m) (i32.extend8_s (i32.const 255)))
        (data (i32.const 1048576) "data")
        (@custom "producers" "rustc")
        (@custom "abi" "one") (@custom "abi" "two")
        (@custom "phalanx.ordered" "\00\05"))"#);
    // `call_indirect` as LLVM writes it: the table's index in five bytes.
    let place = module.windows(3).position(|window| window == [0x11, 0, 0]).expect("call_indirect");
    assert_eq!(module[place - 4], 7, "the length of the first body");
    module.splice(place + 2..place + 3, [0x80, 0x80, 0x80, 0x80, 0]);
    module[place - 4] += 4;
    let code = place - 6;
    assert_eq!(module[code - 1], 10, "the code section");
    module[code] += 4;
    let prepared = prepare(&module).unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(prepared.methods, ["a", "b"]);
    assert_eq!((prepared.memory_pages_min, prepared.memory_pages_max), (17, limits::MEMORY_PAGES_MAX));
    assert_eq!(prepared.abi.as_deref(), Some(&b"onetwo"[..]));
    assert!(prepared.ordered.contains(5) && !prepared.ordered.contains(0));
    let imports: Vec<&str> = prepared.imports.iter().map(|function| function.name).collect();
    assert_eq!(imports, ["height", "set"], "in the order of the schedule");
    wasmparser::Validator::new().validate_all(&prepared.wasm).expect("instrumented code is valid");
    assert_eq!(
        prepare(&contract(&format!(r#"{METHOD} (@custom "phalanx.ordered" "\02\05")"#))).unwrap_err().reasons,
        [Reason::OrderedSection { pair: 0 }]
    );
}

#[test]
fn methods_that_may_be_entered_again_are_listed_by_name() {
    let section = |bytes: &str| contract_with(&format!(r#"(@custom "phalanx.reentrant" "{bytes}")"#));
    let reentrant = |bytes: &str| prepare(&section(bytes)).unwrap_or_else(|refused| panic!("{refused}")).reentrant;
    assert_eq!((reentrant(""), reentrant("\\01m")), (vec![false], vec![true]));
    assert_eq!(names(&section("\\02m")), ["ReentrantSection"], "a name that is cut off");
    for no_method in ["\\01x", "\\00", "\\01M", "\\01\\ff"] {
        assert_eq!(names(&section(no_method)), ["ReentrantMethod"], "{no_method}");
    }
}
