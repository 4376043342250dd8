//! libFuzzer over `roadstead_fuzz_targets::proxies`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| roadstead_fuzz_targets::proxies::check(data));
