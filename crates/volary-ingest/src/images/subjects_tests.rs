use super::*;

fn project(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file).unwrap();
    }
    folder
}

fn read_with(
    folder: &Path,
    manifest: &str,
    images: Option<&Path>,
) -> Result<ImageSubjects, IngestError> {
    let path = folder.join("manifest.csv");
    std::fs::write(&path, manifest).unwrap();
    subjects(&SubjectSource { images, ..SubjectSource::new(&path) }, &Progress::default())
}

fn read(folder: &Path, manifest: &str) -> ImageSubjects {
    read_with(folder, manifest, None).unwrap()
}

fn ids(found: &ImageSubjects) -> Vec<&str> {
    found.subjects.iter().map(|s| s.subject_id.as_str()).collect()
}

fn details(found: &ImageSubjects) -> Vec<String> {
    found.problems.examples().map(|p| format!("{} {}: {}", p.row, p.column, p.detail)).collect()
}

#[test]
fn a_table_with_metadata() {
    let folder = project(&["images/a.png", "images/b.jpg"]);
    let found =
        read(folder.path(), "subject_id,file,class,group\n7,images/a.png,spiral,x\n8,images/b.jpg,,y\n");
    assert_eq!(ids(&found), ["7", "8"]);
    assert_eq!(found.metadata_columns, ["class", "group"]);
    assert_eq!(found.column("group").unwrap(), ["x", "y"]);
    assert_eq!(found.column("no"), None);
    assert!(found.subjects[1].path.ends_with("images/b.jpg"));
    assert_eq!((found.problems.total(), found.rows_read, found.digests.len()), (0, 2, 1));
}

#[test]
fn columns_are_found_by_name_or_by_what_they_hold() {
    let folder = project(&["a.png", "b.FITS"]);
    for manifest in [
        "image\na.png\nb.FITS\n",
        "id,thumb\na,a.png\nb,b.FITS\n",
        "name;file;cutout\na;17;a.png\nb;18;b.FITS\n",
    ] {
        assert_eq!(ids(&read(folder.path(), manifest)), ["a", "b"], "{manifest}");
    }
    let error = read_with(folder.path(), "subject_id,votes\n7,3\n", None).unwrap_err().to_string();
    assert!(error.contains("no column of image files"), "{error}");
    // With a folder, images are found by the subject's id.
    let found = read_with(folder.path(), "subject_id,votes\na,3\nc,4\n", Some(folder.path())).unwrap();
    assert_eq!(ids(&found), ["a"]);
    assert_eq!(details(&found), ["2 subject_id: no image of subject c in the folder"]);
}

/// Rows M1 to M4 of the corpus (specs/responsible.md 8.3).
#[test]
fn what_leads_out_or_is_not_there_is_listed() {
    let outer = project(&["secret.png", "project/a.png", "project/CON", "project/dir.png/x.txt"]);
    let folder = outer.path().join("project");
    #[cfg(unix)]
    std::os::unix::fs::symlink(outer.path().join("secret.png"), folder.join("link.png")).unwrap();
    let rows = [
        "../secret.png",
        "/etc/passwd.png",
        "C:\\x.png",
        "\\\\host\\share.png",
        "a/./../../secret.png",
        "..%2fsecret.png",
        "link.png",
        "dir.png",
        "missing.png",
        "CON.png",
        "",
        "a.png",
    ];
    let mut manifest = "subject_id,image\n".to_owned();
    for (id, row) in rows.iter().enumerate() {
        manifest.push_str(&format!("{id},{row}\n"));
    }
    manifest.push_str(&format!("long,{}.png\n,a.png\n11,a.png\n11,b.png\n", "x".repeat(300)));
    let found = read(&folder, &manifest);
    assert_eq!(ids(&found), ["11"]);
    let count = |kind| found.problems.count(kind);
    let n_links = u64::from(cfg!(unix));
    assert_eq!(count(ProblemKind::PathLeadsOut), 5 + n_links, "{:#?}", details(&found));
    // b.png of the second row 11 is missing before it is a second row.
    assert_eq!(count(ProblemKind::MissingFile), 5 + 1 - n_links, "{:#?}", details(&found));
    assert_eq!(count(ProblemKind::UnreadableImage), 1);
    assert_eq!(count(ProblemKind::EmptyCell), 2);
    assert_eq!(count(ProblemKind::SubjectTwice), 1);
}

#[test]
fn two_rows_for_one_subject() {
    let folder = project(&["a.png", "b.png"]);
    let found = read(folder.path(), "subject_id,image\n7,a.png\n7,a.png\n7,b.png\n8,a.png\n");
    assert_eq!(ids(&found), ["7", "8"], "one image for two subjects is allowed");
    assert_eq!(
        details(&found),
        [
            "2 subject_id: subject 7 again, with the same image; row 1 counts",
            "3 subject_id: subject 7 again, with another image; row 1 counts"
        ]
    );
}

#[test]
fn where_the_images_once_were_does_not_matter() {
    let folder = project(&["here/a.png"]);
    let here = folder.path().join("here");
    let found = read_with(folder.path(), "image\nold/place/a.png\n", Some(&here)).unwrap();
    assert_eq!(ids(&found), ["a"]);
    let found = read_with(folder.path(), "image\n../old/a.png\n", Some(&here)).unwrap();
    assert_eq!(
        found.problems.count(ProblemKind::PathLeadsOut),
        1,
        "but what leads out is refused first"
    );
}

#[test]
fn a_folder_is_read_in_the_order_of_its_names() {
    let folder = project(&["b/2.png", "b/1.jpg", "a.fits.gz", "notes.txt", "c/1.png", ".hidden.png"]);
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).unwrap();
    let found = subjects(&SubjectSource::new(folder.path()), &Progress::default()).unwrap();
    assert_eq!(ids(&found), ["a", "1", "2"]);
    assert_eq!(details(&found), ["4 1.png: subject 1 again, with another image; row 2 counts"]);
    let empty = tempfile::tempdir().unwrap();
    let error = subjects(&SubjectSource::new(empty.path()), &Progress::default()).unwrap_err();
    assert!(error.to_string().starts_with("no image (.png"), "{error}");
}

#[test]
fn a_subject_export_finds_its_images() {
    let folder = project(&["images/5.png", "images/jup_17.jpg", "images/9a.jpeg"]);
    let row = |id: u32, workflow: u32, metadata: &str, locations: &str| {
        let quoted = |json: &str| json.replace('"', "\"\"");
        format!("{id},{workflow},\"{}\",\"{}\"\n", quoted(metadata), quoted(locations))
    };
    let one = r#"{"0":"https://x.org/9a.jpeg?v=1"}"#;
    let manifest = [
        "subject_id,workflow_id,metadata,locations\n".to_owned(),
        row(5, 1, r##"{"#perijove":14,"lat":null}"##, one),
        row(5, 2, r##"{"#perijove":14}"##, one),
        row(
            6,
            1,
            r#"{"Filename":"old/jup_17.jpg","lat":"-3.5"}"#,
            r#"{"0":"https://x.org/q.png","1":"b"}"#,
        ),
        row(7, 1, "{}", one),
        row(8, 1, "{}", r#"{"0":"https://x.org/none.png"}"#),
        row(5, 3, "{}", r#"{"0":"https://x.org/other.png"}"#),
    ];
    let found = read(folder.path(), &manifest.concat());
    assert_eq!(ids(&found), ["5", "6", "7"]);
    assert_eq!(found.metadata_columns, ["#perijove", "lat", "Filename"]);
    assert_eq!(found.column("#perijove").unwrap(), ["14", "", ""]);
    assert_eq!(found.column("lat").unwrap(), ["", "-3.5", ""]);
    assert_eq!(
        details(&found),
        [
            "3 locations: 2 frames; the first is used",
            "5 locations: no image of subject 8 in the folder; name it 8.png, or as in its metadata",
            "6 locations: subject 5 again, with other media; the first row counts",
        ]
    );
}

#[test]
fn the_galaxies_are_all_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/galaxies");
    if !folder.is_dir() {
        println!("skipped: no {}", folder.display());
        return;
    }
    let manifest = folder.join("subjects.csv");
    let found = subjects(&SubjectSource::new(&manifest), &Progress::default()).unwrap();
    assert_eq!((found.subjects.len(), found.problems.total()), (4221, 0));
    assert_eq!(found.metadata_columns, ["class"]);
}
