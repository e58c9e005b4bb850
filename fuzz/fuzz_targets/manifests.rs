#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pullsafe_fuzz::run("manifests", bytes));
