//! Times the confusion network of the specification: 128 filters, 96 px, three channels and classes. Prints
//! one figure a line, `name value`, milliseconds, the fastest of a few; `bench/vision.py` runs it in turn with
//! PyTorch.
//!
//!     cargo run --release -p volary-vision --example vision_speed

#![expect(clippy::print_stdout, reason = "a benchmark's output is what it prints")]

use std::error::Error;
use std::time::Instant;

use rand::RngExt as _;
use volary_core::{PixelShape, PixelsInMemory};
use volary_vision::Device;
use volary_vision::attention::{Network as _, Recipe, score_cam};
use volary_vision::confusion::{Begin, DEFAULT_LAYER, Labels, Lesson, Losses, Model, Settings, train};
use volary_vision::training::{Next, Plan};

// As the binary has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SHAPE: PixelShape = PixelShape { channels: 3, height: 96, width: 96 };
const BATCH: usize = 64;
const STEPS: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let n = BATCH * (STEPS + 1);
    let mut rng = volary_core::seed::stream(1, "speed");
    let values: Vec<f32> = (0..n * SHAPE.values()).map(|_| rng.random()).collect();
    let batch = values[..BATCH * SHAPE.values()].to_vec();
    let pixels = PixelsInMemory::new(SHAPE, values).ok_or("the pictures are not whole")?;
    let classes = ["vortex", "turbulent", "bands"].map(str::to_owned).to_vec();
    let fractions: Vec<f64> = (0..n * 3).map(|_| rng.random()).collect();
    let labels = Labels::from_fractions(classes, &fractions)?;
    let ids: Vec<String> = (0..n).map(|i| i.to_string()).collect();
    let lesson = Lesson {
        pixels: &pixels,
        subject_ids: &ids,
        groups: &ids,
        labels: &labels,
        unchosen: &[],
        preprocessing: &serde_json::Value::Null,
    };
    let folder = tempfile::tempdir()?;
    let mut model = None;
    for (name, rotation) in [("step_ms", 0.0), ("step_rotation_ms", 1.0)] {
        let settings = Settings {
            losses: Losses { rotation, ..Losses::default() },
            plan: Plan { epochs: 1, batch_size: BATCH, ..Plan::default() },
            held_out_share: 1.0 / (STEPS + 1) as f64,
            ..Settings::default()
        };
        let (mut last, mut best) = (Instant::now(), f64::INFINITY);
        let trained = train(&lesson, &settings, Device::Cpu, folder.path(), Begin::Afresh, &mut |_| {
            best = best.min(last.elapsed().as_secs_f64());
            last = Instant::now();
            Next::GoOn
        })?;
        println!("{name} {:.1}", best * 1e3);
        model = Some(trained.model);
    }
    let model: Model = model.ok_or("nothing was trained")?;
    fastest("embed_ms", || Ok(model.logits(&batch)?.len()))?;
    let picture = &batch[..SHAPE.values()];
    fastest("score_cam_ms", || Ok(score_cam(&model, picture, DEFAULT_LAYER, Recipe::default())?.len()))
}

fn fastest(
    name: &str,
    mut f: impl FnMut() -> Result<usize, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let mut best = f64::INFINITY;
    for _ in 0..10 {
        let start = Instant::now();
        f()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{name} {:.1}", best * 1e3);
    Ok(())
}
