//! The README's first code block is `examples/embed.rs`, which runs.

#[path = "../../examples/embed.rs"]
mod embed;

#[test]
fn the_first_code_block_of_the_readme_runs() {
    embed::main().expect("the example works");
    let readme = include_str!("../../../README.md");
    let (_, after) = readme.split_once("```rust\n").expect("the README has a code block");
    let (block, _) = after.split_once("```").expect("the code block ends");
    assert_eq!(block, include_str!("../../examples/embed.rs"), "the README shows another example");
}
