//! libFuzzer over `roadstead_fuzz_targets::json_bodies`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| roadstead_fuzz_targets::json_bodies::check(data));
