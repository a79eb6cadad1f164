#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_release::bias::Registry;
use volary_release::optout::OptOuts;
use volary_release::policy::Policy;
use volary_release::settings::Settings;

fuzz_target!(|data: &[u8]| {
    // What is read has been checked: it can be written and is read again as the same.
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(settings) = Settings::parse(text)
    {
        assert!(!settings.licence_url().is_empty() && !settings.creators.is_empty());
        if let Some(noise) = &settings.noise {
            assert!(noise.check().is_ok());
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file.toml");
    std::fs::write(&path, data).expect("a file");
    if let Ok(policy) = Policy::read(&path) {
        assert!(!policy.version.trim().is_empty());
        assert!(policy.diff(&policy).is_empty() && policy.is_told_apart(&policy).is_ok());
    }
    if let Ok(registry) = Registry::read(&path) {
        assert!(registry.biases.iter().all(|bias| !bias.id.is_empty()));
    }
    if let Err(error) = OptOuts::read(&path) {
        // The list is personal data: what is wrong with it is said without quoting it.
        assert!(!error.to_string().is_empty());
    }
});
