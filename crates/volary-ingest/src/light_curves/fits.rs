//! FITS binary tables with one number per cell: enough of FITS 4.0 (doi:10.1051/0004-6361/201015362) to
//! read and write Kepler and TESS light curves.
//!
//! Any bytes give a table or one error; nothing is trusted, neither a size in a header nor its text. Cells
//! with several elements are passed over, and so are images, ASCII tables, compressed images and the heap.
//!
//! Why not `fitsrs` 0.4: it reads cell by cell into an enum, does not write, and computes with the sizes of
//! the header unchecked, so that an odd file stops the program; it brings `wcs`, `futures` and `indexmap`.

use std::io::Write;

use crate::fits_header::{CARD, Header, data_bytes, header, padded};

/// A binary table within the bytes of a file.
#[derive(Debug)]
pub(crate) struct Table<'b> {
    /// Its own header.
    pub(crate) header: Header,
    columns: Vec<Column>,
    n_rows: usize,
    row_bytes: usize,
    data: &'b [u8],
}

#[derive(Debug)]
struct Column {
    name: String,
    kind: u8,
    repeat: usize,
    at: usize,
    scale: f64,
    zero: f64,
    null: Option<i64>,
}

/// All that a file holds: the primary header, and its binary tables.
#[derive(Debug)]
pub(crate) struct Fits<'b> {
    pub(crate) primary: Header,
    pub(crate) tables: Vec<Table<'b>>,
    /// The file ends before its last table does.
    pub(crate) is_cut_off: bool,
}

/// Reads a file's headers and finds its binary tables.
pub(crate) fn parse(bytes: &[u8]) -> Result<Fits<'_>, &'static str> {
    if !bytes.starts_with(b"SIMPLE  =") {
        return Err("not a FITS file: it does not begin with SIMPLE");
    }
    let (primary, mut at) = header(bytes, 0).ok_or("a FITS header without END")?;
    at = at.saturating_add(padded(data_bytes(&primary)));
    let mut fits = Fits { primary, tables: Vec::new(), is_cut_off: false };
    while bytes.get(at..).is_some_and(|rest| rest.starts_with(b"XTENSION")) {
        let Some((header, data_at)) = header(bytes, at) else {
            fits.is_cut_off = true;
            break;
        };
        let size = data_bytes(&header);
        let rest = bytes.get(data_at..).unwrap_or_default();
        fits.is_cut_off |= rest.len() < size;
        if header.text(&["XTENSION"]) == Some("BINTABLE") {
            fits.tables.extend(table(header, &rest[..size.min(rest.len())]));
        }
        at = data_at.saturating_add(padded(size));
    }
    Ok(fits)
}

/// `None` for a table without rows, or with columns that do not fit into a row.
fn table(header: Header, data: &[u8]) -> Option<Table<'_>> {
    let row_bytes = usize::try_from(header.whole("NAXIS1")?).ok()?;
    let promised = usize::try_from(header.whole("NAXIS2")?).ok()?;
    let n_rows = promised.min(data.len().checked_div(row_bytes)?);
    let mut columns = Vec::new();
    let mut at = 0_usize;
    for i in 1..=header.whole("TFIELDS")?.min(999) {
        let (repeat, kind) = form(header.text(&[&format!("TFORM{i}")])?)?;
        let width =
            if kind == b'X' { repeat.div_ceil(8) } else { repeat.checked_mul(element_bytes(kind)?)? };
        columns.push(Column {
            name: header.text(&[&format!("TTYPE{i}")]).unwrap_or_default().to_owned(),
            kind,
            repeat,
            at,
            scale: header.number(&format!("TSCAL{i}")).unwrap_or(1.0),
            zero: header.number(&format!("TZERO{i}")).unwrap_or(0.0),
            null: header.text(&[&format!("TNULL{i}")]).and_then(|n| n.parse().ok()),
        });
        at = at.checked_add(width).filter(|end| *end <= row_bytes)?;
    }
    Some(Table { header, columns, n_rows, row_bytes, data })
}

/// `3D` is three doubles.
fn form(text: &str) -> Option<(usize, u8)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let repeat = if digits == 0 { 1 } else { text[..digits].parse().ok()? };
    Some((repeat, *text.as_bytes().get(digits)?))
}

fn element_bytes(kind: u8) -> Option<usize> {
    match kind {
        b'L' | b'B' | b'A' => Some(1),
        b'I' => Some(2),
        b'J' | b'E' => Some(4),
        b'K' | b'D' | b'C' | b'P' => Some(8),
        b'M' | b'Q' => Some(16),
        _ => None,
    }
}

impl Table<'_> {
    /// Names of the columns that hold one number per cell.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().filter(|c| c.is_number()).map(|c| c.name.as_str())
    }

    /// A column of numbers by any of several names, in any case; NaN where a cell is null.
    pub(crate) fn numbers(&self, names: &[&str]) -> Option<Vec<f64>> {
        let named = |name: &&str| {
            self.columns.iter().find(|c| c.is_number() && c.name.eq_ignore_ascii_case(name))
        };
        let column = names.iter().find_map(named)?;
        let rows = self.data.chunks_exact(self.row_bytes).take(self.n_rows);
        Some(rows.map(|row| column.number(row)).collect())
    }
}

impl Column {
    fn is_number(&self) -> bool {
        self.repeat == 1 && matches!(self.kind, b'B' | b'I' | b'J' | b'K' | b'E' | b'D')
    }

    fn number(&self, row: &[u8]) -> f64 {
        fn take<const N: usize>(row: &[u8], at: usize) -> [u8; N] {
            // Columns were checked to lie within a row.
            row.get(at..at + N).and_then(|b| b.try_into().ok()).unwrap_or([0; N])
        }
        let whole =
            |n: i64| if self.null == Some(n) { f64::NAN } else { self.zero + self.scale * n as f64 };
        match self.kind {
            b'B' => whole(i64::from(take::<1>(row, self.at)[0])),
            b'I' => whole(i64::from(i16::from_be_bytes(take(row, self.at)))),
            b'J' => whole(i64::from(i32::from_be_bytes(take(row, self.at)))),
            b'K' => whole(i64::from_be_bytes(take(row, self.at))),
            b'E' => self.zero + self.scale * f64::from(f32::from_be_bytes(take(row, self.at))),
            _ => self.zero + self.scale * f64::from_be_bytes(take(row, self.at)),
        }
    }
}

/// A header under construction.
struct Cards(Vec<u8>);

impl Cards {
    fn put(&mut self, key: &str, value: &str) {
        let card: Vec<u8> =
            format!("{key:<8}= {value:>20}").bytes().chain(std::iter::repeat(b' ')).take(CARD).collect();
        self.0.extend(card);
    }

    fn text(&mut self, key: &str, value: &str) {
        let ascii: String =
            value.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(60).collect();
        self.put(key, &format!("{:<20}", format!("'{:<8}'", ascii.replace('\'', "''"))));
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend(b"END");
        let size = padded(self.0.len());
        self.0.resize(size, b' ');
        self.0
    }
}

/// Writes a light curve as a file like those of the Kepler archive: `TIME` (D), `CADENCENO` (J),
/// `PDCSAP_FLUX` (E).
pub(crate) fn write(
    out: &mut impl Write,
    star: &str,
    quarter: &str,
    time_days: &[f64],
    flux: &[f64],
) -> std::io::Result<()> {
    const ROW: usize = 16;
    let identity = |cards: &mut Cards| {
        if star.parse::<u64>().is_ok() {
            cards.put("KEPLERID", star);
        }
        cards.text("OBJECT", &format!("KIC {star}"));
        if quarter.parse::<u64>().is_ok() {
            cards.put("QUARTER", quarter);
        }
    };
    let mut primary = Cards(Vec::new());
    primary.put("SIMPLE", "T");
    primary.put("BITPIX", "8");
    primary.put("NAXIS", "0");
    primary.put("EXTEND", "T");
    primary.text("ORIGIN", "Volary simulation");
    identity(&mut primary);
    let mut table = Cards(Vec::new());
    table.text("XTENSION", "BINTABLE");
    for (key, value) in [("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", ROW), ("NAXIS2", time_days.len())] {
        table.put(key, &value.to_string());
    }
    for (key, value) in [("PCOUNT", "0"), ("GCOUNT", "1"), ("TFIELDS", "3")] {
        table.put(key, value);
    }
    let columns = [("TIME", "D", "BJD - 2454833"), ("CADENCENO", "J", ""), ("PDCSAP_FLUX", "E", "e-/s")];
    for (i, (name, form, unit)) in (1..).zip(columns) {
        table.text(&format!("TTYPE{i}"), name);
        table.text(&format!("TFORM{i}"), form);
        if !unit.is_empty() {
            table.text(&format!("TUNIT{i}"), unit);
        }
    }
    table.text("EXTNAME", "LIGHTCURVE");
    identity(&mut table);
    out.write_all(&primary.end())?;
    out.write_all(&table.end())?;
    let mut data = Vec::with_capacity(padded(time_days.len() * ROW));
    for (cadence, (time, flux)) in (0_u32..).zip(time_days.iter().zip(flux)) {
        data.extend(time.to_be_bytes());
        data.extend(cadence.to_be_bytes());
        data.extend((*flux as f32).to_be_bytes());
    }
    data.resize(padded(data.len()), 0);
    out.write_all(&data)
}
