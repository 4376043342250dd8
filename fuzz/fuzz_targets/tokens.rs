//! libFuzzer over `roadstead_fuzz_targets::tokens`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| roadstead_fuzz_targets::tokens::check(data));
