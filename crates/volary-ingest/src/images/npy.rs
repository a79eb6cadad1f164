//! NPY arrays of numpy (format 1 to 3, numpy's `numpy.lib.format`): one image each, as `height × width`,
//! `height × width × channels` or `channels × height × width`. Row 0 is the top.
//!
//! Why not a crate: `ndarray-npy` brings `ndarray`, a parser generator and zip for what is one line of text
//! before plain numbers.

use super::decode::Refuse;
use super::raster::{Decoded, Fault, Raster, fill};
use super::settings::Limits;

pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// Type of an array's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Dtype {
    kind: u8,
    bytes: usize,
    is_big_endian: bool,
}

/// What the line of text says.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    dtype: Dtype,
    is_fortran: bool,
    shape: Vec<usize>,
}

/// An array of `height × width` single-precision numbers, row by row, as numpy writes it (format 1.0).
///
/// # Errors
/// `InvalidInput` where there are not as many numbers.
pub fn npy_bytes(height: usize, width: usize, values: &[f32]) -> std::io::Result<Vec<u8>> {
    /// Magic, version and header end at a multiple of this, so that the numbers are aligned.
    const ALIGNMENT: usize = 64;
    if height.checked_mul(width) != Some(values.len()) {
        let what = format!("{} numbers are no array of {height} × {width}", values.len());
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, what));
    }
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({height}, {width}), }}");
    let before = MAGIC.len() + 4;
    let whole = (before + text.len() + 1).next_multiple_of(ALIGNMENT);
    let mut bytes = Vec::with_capacity(whole + 4 * values.len());
    bytes.extend(MAGIC);
    bytes.extend([1, 0]);
    bytes.extend(((whole - before) as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.resize(whole - 1, b' ');
    bytes.push(b'\n');
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    Ok(bytes)
}

pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Decoded, Fault> {
    let (head, data) = head(bytes)?;
    let axes = Axes::of(&head, limits)?;
    limits.refuse(axes.width as u64, axes.height as u64)?;
    let n = axes.width * axes.height * axes.channels;
    if data.len() / head.dtype.bytes < n {
        return Err(Fault::cut_off("the NPY file ends before its array does; make it again"));
    }
    if head.dtype == (Dtype { kind: b'u', bytes: 1, is_big_endian: false })
        && matches!(axes.channels, 1 | 3)
    {
        let values = axes.places().map(|at| data[at]).collect();
        let Axes { width, height, channels, .. } = axes;
        return Ok(Decoded {
            raster: Raster::Bytes { width, height, channels, values },
            notes: Vec::new(),
        });
    }
    let is_unit = head.dtype.kind == b'u' && head.dtype.bytes <= 2;
    let scale = if head.dtype.bytes == 1 { 255.0 } else { 65535.0 };
    let mut planes = vec![Vec::with_capacity(axes.width * axes.height); axes.channels];
    for (i, at) in axes.places().enumerate() {
        let value = number(head.dtype, &data[at * head.dtype.bytes..]);
        planes[i % axes.channels].push(if is_unit { value / scale } else { value });
    }
    let mut notes = Vec::new();
    fill(&mut planes, &mut notes)?;
    let (width, height) = (axes.width, axes.height);
    Ok(Decoded { raster: Raster::Planes { width, height, planes, is_unit }, notes })
}

/// A matrix, row by row, and the number of its columns; or what is wrong with it.
pub(crate) fn matrix(bytes: &[u8]) -> Result<(Vec<f32>, usize), String> {
    if !bytes.starts_with(MAGIC) {
        return Err("not an NPY file; save the vectors with `numpy.save`".to_owned());
    }
    let (head, data) = head(bytes).map_err(|fault| fault.detail)?;
    let [n_rows, n_columns] = head.shape[..] else {
        let n = head.shape.len();
        return Err(format!("an NPY array of {n} axes where 2 are needed; save one row a subject"));
    };
    let size = head.dtype.bytes;
    let n = n_rows.checked_mul(n_columns).filter(|n| *n > 0 && data.len() / size >= *n);
    if n.is_none() {
        return Err("the NPY file is empty or ends before its array does; make it again".to_owned());
    }
    let (row_step, column_step) = if head.is_fortran { (1, n_rows) } else { (n_columns, 1) };
    let places =
        (0..n_rows).flat_map(|row| (0..n_columns).map(move |c| row * row_step + c * column_step));
    Ok((places.map(|at| number(head.dtype, &data[at * size..])).collect(), n_columns))
}

fn head(bytes: &[u8]) -> Result<(Head, &[u8]), Fault> {
    let bad = || Fault::unreadable("an NPY file without a readable header; save the array again");
    let version = *bytes.get(6).ok_or_else(bad)?;
    let (length, at) = match version {
        1 => (bytes.get(8..10).map(|b| usize::from(b[0]) | usize::from(b[1]) << 8), 10),
        2 | 3 => {
            let length = bytes.get(8..12).and_then(|b| b.try_into().ok());
            (length.map(|b| u32::from_le_bytes(b) as usize), 12)
        }
        _ => (None, 0),
    };
    let end = length.and_then(|n| n.checked_add(at)).ok_or_else(bad)?;
    let text = bytes.get(at..end).and_then(|b| std::str::from_utf8(b).ok()).ok_or_else(bad)?;
    let dtype = value_of(text, "descr").ok_or_else(bad)?;
    let shape = value_of(text, "shape").ok_or_else(bad)?;
    let shape = shape.strip_prefix('(').and_then(|s| s.split_once(')')).ok_or_else(bad)?.0;
    let axes = shape.split(',').map(str::trim).filter(|s| !s.is_empty());
    let head = Head {
        dtype: Dtype::parse(dtype)?,
        is_fortran: value_of(text, "fortran_order").ok_or_else(bad)?.starts_with("True"),
        shape: axes.map(|s| s.parse().ok()).collect::<Option<_>>().ok_or_else(bad)?,
    };
    Ok((head, &bytes[end..]))
}

/// What stands behind a key of the dictionary.
fn value_of<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let at =
        [format!("'{key}'"), format!("\"{key}\"")].iter().find_map(|k| Some(text.find(k)? + k.len()))?;
    Some(text[at..].trim_start().strip_prefix(':')?.trim_start())
}

impl Dtype {
    fn parse(text: &str) -> Result<Self, Fault> {
        let quoted = text.get(1..).and_then(|t| t.split(['\'', '"']).next()).unwrap_or_default();
        let dtype = (|| {
            let &[order, kind, size] = quoted.as_bytes() else { return None };
            let bytes = usize::from(size.wrapping_sub(b'0'));
            let is_known = match kind {
                b'u' | b'i' => matches!(bytes, 1 | 2 | 4),
                b'f' => matches!(bytes, 4 | 8),
                _ => false,
            };
            // Of one byte there is no order.
            let is_big_endian = order == b'>' && bytes > 1;
            is_known.then_some(Self { kind, bytes, is_big_endian })
        })();
        dtype.ok_or_else(|| {
            let detail =
                format!("an NPY array of type {quoted}; save it as float32, float64, uint8 or uint16");
            Fault::unreadable(detail.replace(|c: char| c.is_control(), "?"))
        })
    }
}

fn number(dtype: Dtype, bytes: &[u8]) -> f32 {
    fn take<const N: usize>(bytes: &[u8], is_big_endian: bool) -> [u8; N] {
        let mut own = [0; N];
        own.copy_from_slice(&bytes[..N]);
        if is_big_endian {
            own.reverse();
        }
        own
    }
    let big = dtype.is_big_endian;
    match (dtype.kind, dtype.bytes) {
        (b'u', 1) => f32::from(bytes[0]),
        (b'i', 1) => f32::from(i8::from_le_bytes(take(bytes, big))),
        (b'u', 2) => f32::from(u16::from_le_bytes(take(bytes, big))),
        (b'i', 2) => f32::from(i16::from_le_bytes(take(bytes, big))),
        (b'u', _) => u32::from_le_bytes(take(bytes, big)) as f32,
        (b'i', _) => i32::from_le_bytes(take(bytes, big)) as f32,
        (_, 4) => f32::from_le_bytes(take(bytes, big)),
        _ => f64::from_le_bytes(take(bytes, big)) as f32,
    }
}

/// Which axis is which, and how far apart their elements stand.
struct Axes {
    width: usize,
    height: usize,
    channels: usize,
    row_step: usize,
    column_step: usize,
    channel_step: usize,
}

impl Axes {
    fn of(head: &Head, limits: &Limits) -> Result<Self, Fault> {
        let shape = &head.shape;
        // Positions of height, width and channels: the shorter of the outer axes is that of the channels,
        // the last where both are as long.
        let order = match **shape {
            [_, _] => [0, 1, 2],
            [first, _, last] if last <= first => [0, 1, 2],
            [_, _, _] => [1, 2, 0],
            _ => {
                let detail = format!("an NPY array of {} axes; an image has 2 or 3", shape.len());
                return Err(Fault::unreadable(detail));
            }
        };
        let length = |axis: usize| shape.get(order[axis]).copied().unwrap_or(1);
        let (height, width, channels) = (length(0), length(1), length(2));
        if channels == 0 || channels > limits.max_planes {
            let detail =
                format!("an NPY array with {channels} channels; 1 to {} are read", limits.max_planes);
            return Err(Fault::unreadable(detail));
        }
        limits.refuse(width as u64, height as u64)?;
        let step = |axis: usize| -> usize {
            let axis = order[axis];
            let others = if head.is_fortran { shape.get(..axis) } else { shape.get(axis + 1..) };
            others.unwrap_or_default().iter().product()
        };
        Ok(Self {
            width,
            height,
            channels,
            row_step: step(0),
            column_step: step(1),
            channel_step: step(2),
        })
    }

    /// Where the elements stand, pixel by pixel, channel by channel.
    fn places(&self) -> impl Iterator<Item = usize> + '_ {
        let pixels = (0..self.height)
            .flat_map(move |y| (0..self.width).map(move |x| y * self.row_step + x * self.column_step));
        pixels.flat_map(move |pixel| (0..self.channels).map(move |c| pixel + c * self.channel_step))
    }
}
