//! A learner as bytes, and back.
//!
//! Little-endian, in the order of the fields, with a version in front and BLAKE3 of all at the end: a
//! snapshot that was cut short or changed is refused. The names of actors are in it only while a window
//! of the cap is open.

use std::collections::BTreeMap;

use super::{ActorCap, Learner, LearnerError, LearnerParams, Method, check, n_rows};

const MAGIC: &[u8; 16] = b"volary-learner-1";
const HASH: usize = 32;

impl Learner {
    /// All it knows, as bytes: the same learner gives the same bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let integer = |out: &mut Vec<u8>, v: u64| out.extend_from_slice(&v.to_le_bytes());
        let text = |out: &mut Vec<u8>, v: &str| {
            integer(out, v.len() as u64);
            out.extend_from_slice(v.as_bytes());
        };
        text(&mut out, &self.params.embedding);
        integer(&mut out, self.params.dimension as u64);
        integer(&mut out, self.params.n_classes as u64);
        let (kind, settings) = match self.params.method {
            Method::Gaussian { l2, keep, most_logits } => (0, vec![l2, keep, most_logits]),
            Method::Descent { rate, intercept_rate, l2, clip } => {
                (1, vec![rate, intercept_rate, l2, clip])
            }
        };
        integer(&mut out, kind);
        settings.iter().for_each(|v| integer(&mut out, v.to_bits()));
        let cap = self.params.actor_cap;
        integer(&mut out, cap.map_or(0, |cap| cap.window));
        integer(&mut out, cap.map_or(0, |cap| cap.most_weight.to_bits()));
        [self.cursor, self.n_seen, self.window].iter().for_each(|v| integer(&mut out, *v));
        self.mean.iter().chain(&self.variance).for_each(|v| integer(&mut out, v.to_bits()));
        integer(&mut out, self.by_actor.len() as u64);
        for (actor, used) in &self.by_actor {
            text(&mut out, actor);
            integer(&mut out, used.to_bits());
        }
        let hash = blake3::hash(&out);
        out.extend_from_slice(hash.as_bytes());
        out
    }

    /// The learner that [`Learner::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`LearnerError::Snapshot`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LearnerError> {
        let refuse = LearnerError::Snapshot;
        let split = bytes.len().checked_sub(HASH).ok_or(refuse("too short"))?;
        let (body, hash) = bytes.split_at(split);
        if !body.starts_with(MAGIC) {
            return Err(refuse("they begin differently"));
        }
        if blake3::hash(body).as_bytes() != hash {
            return Err(refuse("their hash is another"));
        }
        let mut read = Read(&body[MAGIC.len()..]);
        let embedding = read.text()?;
        let (dimension, n_classes) = (read.integer()? as usize, read.integer()? as usize);
        let method = match read.integer()? {
            0 => Method::Gaussian { l2: read.real()?, keep: read.real()?, most_logits: read.real()? },
            1 => Method::Descent {
                rate: read.real()?,
                intercept_rate: read.real()?,
                l2: read.real()?,
                clip: read.real()?,
            },
            _ => return Err(refuse("their method is unknown")),
        };
        let (window, most_weight) = (read.integer()?, read.real()?);
        if window == 0 && most_weight.to_bits() != 0 {
            return Err(refuse("a cap without a window"));
        }
        let actor_cap = (window > 0).then_some(ActorCap { window, most_weight });
        let params = LearnerParams { embedding, dimension, n_classes, method, actor_cap };
        check(&params).map_err(|_| refuse("their settings are none"))?;
        let [cursor, n_seen, window] = [read.integer()?, read.integer()?, read.integer()?];
        let n = n_rows(n_classes) * (dimension + 1);
        let mean = read.reals(n)?;
        let variance = match method {
            Method::Gaussian { .. } => read.reals(n)?,
            Method::Descent { .. } => Vec::new(),
        };
        let mut by_actor = BTreeMap::new();
        for _ in 0..read.integer()? {
            by_actor.insert(read.text()?, read.real()?);
        }
        if !read.0.is_empty() {
            return Err(refuse("too long"));
        }
        Ok(Self { params, mean, variance, cursor, n_seen, window, by_actor })
    }
}

/// What is left to read.
struct Read<'a>(&'a [u8]);

impl<'a> Read<'a> {
    fn bytes(&mut self, n: usize) -> Result<&'a [u8], LearnerError> {
        let (front, rest) = self.0.split_at_checked(n).ok_or(LearnerError::Snapshot("too short"))?;
        self.0 = rest;
        Ok(front)
    }

    fn integer(&mut self) -> Result<u64, LearnerError> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.bytes(8)?);
        Ok(u64::from_le_bytes(bytes))
    }

    fn real(&mut self) -> Result<f64, LearnerError> {
        self.integer().map(f64::from_bits)
    }

    fn reals(&mut self, n: usize) -> Result<Vec<f64>, LearnerError> {
        let values = (0..n).map(|_| self.real()).collect::<Result<Vec<_>, _>>()?;
        match values.iter().all(|v| v.is_finite()) {
            true => Ok(values),
            false => Err(LearnerError::Snapshot("a weight is no number")),
        }
    }

    fn text(&mut self) -> Result<String, LearnerError> {
        let n = self.integer()? as usize;
        let bytes = self.bytes(n)?.to_vec();
        String::from_utf8(bytes).map_err(|_| LearnerError::Snapshot("a name is no text"))
    }
}
