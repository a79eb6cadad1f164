//! Width and height of an image file, from its first bytes: PNG, JPEG, GIF. Pixels are not decoded.

/// What an image is, as a browser names it, and its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageHead {
    /// `image/png`…
    pub media_type: &'static str,
    /// px.
    pub width: u32,
    /// px.
    pub height: u32,
}

/// Reads the head of an image; `None` where the bytes are no PNG, JPEG or GIF, or say no size.
#[must_use]
pub fn image_head(bytes: &[u8]) -> Option<ImageHead> {
    let (media_type, width, height) = if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        let size = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
        ("image/png", size(16)?, size(20)?)
    } else if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        let size = |at: usize| bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes);
        ("image/gif", size(6)?.into(), size(8)?.into())
    } else if bytes.starts_with(b"\xff\xd8") {
        let (width, height) = jpeg_size(bytes)?;
        ("image/jpeg", width.into(), height.into())
    } else {
        return None;
    };
    (width > 0 && height > 0).then_some(ImageHead { media_type, width, height })
}

/// Walks the segments to the frame header.
fn jpeg_size(bytes: &[u8]) -> Option<(u16, u16)> {
    let short = |at: usize| bytes.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes);
    let mut at = 2;
    loop {
        let &[0xff, marker] = bytes.get(at..at + 2)? else { return None };
        match marker {
            // Fill bytes, and markers that stand alone.
            0xff => at += 1,
            0x01 | 0xd0..=0xd8 => at += 2,
            // Frame headers; c4, c8 and cc are tables.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                return Some((short(at + 7)?, short(at + 5)?));
            }
            _ => at += 2 + usize::from(short(at + 2)?.max(2)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn heads_of_three_formats() {
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        png.extend([0, 0, 2, 0, 0, 0, 0, 100, 8, 2]);
        let head = |media_type, width, height| Some(ImageHead { media_type, width, height });
        assert_eq!(image_head(&png), head("image/png", 512, 100));
        assert_eq!(image_head(b"GIF89a\x0a\0\x14\0"), head("image/gif", 10, 20));
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc2\0\x11\x08\0\x64\0\xc8";
        assert_eq!(image_head(jpeg), head("image/jpeg", 200, 100));
        assert_eq!(image_head(b"GIF89a\0\0\0\0"), None);
        assert_eq!(image_head(b"hello"), None);
    }

    proptest! {
        #[test]
        fn odd_bytes_are_no_image(start in 0..4_usize, rest in proptest::collection::vec(any::<u8>(), 0..60)) {
            let start: &[u8] = [&b""[..], b"\xff\xd8", b"GIF87a", b"\x89PNG\r\n\x1a\n"][start];
            let _ = image_head(&[start, &rest].concat());
        }
    }
}
