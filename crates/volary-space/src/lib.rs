//! Geometry of embeddings and tables: projections, neighbours, maps, boundaries, slices, evaluation curves.
//!
//! Numbers in, numbers out: no I/O, no clock, no unseeded randomness. Where embeddings come from is
//! `volary-vision`'s business, what people said is `volary-crowd`'s.
