//! Model folders: what is written is read back, and what is not whole is refused in one clear sentence.

use std::path::Path;

use serde_json::Value;
use volary_vision::confusion::Model;
use volary_vision::{Device, is_model};

use crate::simulated::{tiny, to_the_end, world};

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    to_the_end(&world(12, 5, false, 6), &tiny(1), folder.path());
    folder
}

fn refused(folder: &Path) -> String {
    Model::open(folder, Device::Cpu).unwrap_err().to_string()
}

fn change_config(folder: &Path, change: &dyn Fn(&mut Value)) {
    let path = folder.join("config.json");
    let mut config: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut config);
    std::fs::write(&path, config.to_string()).unwrap();
}

#[test]
fn a_model_comes_back_as_it_was_saved() {
    let folder = folder();
    let model = Model::open(folder.path(), Device::Cpu).unwrap();
    assert!(is_model(folder.path()));
    assert_eq!(model.config().classes, ["disc", "stripes"]);
    assert_eq!((model.config().n_train, model.config().n_held_out), (9, 3));
    let again = tempfile::tempdir().unwrap();
    model.save(again.path()).unwrap();
    for name in ["config.json", "weights.safetensors"] {
        let [a, b] = [&folder, &again].map(|f| std::fs::read(f.path().join(name)).unwrap());
        assert_eq!(a, b, "{name}");
    }
}

#[test]
fn a_model_of_another_version_is_refused() {
    let folder = folder();
    change_config(folder.path(), &|c| c["format_version"] = 99.into());
    let error = refused(folder.path());
    assert!(
        error.ends_with(
            "its format is 99 and this volary reads 1; train again, or use the volary that trained it"
        ),
        "{error}"
    );
    // Also where a later version has fields that this one cannot read.
    change_config(folder.path(), &|c| c["shape"] = "other".into());
    assert!(refused(folder.path()).contains("its format is 99"));
}

#[test]
fn a_model_of_another_kind_or_none_is_refused() {
    let folder = folder();
    change_config(folder.path(), &|c| c["kind"] = "anomaly".into());
    assert!(refused(folder.path()).contains("of kind \"anomaly\" and no confusion model"));
    std::fs::write(folder.path().join("config.json"), "{").unwrap();
    assert!(refused(folder.path()).contains("cannot be read"));
    std::fs::remove_file(folder.path().join("config.json")).unwrap();
    assert!(refused(folder.path()).contains("no configuration of a finished model"));
    assert!(!is_model(folder.path()));
}

#[test]
fn weights_that_are_missing_or_of_another_shape_are_named() {
    let folder = folder();
    change_config(folder.path(), &|c| c["shape"]["filters"] = 12.into());
    let error = refused(folder.path());
    assert!(
        error.contains(
            "the weights encoder.blocks.0.weight have the shape [2, 1, 4, 4] and not [3, 1, 4, 4]"
        ),
        "{error}"
    );
    change_config(folder.path(), &|c| {
        c["shape"]["filters"] = 8.into();
        c["shape"]["hidden"] = vec![8, 8, 4].into();
    });
    let error = refused(folder.path());
    assert!(
        error.contains("the weights encoder.bottleneck.1.weight have the shape [4, 8, 1, 1]"),
        "{error}"
    );
    change_config(folder.path(), &|c| c["shape"]["hidden"] = vec![8, 4, 4].into());
    let error = refused(folder.path());
    assert!(
        error.contains(
            "the weights encoder.bottleneck.2.weight are missing; take the model folder whole"
        ),
        "{error}"
    );
    change_config(folder.path(), &|c| c["classes"] = vec!["disc"].into());
    assert!(refused(folder.path()).contains("it names 1 classes and its network has 2"));
    change_config(folder.path(), &|c| c["shape"]["height"] = 33.into());
    assert!(refused(folder.path()).contains("a multiple of 16 pixels"));
}

#[test]
fn weights_that_are_cut_off_are_refused() {
    let folder = folder();
    let path = folder.path().join("weights.safetensors");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(refused(folder.path()).contains("not a file of weights"));
    std::fs::remove_file(&path).unwrap();
    assert!(refused(folder.path()).starts_with("reading failed"));
}
