//! A sheet of SVG: texts, lines, embedded pictures. Colours and type are those of the other figures.

use std::fmt::Write as _;

use plotters::style::RGBColor;

use crate::images::base64;
use crate::report::chart::SERIES;
use crate::report::text::escape;

pub(super) const INK: &str = "#1B1F24";
pub(super) const MUTED: &str = "#5B6470";

/// A figure under construction; lengths in px.
pub(super) struct Svg {
    body: String,
    width: f64,
    height: f64,
}

impl Svg {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { body: String::new(), width, height }
    }

    /// A text; `anchor` is start, middle or end.
    pub(super) fn text(
        &mut self,
        (x, y): (f64, f64),
        anchor: &str,
        size: f64,
        colour: &str,
        text: &str,
    ) {
        let text = escape(text);
        let _ = writeln!(
            self.body,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\" fill=\"{colour}\">{text}</text>"
        );
    }

    /// A PNG; pixels stay pixels where it is made larger.
    pub(super) fn image(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), png: &[u8]) {
        let data = base64(png);
        let _ = writeln!(
            self.body,
            "<image x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             href=\"data:image/png;base64,{data}\"/>"
        );
    }

    /// An outline.
    pub(super) fn outline(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), colour: &str) {
        let _ = writeln!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"none\" \
             stroke=\"{colour}\"/>"
        );
    }

    /// A mark of one of twelve kinds, told apart by shape and by colour.
    pub(super) fn symbol(&mut self, (x, y): (f64, f64), kind: usize) {
        const SHAPES: [&str; 6] = [
            "M-3.6 0A3.6 3.6 0 1 0 3.6 0A3.6 3.6 0 1 0 -3.6 0Z",
            "M0 -4.4L4 2.8L-4 2.8Z",
            "M-3.2 -3.2H3.2V3.2H-3.2Z",
            "M0 -4.6L3.6 0L0 4.6L-3.6 0Z",
            "M-1.3 -4H1.3V-1.3H4V1.3H1.3V4H-1.3V1.3H-4V-1.3H-1.3Z",
            "M0 4.4L4 -2.8L-4 -2.8Z",
        ];
        let RGBColor(r, g, b) = SERIES[(kind + kind / 6) % 6];
        let shape = SHAPES[kind % 6];
        let _ = writeln!(
            self.body,
            "<path transform=\"translate({x:.1} {y:.1})\" d=\"{shape}\" fill=\"#{r:02X}{g:02X}{b:02X}\" \
             stroke=\"#FFFFFF\" stroke-width=\"0.8\"/>"
        );
    }

    /// The figure; `alt` says what it is to those who do not see it.
    pub(super) fn finish(self, alt: &str) -> String {
        let (w, h, alt) = (self.width, self.height, escape(alt));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"{alt}\" width=\"{w:.0}\" \
             height=\"{h:.0}\" viewBox=\"0 0 {w:.0} {h:.0}\" font-family=\"sans-serif\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#FFFFFF\"/>\n{}</svg>\n",
            self.body
        )
    }
}
