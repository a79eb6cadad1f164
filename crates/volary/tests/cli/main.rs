//! The binary from the outside: files in, files and exit codes out. One test binary, a file an idea.

#![expect(clippy::unwrap_used, reason = "a test that panics has found something")]

mod agreement;
mod anomaly;
mod autoencoder;
mod bad_input;
mod bias;
mod book;
mod card;
mod classifier;
mod formulas;
mod gold;
mod house;
mod images;
mod jobs;
mod lightcurves;
mod live;
mod marks;
mod models;
mod optout;
mod overwrite;
mod page_known;
mod page_people;
mod panoptes_shapes;
mod pipeline;
mod practice;
mod privacy;
mod publish;
mod real_data;
mod records;
mod release;
mod release_models;
mod retire;
mod sample;
mod search;
mod serve;
mod shapes;
mod simulate;
mod space;
mod steps;
mod support;
mod taste;
mod unusual;
mod vision;
mod without_names;
