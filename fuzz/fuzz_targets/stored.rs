#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    latchkey_testkit::fuzz::body("stored").expect("a body of this name")(data);
});
