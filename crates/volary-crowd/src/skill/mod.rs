//! Who is right and who is how skilled: models that estimate the two together.

pub mod swap;
