//! Images in and out: rows I1 to I9 and M1 to M3 of the specification, as far as the server meets them.

use std::io::Cursor;
use std::path::PathBuf;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use serde_json::json;

use crate::site::{Answer, Site};

/// A server with a folder of images and subject `s`.
fn with_media() -> (Site, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let media = folder.path().join("media");
    std::fs::create_dir(&media).expect("made");
    let site = Site::with(|settings| settings.media = Some(media));
    site.post("/subjects", &site.write, &json!({"id": "s"})).is(201);
    (site, folder)
}

fn add(site: &Site, subject: &str, kind: &str, bytes: &[u8]) -> Answer {
    let bearer = format!("Bearer {}", site.write);
    let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
    site.send("POST", &format!("/api/v1/subjects/{subject}/media"), &headers, bytes)
}

fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(x * 8) as u8, (y * 8) as u8, 77]))
}

fn encoded(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(picture.clone()).write_to(&mut bytes, format).expect("written");
    bytes.into_inner()
}

/// The picture that an answer holds, and its bytes.
fn decoded(site: &Site, path: &str, token: &str) -> (RgbImage, Vec<u8>) {
    let bytes = site.bytes(path, token);
    (image::load_from_memory_with_format(&bytes, ImageFormat::Png).expect("a PNG").to_rgb8(), bytes)
}

#[test]
fn a_picture_is_taken_shown_and_kept_over_a_restart() {
    let (site, folder) = with_media();
    let first = picture(24, 16);
    let added = add(&site, "s", "image/png", &encoded(&first, ImageFormat::Png)).is(201).json();
    assert_eq!(
        (&added["n"], &added["width_px"], &added["height_px"]),
        (&json!(0), &json!(24), &json!(16))
    );
    add(&site, "s", "image/png", &encoded(&first, ImageFormat::Png)).is(200);
    let second = picture(200, 100);
    assert_eq!(add(&site, "s", "image/png", &encoded(&second, ImageFormat::Png)).is(201).json()["n"], 1);
    add(&site, "nobody", "image/png", &encoded(&first, ImageFormat::Png)).is(404);
    assert_eq!(std::fs::read_dir(folder.path().join("media")).expect("a folder").count(), 2);
    let site = site.restart(|settings| settings.media = Some(folder.path().join("media")));
    assert_eq!(decoded(&site, "/subjects/s/media/0", &site.read).0, first);
    // Those who have yet to vote see the picture too.
    assert_eq!(decoded(&site, "/subjects/s/media/1", &site.write).0, second);
    let (small, _) = decoded(&site, "/subjects/s/thumbnail?size=16", &site.read);
    assert_eq!(small.dimensions(), (16, 11));
    let answer = site.get("/subjects/s/media/0", &site.read).is(200);
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let tag = answer.header("etag").expect("is there").to_owned();
    let bearer = format!("Bearer {}", site.read);
    let headers = [("authorization", bearer.as_str()), ("if-none-match", &*tag)];
    site.send("GET", "/api/v1/subjects/s/media/0", &headers, b"").is(304);
    for path in ["media/2", "media/-1", "media/x", "media/99999999999999999999"] {
        let answer = site.get(&format!("/subjects/s/{path}"), &site.read);
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.status);
    }
    site.get("/subjects/s/thumbnail?size=100000", &site.read).is(400);
    // The truth of a validation subject stays with it.
    let truth = json!({"id": "v", "truth": {"T0": ["real"]}});
    site.post("/subjects", &site.write, &truth).is(201);
    add(&site, "v", "image/png", &encoded(&first, ImageFormat::Png)).is(201);
    let book = site.wait(site.live.book("v")).expect("read");
    assert!(book.is_validation() && book.truth().is_some_and(|truth| truth["T0"] == ["real"]));
}

#[test]
fn i1_to_i9_what_is_no_picture_is_refused_and_what_is_comes_out_clean() {
    let (site, _folder) = with_media();
    let good = encoded(&picture(16, 16), ImageFormat::Png);
    let with_size = |width: u32, height: u32| {
        let mut bytes = good.clone();
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        bytes
    };
    let mut bad_crc = good.clone();
    bad_crc[30] ^= 1;
    let jpeg = encoded(&picture(32, 32), ImageFormat::Jpeg);
    for (what, bytes) in [
        ("I1", with_size(60_000, 60_000)),
        ("I2 none", with_size(0, 10)),
        ("I2 most", with_size(0x7fff_ffff, 0x7fff_ffff)),
        ("I3 checksum", bad_crc),
        ("I3 cut", good[..good.len() / 2].to_vec()),
        ("I5 GIF", b"GIF89a\xff\xff\xff\xff\0\0\0;".to_vec()),
        ("I5 WebP", b"RIFF\x10\0\0\0WEBPVP8 ".to_vec()),
        ("I6 cut", jpeg[..jpeg.len() / 3].to_vec()),
        ("I7 SVG", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>".to_vec()),
        ("I7 HTML", b"<!doctype html><script>alert(1)</script>".to_vec()),
        ("nothing", Vec::new()),
        ("one pixel", encoded(&picture(1, 1), ImageFormat::Png)),
    ] {
        let problem = add(&site, "s", "image/png", &bytes).is(422).json();
        assert!(
            problem["detail"].as_str().is_some_and(|d| d.starts_with("the image: ")),
            "{what}: {problem}"
        );
    }
    // I4, I7: a chunk of text, and an archive behind the picture.
    let mut polyglot = good.clone();
    let script = b"tEXtComment\0<script>alert(1)</script>";
    let mut chunk = ((script.len() - 4) as u32).to_be_bytes().to_vec();
    chunk.extend_from_slice(script);
    chunk.extend(crc32(script).to_be_bytes());
    polyglot.splice(33..33, chunk);
    polyglot.extend_from_slice(b"PK\x03\x04 an archive");
    add(&site, "s", "image/png", &polyglot).is(201);
    // I9: where it was taken.
    let mut located = jpeg.clone();
    let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x25\x88\x04\0\x01\0\0\0GPS!\0\0\0\0";
    let mut segment = vec![0xff, 0xe1];
    segment.extend(((exif.len() + 2) as u16).to_be_bytes());
    segment.extend_from_slice(exif);
    located.splice(2..2, segment);
    add(&site, "s", "image/jpeg", &located).is(201);
    for n in 0..2 {
        let (shown, bytes) = decoded(&site, &format!("/subjects/s/media/{n}"), &site.read);
        assert!(shown.width() >= 16);
        for word in [&b"script"[..], b"PK\x03\x04", b"GPS!", b"Exif"] {
            assert!(
                !bytes.windows(word.len()).any(|w| w == word),
                "{n}: {}",
                String::from_utf8_lossy(word)
            );
        }
    }
    // I8: one bit, sixteen bits, alpha.
    let grey = DynamicImage::ImageLuma16(image::ImageBuffer::from_pixel(16, 16, image::Luma([0x8080])));
    let clear =
        DynamicImage::ImageRgba8(image::ImageBuffer::from_pixel(16, 16, image::Rgba([200, 100, 50, 0])));
    for (at, (odd, expected)) in [(grey, [128, 128, 128]), (clear, [0, 0, 0])].into_iter().enumerate() {
        let mut bytes = Cursor::new(Vec::new());
        odd.write_to(&mut bytes, ImageFormat::Png).expect("written");
        add(&site, "s", "image/png", bytes.get_ref()).is(201);
        let (shown, _) = decoded(&site, &format!("/subjects/s/media/{}", at + 2), &site.read);
        assert_eq!(shown.get_pixel(8, 8).0, expected);
    }
    let large = Site::with(|settings| settings.max_image_bytes = 100);
    add(&large, "s", "image/png", &good).is(413);
    add(&site, "s", "text/html", &good).is(415);
}

/// The checksum of PNG's chunks.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1));
        }
    }
    !crc
}

#[test]
fn m1_to_m3_nothing_outside_the_folder_is_shown() {
    let (site, folder) = with_media();
    let good = encoded(&picture(16, 16), ImageFormat::Png);
    let media: PathBuf = folder.path().join("media");
    std::fs::write(folder.path().join("secret.png"), &good).expect("written");
    std::fs::write(media.join("fine.png"), &good).expect("written");
    std::fs::create_dir(media.join("folder.png")).expect("made");
    std::os::unix::fs::symlink("../secret.png", media.join("link.png")).expect("made");
    std::os::unix::fs::symlink("fine.png", media.join("inner.png")).expect("made");
    let fifo = media.join("pipe.png");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo starts").success());
    let secret = folder.path().join("secret.png").display().to_string();
    for (at, (name, status)) in [
        ("fine.png", 200),
        ("./fine.png", 200),
        ("inner.png", 200),
        ("../secret.png", 404),
        ("a/./../../secret.png", 404),
        ("..%2fsecret.png", 404),
        (&*secret, 404),
        ("C:\\x.png", 404),
        ("\\\\host\\share\\x.png", 404),
        ("link.png", 404),
        ("folder.png", 404),
        ("pipe.png", 404),
        ("CON", 404),
        ("fine.png.", 404),
        ("fine.png ", 200),
        ("FINE.PNG", 404),
        (&*"n".repeat(300), 404),
        ("https://example.org/x.png", 404),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("m{at}");
        site.post("/subjects", &site.write, &json!({"id": id, "facts": {"image": name}})).is(201);
        let answer = site.get(&format!("/subjects/{id}/media/0"), &site.read);
        assert_eq!(answer.status, status, "{name}: {}", answer.text);
    }
    let bare = Site::start();
    bare.post("/subjects", &bare.write, &json!({"id": "s", "facts": {"image": "x.png"}})).is(201);
    let problem = bare.get("/subjects/s/media/0", &bare.read).is(404).json();
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("--media")), "{problem}");
}

#[test]
fn m5_m6_scores_and_coordinates_that_cannot_be_are_refused() {
    let site = Site::start();
    for row in [
        json!({"id": "a", "scores": {"m": 1.000_000_1}}),
        json!({"id": "a", "scores": {"m": -0.0}}),
        json!({"id": "a", "facts": {"score": "0,7"}}),
        json!({"id": "a", "facts": {"ra_deg": -1, "dec_deg": 0}}),
        json!({"id": "a", "facts": {"ra_deg": "12:34:56"}}),
        json!({"id": "a", "facts": {"dec_deg": 90.0001}}),
    ] {
        site.post("/subjects", &site.write, &row).is(422);
    }
    site.post("/subjects", &site.write, &json!({"id": "a", "facts": {"ra_deg": 360, "dec_deg": 90}}))
        .is(201);
    assert_eq!(site.get("/subjects/a", &site.read).is(200).json()["facts"]["ra_deg"], "0");
}
