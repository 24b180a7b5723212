#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vpnctl::fuzzing::run("redactor", bytes));
