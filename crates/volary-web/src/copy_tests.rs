use std::collections::BTreeMap;

use volary_ingest::images::png_bytes;
use volary_space::slice::Columns;

use super::*;

fn project(folder: &std::path::Path) -> Project {
    let mut columns = Columns::default();
    let n = 40;
    let number = |f: fn(usize) -> f64| Column::Number((0..n).map(f).collect());
    assert!(columns.insert("x", number(|v| v as f64)));
    assert!(columns.insert("y", number(|v| (v % 7) as f64 + 0.1)));
    assert!(columns.insert("score", number(|v| if v == 3 { f64::NAN } else { (v % 5) as f64 / 5.0 })));
    assert!(
        columns.insert("kind", Column::text((0..n).map(|v| Some(if v % 2 == 0 { "a" } else { "b" }))))
    );
    let texts: Vec<String> = (0..n).map(|v| format!("a long remark {v}")).collect();
    assert!(columns.insert("remark", Column::text(texts.iter().map(|t| Some(t.as_str())))));
    assert!(columns.insert("User_Name", Column::text((0..n).map(|_| Some("Ada Unnamed")))));
    let ids = (0..n).map(|v| format!("s{v}")).collect();
    let vectors = (0..n * 2).map(|v| (v % 11) as f32).collect();
    let table = Table::new("subjects", ids, columns, Some((vectors, 2))).unwrap();
    let mut project = Project { title: "A & B".into(), tables: vec![table], ..Project::default() };
    for (name, bytes) in [("s1", png_bytes(8, 8, &[200; 192]).unwrap()), ("s2", b"no picture".to_vec())]
    {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        project.images.insert(name.to_owned(), path);
    }
    let curve = crate::project::Curve {
        time_days: vec![0.0, 1.0],
        flux: vec![1.0, f64::NAN],
        marks: vec![[0.25, 0.75]],
        features: Vec::new(),
    };
    project.curves.insert("s/5".to_owned(), curve);
    let panels = folder.join("panels.png");
    std::fs::write(&panels, png_bytes(24, 8, &[90; 576]).unwrap()).unwrap();
    let classes = vec![("ring".to_owned(), 1.5), ("disk".to_owned(), f64::NAN)];
    let attention = crate::project::Attention { panels, classes, overlaps: Vec::new() };
    project.attention.insert("s1".to_owned(), attention);
    let slices = crate::project::Slices::open(&folder.join("slices.json")).unwrap();
    for (name, filter) in [
        ("high & odd", "score > 0.7"),
        ("by a name", "User_Name = 'Ada Unnamed'"),
        ("tagged", "tags is not missing"),
    ] {
        let slice = crate::project::slices::SavedSlice {
            name: name.into(),
            table: "subjects".into(),
            filter: filter.into(),
            by: "token-of-somebody".into(),
            at: "2027-01-15T08:00:00Z".into(),
        };
        slices.save(slice).unwrap();
    }
    project.slices = Some(slices);
    project.tags.insert("s1".to_owned(), vec!["Ada Unnamed liked it".to_owned()]);
    project
}

fn made(project: &Project, params: &CopyParams) -> (BTreeMap<String, Vec<u8>>, Copied) {
    let mut files = BTreeMap::new();
    let done = write_copy(project, params, &mut |name, bytes| {
        assert!(files.insert(name.to_owned(), bytes.to_vec()).is_none(), "{name} twice");
        Ok(())
    });
    (files, done.unwrap())
}

#[test]
fn a_copy_holds_what_the_page_needs_and_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    let (files, done) = made(&project, &CopyParams::default());
    assert_eq!(done.n_files as usize, files.len());
    assert_eq!(done.n_bytes as usize, files.values().map(Vec::len).sum::<usize>());
    assert_eq!((done.n_images, done.n_broken), (1, 1));
    assert_eq!(done.left_out, ["subjects: User_Name", "subjects: remark"]);
    let slices: Value = serde_json::from_slice(&files["data/slices.json"]).unwrap();
    let [slice] = slices["slices"].as_array().unwrap().as_slice() else { panic!("{slices}") };
    // Every fifth of forty has 0.8; the fourth has no value.
    assert_eq!((slice["name"].as_str(), slice["n"].as_u64()), (Some("high & odd"), Some(8)));
    assert_eq!((slices["takes_slices"].as_bool(), slice["errors"].clone()), (Some(false), json!([])));
    assert_eq!(
        (done.n_slices, done.slices_left_out.clone()),
        (1, vec!["by a name".to_owned(), "tagged".to_owned()])
    );
    for (name, bytes) in &files {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains("Ada Unnamed") && !text.contains("a long remark 7"), "{name}");
        assert!(!text.contains("0.25,0.75"), "{name} holds a volunteer's mark");
        assert!(!text.contains("token-of-somebody"), "{name} says who kept a slice");
    }
    let index = String::from_utf8(files["index.html"].clone()).unwrap();
    assert!(index.contains("content=\"copy\"") && !index.contains("\"/"), "{index}");
    assert!(index.contains("Content-Security-Policy") && index.contains("src=\"./assets/"), "{index}");
    let view: Value = serde_json::from_slice(&files["data/project.json"]).unwrap();
    let table = &view["tables"][0];
    let names: Vec<&str> =
        table["columns"].as_array().unwrap().iter().filter_map(|c| c["name"].as_str()).collect();
    assert!(names.contains(&"score") && !names.contains(&"remark"), "{names:?}");
    for name in names {
        let file = table["copy"]["files"][name].as_str().unwrap();
        assert!(files.contains_key(file), "{file}");
    }
    assert_eq!(view["takes_labels"], json!(false));
    assert!(files.contains_key("data/0/sheet-0.jpg") && files.contains_key("data/0/order.arrow"));
    assert!(files.contains_key("data/images/0.png") && files.contains_key("data/curves/0.json"));
    assert!(files.contains_key("data/attention/0.png"));
    assert_eq!(files["data/attention.json"], br#"["s1"]"#);
    let maps: Value = serde_json::from_slice(&files["data/attention/0.json"]).unwrap();
    assert_eq!(maps["classes"], json!([{ "name": "ring", "logit": 1.5 }, { "name": "disk" }]));
    assert_eq!((view["has_attention"].as_bool(), view["n_tagged"].as_u64()), (Some(true), Some(0)));
    assert_eq!(made(&project, &CopyParams::default()).0, files, "the same bytes again");
}

#[test]
fn what_cannot_be_copied_is_said_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut n = 0;
    let mut put = |_: &str, _: &[u8]| {
        n += 1;
        Ok(())
    };
    let empty = write_copy(&Project::default(), &CopyParams::default(), &mut put);
    assert!(matches!(empty, Err(CopyError::Empty)));
    let params = CopyParams { boundaries: vec!["nothing".into()], thumbnails_only: true };
    let wrong = write_copy(&project(folder.path()), &params, &mut put).unwrap_err();
    assert!(wrong.to_string().contains("nothing"), "{wrong}");
    assert_eq!(n, 0);
    let few = CopyParams { thumbnails_only: true, ..CopyParams::default() };
    let (files, done) = made(&project(folder.path()), &few);
    assert_eq!(done.n_images, 0);
    assert!(!files.contains_key("data/attention.json"), "panels hold whole images");
    assert!(!files.contains_key("data/images.json") && files.contains_key("data/0/sheet-0.jpg"));
    let mut full = |_: &str, _: &[u8]| Err(std::io::Error::other("disk full"));
    let wrong = write_copy(&project(folder.path()), &few, &mut full).unwrap_err();
    assert!(wrong.to_string().contains("disk full"));
}
