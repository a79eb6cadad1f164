//! Times the anomaly networks of the specification: 64 filters, 128 latent numbers, 96 px, three channels, batches
//! of 64. Prints one figure a line, `name value`, milliseconds, the fastest of a few; `bench/anomaly.py` runs it in
//! turn with PyTorch.
//!
//!     cargo run --release -p volary-vision --example anomaly_speed

#![expect(clippy::print_stdout, reason = "a benchmark's output is what it prints")]

use std::error::Error;
use std::time::Instant;

use rand::RngExt as _;
use volary_core::{PixelShape, PixelsInMemory};
use volary_vision::Device;
use volary_vision::anomaly::{Begin, Lesson, Settings, Stage, Watcher, train};
use volary_vision::training::{Next, Progress};

// As the binary has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SHAPE: PixelShape = PixelShape { channels: 3, height: 96, width: 96 };
const BATCH: usize = 64;
const STEPS: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let n = BATCH * (STEPS + 1);
    let mut rng = volary_core::seed::stream(1, "speed");
    let values: Vec<f32> = (0..n * SHAPE.values()).map(|_| rng.random()).collect();
    let pixels = PixelsInMemory::new(SHAPE, values).ok_or("the pictures are not whole")?;
    let ids: Vec<String> = (0..n).map(|i| i.to_string()).collect();
    let lesson = Lesson {
        pixels: &pixels,
        subject_ids: &ids,
        groups: &ids,
        preprocessing: &serde_json::Value::Null,
    };
    // The generator takes no step: what is timed is the critic's, with the pictures made for it.
    let mut settings = Settings { held_out_share: 1.0 / (STEPS + 1) as f64, ..Settings::default() };
    settings.losses.critic_steps = STEPS + 1;
    for plan in [&mut settings.adversaries, &mut settings.encoder] {
        plan.epochs = 1;
        plan.batch_size = BATCH;
    }
    let mut best = [f64::INFINITY; 2];
    let mut last = Instant::now();
    let mut batch = |stage: Stage, p: &Progress<'_>| {
        let place = usize::from(stage == Stage::Encoder);
        // What comes before the first batch of a stage is not its step.
        if p.n_done > 1 {
            best[place] = best[place].min(last.elapsed().as_secs_f64());
        }
        last = Instant::now();
        Next::GoOn
    };
    let folder = tempfile::tempdir()?;
    let mut watcher = Watcher { batch: &mut batch, gallery: &mut |_| {}, gallery_every_epochs: 0 };
    let trained = train(&lesson, &settings, Device::Cpu, folder.path(), Begin::Afresh, &mut watcher)?;
    println!("critic_step_ms {:.1}", best[0] * 1e3);
    println!("encoder_step_ms {:.1}", best[1] * 1e3);
    let model = trained.model.ok_or("nothing was trained")?;
    let rows: Vec<usize> = (0..BATCH).collect();
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        model.score(&pixels, &rows, BATCH, &mut |_| true)?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("score_ms {:.1}", best * 1e3);
    Ok(())
}
