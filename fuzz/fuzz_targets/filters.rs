//! libFuzzer over `roadstead_fuzz_targets::filters`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| roadstead_fuzz_targets::filters::check(data));
