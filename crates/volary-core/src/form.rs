//! The forms that people draw on an image, and the numbers that place each of them.
//!
//! One order of parameters for everybody who clusters, stores or draws marks. Lengths are natural
//! pixels, angles degrees. A rectangle stands at its **centre**; only the tables of
//! `panoptes_aggregation` put it at its top-left corner.

/// What a number of a form is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ParameterKind {
    /// A place or a length, px.
    Length,
    /// A direction: the same again after this many degrees.
    Angle(f64),
    /// A time, as the video tool gives it.
    Time,
}

/// A form. Outlines (polygons, freehand lines, Bézier chains) have points instead of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// `x, y`.
    Point,
    /// `x1, y1, x2, y2`; the order of the ends means nothing.
    Line,
    /// `x, y` of the centre, `width, height`.
    Rectangle,
    /// As a rectangle, and the `angle` about its centre; a half turn changes nothing.
    RotatedRectangle,
    /// `x, y, r`.
    Circle,
    /// `x, y, rx, ry, angle`; a half turn changes nothing.
    Ellipse,
    /// Equilateral: `x, y, r, angle`; a third of a turn changes nothing.
    Triangle,
    /// `x, y, radius, spread, rotation`.
    Fan,
    /// `x` of the centre, `width`.
    Column,
    /// `y`.
    FullWidthLine,
    /// `x`.
    FullHeightLine,
    /// `x, y`, and the time within a video.
    TemporalPoint,
    /// As a rotated rectangle, and the time within a video.
    TemporalRotatedRectangle,
    /// A closed outline.
    Outline,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Point,
        Self::Line,
        Self::Rectangle,
        Self::RotatedRectangle,
        Self::Circle,
        Self::Ellipse,
        Self::Triangle,
        Self::Fan,
        Self::Column,
        Self::FullWidthLine,
        Self::FullHeightLine,
        Self::TemporalPoint,
        Self::TemporalRotatedRectangle,
        Self::Outline,
    ];

    /// Its name, which is the platform's name of its tool.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Point => "point",
            Self::Line => "line",
            Self::Rectangle => "rectangle",
            Self::RotatedRectangle => "rotateRectangle",
            Self::Circle => "circle",
            Self::Ellipse => "ellipse",
            Self::Triangle => "triangle",
            Self::Fan => "fan",
            Self::Column => "column",
            Self::FullWidthLine => "fullWidthLine",
            Self::FullHeightLine => "fullHeightLine",
            Self::TemporalPoint => "temporalPoint",
            Self::TemporalRotatedRectangle => "temporalRotateRectangle",
            Self::Outline => "outline",
        }
    }

    /// The form that a tool of the platform draws; several tools draw outlines.
    #[must_use]
    pub fn of_tool(name: &str) -> Option<Self> {
        match name {
            "polygon"
            | "freehandLine"
            | "freehandShape"
            | "freehandSegmentLine"
            | "freehandSegmentShape"
            | "bezier" => Some(Self::Outline),
            "transcriptionLine" => Some(Self::Line),
            name => Self::ALL.into_iter().find(|form| form.as_str() == name),
        }
    }

    /// The columns of its parameters in our tables, in order.
    #[must_use]
    pub fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Point => &["x_px", "y_px"],
            Self::Line => &["x1_px", "y1_px", "x2_px", "y2_px"],
            Self::Rectangle => &["x_px", "y_px", "width_px", "height_px"],
            Self::RotatedRectangle => &["x_px", "y_px", "width_px", "height_px", "angle_deg"],
            Self::Circle => &["x_px", "y_px", "r_px"],
            Self::Ellipse => &["x_px", "y_px", "rx_px", "ry_px", "angle_deg"],
            Self::Triangle => &["x_px", "y_px", "r_px", "angle_deg"],
            Self::Fan => &["x_px", "y_px", "r_px", "spread_deg", "angle_deg"],
            Self::Column => &["x_px", "width_px"],
            Self::FullWidthLine => &["y_px"],
            Self::FullHeightLine => &["x_px"],
            Self::TemporalPoint => &["x_px", "y_px", "time"],
            Self::TemporalRotatedRectangle => {
                &["x_px", "y_px", "width_px", "height_px", "angle_deg", "time"]
            }
            Self::Outline => &[],
        }
    }

    /// What the parameter at a position is.
    #[must_use]
    pub fn kind(self, parameter: usize) -> ParameterKind {
        match (self, self.parameters().get(parameter).copied().unwrap_or_default()) {
            (_, "time") => ParameterKind::Time,
            // How wide a fan is open is an amount, not a direction.
            (_, "spread_deg") => ParameterKind::Length,
            (Self::Triangle, "angle_deg") => ParameterKind::Angle(120.0),
            (Self::Fan, "angle_deg") => ParameterKind::Angle(360.0),
            (_, "angle_deg") => ParameterKind::Angle(180.0),
            _ => ParameterKind::Length,
        }
    }

    /// Whether it covers an area, so that two of them can overlap.
    #[must_use]
    pub fn has_area(self) -> bool {
        !matches!(
            self,
            Self::Point
                | Self::Line
                | Self::Fan
                | Self::FullWidthLine
                | Self::FullHeightLine
                | Self::TemporalPoint
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_parameters_go_together() {
        for form in Form::ALL {
            assert_eq!(Form::of_tool(form.as_str()), Some(form));
            let angles = (0..form.parameters().len())
                .filter(|&p| matches!(form.kind(p), ParameterKind::Angle(_)))
                .count();
            let turns = matches!(
                form,
                Form::RotatedRectangle
                    | Form::Ellipse
                    | Form::Triangle
                    | Form::Fan
                    | Form::TemporalRotatedRectangle
            );
            assert_eq!(angles, usize::from(turns), "{form:?}");
        }
        assert_eq!(Form::of_tool("freehandLine"), Some(Form::Outline));
        assert_eq!(Form::of_tool("graph2dRangeX"), None);
    }
}
