//! Colours for numbers: viridis for values, inferno for attention, as in matplotlib 3.11 (both even in what the
//! eye sees, and readable without colour).

/// A colour, red, green and blue.
pub(super) type Rgb = [u8; 3];

/// What is not known.
pub(super) const UNKNOWN: Rgb = [0xc8, 0xcc, 0xd2];

const VIRIDIS: [u32; 33] = [
    0x440154, 0x470d60, 0x48186a, 0x482374, 0x472d7b, 0x453681, 0x424086, 0x3f4989, 0x3b528b, 0x375a8d,
    0x33638d, 0x2f6a8e, 0x2c728e, 0x297a8e, 0x26818e, 0x23898e, 0x21908c, 0x1f988b, 0x1f9f88, 0x21a685,
    0x28ae80, 0x31b57b, 0x3ebc74, 0x4cc26c, 0x5dc963, 0x6ece58, 0x82d34c, 0x96d83f, 0xabdc32, 0xc0df24,
    0xd5e21a, 0xeae51a, 0xfde725,
];
const INFERNO: [u32; 33] = [
    0x000004, 0x040312, 0x0b0724, 0x150b37, 0x210c4a, 0x2e0a5a, 0x3c0965, 0x4a0c6b, 0x57106d, 0x63146e,
    0x70196e, 0x7d1e6d, 0x89226a, 0x962766, 0xa32b61, 0xaf315c, 0xbb3755, 0xc63e4d, 0xd14644, 0xdb4f3b,
    0xe35932, 0xeb6528, 0xf1711e, 0xf67f14, 0xf98d0a, 0xfb9c06, 0xfcab0f, 0xfbba1f, 0xf9ca32, 0xf5d949,
    0xf2e865, 0xf3f586, 0xfcffa4,
];

/// The colour of a value between 0 and 1; what is no number is grey.
pub(super) fn viridis(value: f64) -> Rgb {
    between(&VIRIDIS, value)
}

/// The same for attention.
pub(super) fn inferno(value: f64) -> Rgb {
    between(&INFERNO, value)
}

fn between(table: &[u32; 33], value: f64) -> Rgb {
    if value.is_nan() {
        return UNKNOWN;
    }
    let place = value.clamp(0.0, 1.0) * 32.0;
    let at = (place as usize).min(31);
    let part = place - at as f64;
    std::array::from_fn(|c| {
        let channel = |i: usize| f64::from(table[i] >> (16 - 8 * c) & 0xff);
        (channel(at) + part * (channel(at + 1) - channel(at))).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries 0, 100, 200 and 255 of matplotlib's tables of 256.
    #[test]
    fn colours_are_those_of_matplotlib() {
        let viridis_there = [
            (0.0, [68, 1, 84]),
            (100.0, [42, 118, 142]),
            (200.0, [112, 207, 87]),
            (255.0, [253, 231, 37]),
        ];
        let inferno_there = [
            (0.0, [0, 0, 4]),
            (100.0, [144, 37, 104]),
            (200.0, [251, 157, 7]),
            (255.0, [252, 255, 164]),
        ];
        for (i, there) in viridis_there {
            assert!(
                viridis(i / 255.0).iter().zip(there).all(|(a, b): (&u8, u8)| a.abs_diff(b) <= 2),
                "{i}"
            );
        }
        for (i, there) in inferno_there {
            assert!(
                inferno(i / 255.0).iter().zip(there).all(|(a, b): (&u8, u8)| a.abs_diff(b) <= 2),
                "{i}"
            );
        }
        assert_eq!(viridis(f64::NAN), UNKNOWN);
        assert_eq!((viridis(-1.0), viridis(7.0)), (viridis(0.0), viridis(1.0)));
    }
}
