//! How fast images become a cache of pictures, and what it costs in memory: `decode_images SUBJECTS CACHE-FOLDER
//! [SIZE]`. `bench/README.md` has the figures.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use volary_core::Pixels as _;
use volary_ingest::Progress;
use volary_ingest::images::{Cache, Resize, Settings, SubjectSource, subjects};

#[expect(clippy::print_stdout, reason = "the figures are the output")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, manifest, folder, rest @ ..] = &arguments[..] else {
        return Err("usage: decode_images SUBJECTS CACHE-FOLDER [SIZE]".into());
    };
    let size_px = rest.first().map_or(Ok(96), |size| size.parse())?;
    let settings = Settings { resize: Resize::ShortSide { size_px }, ..Settings::default() };
    let started = Instant::now();
    let found = subjects(&SubjectSource::new(Path::new(manifest)), &Progress::default())?;
    println!("{} subjects listed in {:.2} s", found.subjects.len(), started.elapsed().as_secs_f64());
    for pass in ["built", "opened again"] {
        let started = Instant::now();
        let progress = Progress::default();
        let built =
            Cache::open_or_build(Path::new(folder), &found.subjects, &settings, &progress, &|_| ())?;
        let seconds = started.elapsed().as_secs_f64();
        let n = built.cache.count();
        println!(
            "{pass}: {n} pictures, {} decoded, {seconds:.2} s, {:.0} a second",
            built.n_decoded,
            n as f64 / seconds
        );
        let started = Instant::now();
        let mut picture = vec![0.0; built.cache.shape().values()];
        for i in 0..n {
            built.cache.read(i * 7919 % n, &mut picture)?;
        }
        println!("read in a mixed order: {:.0} a second", n as f64 / started.elapsed().as_secs_f64());
    }
    // Linux says how much memory a process has had at most.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    for line in status.lines().filter(|l| l.starts_with("VmHWM")) {
        println!("peak memory {}", line.trim_start_matches("VmHWM:").trim());
    }
    Ok(())
}
