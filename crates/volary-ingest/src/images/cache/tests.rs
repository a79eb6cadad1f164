use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use volary_core::ProblemKind;

use super::*;
use crate::images::golden;
use crate::images::prepare::prepare_file;
use crate::images::settings::Resize;
use crate::images::subjects::{SubjectSource, subjects};

struct Project {
    folder: tempfile::TempDir,
    subjects: Vec<ImageSubject>,
    settings: Settings,
}

impl Project {
    /// Images of the fixtures, by name.
    fn new(names: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("images")).unwrap();
        for name in names {
            std::fs::copy(golden::path(name), folder.path().join("images").join(name)).unwrap();
        }
        let settings = Settings { resize: Resize::ShortSide { size_px: 16 }, ..Settings::default() };
        let mut project = Self { folder, subjects: Vec::new(), settings };
        project.list();
        project
    }

    fn list(&mut self) {
        let images = self.folder.path().join("images");
        self.subjects = subjects(&SubjectSource::new(&images), &Progress::default()).unwrap().subjects;
    }

    fn image(&self, name: &str) -> PathBuf {
        self.folder.path().join("images").join(name)
    }

    fn open(&self) -> Built {
        self.try_open().unwrap()
    }

    fn try_open(&self) -> Result<Built, CacheError> {
        let folder = self.folder.path().join("cache");
        Cache::open_or_build(&folder, &self.subjects, &self.settings, &Progress::default(), &|_| ())
    }
}

fn all(cache: &Cache) -> Vec<Vec<f32>> {
    let read = |row| {
        let mut picture = vec![0.0; cache.shape().values()];
        cache.read(row, &mut picture).unwrap();
        picture
    };
    (0..cache.count()).map(read).collect()
}

const SOME: [&str; 4] = ["rgb.png", "progressive.jpg", "animated.png", "rgb16.png"];

#[test]
fn pictures_come_back_as_they_were_made() {
    let mut project = Project::new(&SOME);
    for (storage, error) in
        [(Storage::U8, 1.0 / 510.0), (Storage::U16, 1.0 / 131_070.0), (Storage::F32, 0.0)]
    {
        project.settings.storage = storage;
        let built = project.open();
        assert_eq!((built.n_decoded, built.subject_idx), (4, vec![0, 1, 2, 3]));
        for (picture, subject) in all(&built.cache).iter().zip(&project.subjects) {
            let (direct, shape, _) = prepare_file(&subject.path, &project.settings).unwrap();
            assert_eq!(shape, built.cache.shape());
            let distance = picture.iter().zip(&direct).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(distance <= error * 1.001, "{storage:?}: {distance}");
        }
        assert_eq!(project.open().n_decoded, 0, "decoded once");
    }
    let built = project.open();
    let error = built.cache.read(4, &mut vec![0.0; 768]).unwrap_err();
    assert_eq!(error.to_string(), "picture 4 of 4 was asked for");
}

#[test]
fn bad_images_are_listed_and_the_others_are_there() {
    let project = Project::new(&["rgb.png", "grey.jpg", "table.fits", "cube.fits", "turned.jpg"]);
    let cut = std::fs::read(project.image("grey.jpg")).unwrap();
    std::fs::write(project.image("grey.jpg"), &cut[..cut.len() / 2]).unwrap();
    std::fs::remove_file(project.image("turned.jpg")).unwrap();
    let built = project.open();
    let names: Vec<String> =
        built.problems.examples().map(|p| format!("{} {}", p.row, p.column)).collect();
    assert_eq!(names, ["2 grey.jpg", "5 turned.jpg", "1 cube.fits", "4 table.fits"]);
    for kind in [ProblemKind::CutOff, ProblemKind::MissingFile] {
        assert_eq!(built.problems.count(kind), 1);
    }
    assert_eq!((built.cache.count(), built.subject_idx), (1, vec![2]));
    // They are listed again when nothing is decoded.
    let again = project.open();
    assert_eq!((again.problems.total(), again.n_decoded), (4, 0));
    std::fs::remove_file(project.image("rgb.png")).unwrap();
    let error = project.try_open().unwrap_err().to_string();
    assert!(error.starts_with("none of 5 images can be used; the first: measured values"), "{error}");
}

#[test]
fn only_what_changed_is_decoded_again() {
    let mut project = Project::new(&SOME);
    let before = all(&project.open().cache);
    // Touched: the same content at another time.
    let bytes = std::fs::read(project.image("rgb.png")).unwrap();
    std::fs::write(project.image("rgb.png"), &bytes).unwrap();
    assert_eq!(project.open().n_decoded, 0);
    // Another picture in one of them, and one more.
    std::fs::copy(golden::path("palette.png"), project.image("rgb.png")).unwrap();
    std::fs::copy(golden::path("turned.jpg"), project.image("turned.jpg")).unwrap();
    assert_eq!(project.open().n_decoded, 1);
    project.list();
    let built = project.open();
    assert_eq!((built.n_decoded, built.cache.count()), (1, 5));
    let after = all(&built.cache);
    assert_eq!(after[0], before[0]);
    assert_ne!(after[2], before[2]);
    // Other settings are another cache.
    project.settings.storage = Storage::F32;
    assert_eq!(project.open().n_decoded, 5);
}

#[test]
fn a_damaged_cache_is_made_anew() {
    let project = Project::new(&SOME);
    let built = project.open();
    let (path, good) = (built.cache.path().to_owned(), std::fs::read(built.cache.path()).unwrap());
    let pictures = all(&built.cache);
    type Damage<'d> = (&'d str, &'d dyn Fn(&mut Vec<u8>));
    let damage: [Damage; 6] = [
        ("cut", &|b| b.truncate(b.len() / 2)),
        ("empty", &|b| b.clear()),
        ("a bit of a picture", &|b| b[5000] ^= 1),
        ("a bit of the index", &|b| *b.last_mut().unwrap() ^= 1),
        ("a bit of the head", &|b| b[9] ^= 1),
        ("something else", &|b| b.fill(b'x')),
    ];
    for (what, damage) in damage {
        let mut bytes = good.clone();
        damage(&mut bytes);
        std::fs::write(&path, &bytes).unwrap();
        let built = project.open();
        assert!(built.n_decoded > 0, "{what}");
        assert_eq!(all(&built.cache), pictures, "{what}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), good, "the same bytes every time");
}

#[test]
fn what_a_killed_run_leaves_is_in_nobodys_way() {
    let project = Project::new(&SOME);
    let built = project.open();
    let part = built.cache.path().with_extension("pixels.part");
    std::fs::rename(built.cache.path(), &part).unwrap();
    std::fs::write(&part, b"half of it").unwrap();
    assert_eq!(project.open().n_decoded, 4);
    assert!(!part.exists());
    let stop = Progress::default();
    stop.stop();
    std::fs::remove_file(built.cache.path()).unwrap();
    let folder = project.folder.path().join("cache");
    let stopped = Cache::open_or_build(&folder, &project.subjects, &project.settings, &stop, &|_| ());
    assert_eq!(
        stopped.unwrap_err().to_string(),
        "stopped while decoding images; the next run begins anew"
    );
    assert!(!part.exists());
}

#[test]
fn threads_do_not_matter_and_all_are_counted() {
    let project = Project::new(&SOME);
    let mut files = BTreeSet::new();
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let folder = project.folder.path().join(format!("cache{threads}"));
        let last = AtomicUsize::new(0);
        let on_image = |n: usize| {
            last.fetch_max(n, Ordering::Relaxed);
        };
        let built = pool.install(|| {
            let progress = Progress::default();
            Cache::open_or_build(&folder, &project.subjects, &project.settings, &progress, &on_image)
                .unwrap()
        });
        assert_eq!(last.into_inner(), 4);
        files.insert(std::fs::read(built.cache.path()).unwrap());
    }
    assert_eq!(files.len(), 1);
}

#[test]
fn copies_and_odd_ones_are_seen() {
    let mut project = Project::new(&["rgb.png"]);
    for i in 0..20 {
        // Bytes behind the end of a PNG are nobody's: other files, the same picture.
        let mut bytes = golden::bytes("rgb.png");
        bytes.push(i);
        std::fs::write(project.image(&format!("t{i:02}.png")), &bytes).unwrap();
    }
    std::fs::copy(golden::path("rgb.png"), project.image("z_copy.png")).unwrap();
    std::fs::copy(golden::path("one_bit.png"), project.image("z_grey.png")).unwrap();
    project.list();
    let built = project.open();
    let lines: Vec<String> =
        built.problems.examples().map(|p| format!("{}: {}", p.column, p.detail)).collect();
    assert_eq!(
        lines,
        [
            "z_copy.png: the same image as that of subject rgb",
            "z_grey.png: 9 × 10 px, where most images are 37 × 29",
            "z_grey.png: grey, where most images are in colour",
        ]
    );
    let hashes = built.cache.hashes();
    assert_eq!(hashes[0], hashes[21]);
    assert_ne!(hashes[0], hashes[1]);
}

#[test]
fn one_image_is_enough_and_none_is_an_error() {
    let project = Project::new(&["rgb.png"]);
    assert_eq!(project.open().cache.count(), 1);
    let none = Project { subjects: Vec::new(), ..project };
    assert!(matches!(none.try_open(), Err(CacheError::NoPicture { n: 0, .. })));
}
