#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    latchkey_testkit::fuzz::body("proxy").expect("a body of this name")(data);
});
