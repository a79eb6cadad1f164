//! Zooniverse (Panoptes) exports.
