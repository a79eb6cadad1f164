#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::Deserialize as _;

fuzz_target!(|data: &[u8]| {
    // What the server lets in, one document or several, the plain parser must be able to read.
    if volary_web::strict_json::check(data).is_ok() {
        let mut documents = serde_json::Deserializer::from_slice(data);
        while documents.end().is_err() {
            serde_json::Value::deserialize(&mut documents).expect("checked");
        }
    }
});
