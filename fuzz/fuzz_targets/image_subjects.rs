#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use volary_ingest::Progress;
use volary_ingest::images::{SubjectSource, subjects};

fuzz_target!(|data: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder");
    let project = folder.path().join("project");
    std::fs::create_dir(&project).expect("made");
    std::fs::write(folder.path().join("secret.png"), b"x").expect("written");
    for name in ["7.png", "a.jpg", "b.fits"] {
        std::fs::write(project.join(name), b"x").expect("written");
    }
    let mut file = Vec::new();
    match data.first().map_or(0, |b| b % 4) {
        0 => file.extend_from_slice(b"subject_id,image,class\n7,7.png,x\n8,../secret.png,y\n"),
        1 => file.extend_from_slice(b"subject_id,workflow_id,metadata,locations\n7,1,{},\"{\"\"0\"\":\"\"x\"\"}\"\n"),
        2 => file.extend_from_slice(b"file\na.jpg\n"),
        _ => {}
    }
    file.extend_from_slice(data);
    let path = project.join("manifest.csv");
    std::fs::write(&path, file).expect("written");
    for images in [None, Some(project.as_path())] {
        let source = SubjectSource { images, ..SubjectSource::new(&path) };
        let Ok(found) = subjects(&source, &Progress::default()) else { continue };
        let ids: BTreeSet<&str> = found.subjects.iter().map(|s| s.subject_id.as_str()).collect();
        assert_eq!(ids.len(), found.subjects.len());
        for subject in &found.subjects {
            assert_eq!(subject.metadata.len(), found.metadata_columns.len());
            let real = subject.path.canonicalize().expect("checked");
            assert!(real.starts_with(project.canonicalize().expect("there")), "{}", real.display());
        }
    }
});
