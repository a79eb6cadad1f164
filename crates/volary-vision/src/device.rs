//! Where a network runs: the processor, or a graphics card where this build knows one.

use burn::tensor::Device as BurnDevice;

use crate::error::VisionError;

/// A place to run a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// A graphics card, by Vulkan, Metal or DirectX; only in a build with the Cargo feature `gpu`.
    Gpu,
}

impl Device {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Cpu, Self::Gpu];

    /// The name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
        }
    }

    /// The device of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|device| device.as_str() == name)
    }

    /// The device as Burn knows it.
    pub(crate) fn open(self) -> Result<BurnDevice, VisionError> {
        match self {
            Self::Cpu => Ok(BurnDevice::flex()),
            Self::Gpu => gpu(),
        }
    }
}

#[cfg(not(feature = "gpu"))]
fn gpu() -> Result<BurnDevice, VisionError> {
    Err(VisionError::Device(
        "this volary was built for the processor only; build it with `--features gpu`, or give --device cpu"
            .to_owned(),
    ))
}

#[cfg(feature = "gpu")]
fn gpu() -> Result<BurnDevice, VisionError> {
    // The driver is asked for on first use and a missing one is a panic there: it is caught here, once,
    // by a sum whose answer is known.
    let asked = std::panic::catch_unwind(|| {
        let device = BurnDevice::wgpu(burn::tensor::DeviceKind::DefaultDevice);
        let two = burn::tensor::Tensor::<1>::from_floats([1.0, 1.0], &device).sum();
        (two.into_data().iter::<f32>().next() == Some(2.0)).then_some(device)
    });
    asked.ok().flatten().ok_or_else(|| {
        VisionError::Device(
            "no graphics card answers by Vulkan, Metal or DirectX; install its driver, or give --device cpu"
                .to_owned(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::Device;

    #[test]
    fn devices_have_names() {
        for device in Device::ALL {
            assert_eq!(Device::parse(device.as_str()), Some(device));
        }
        assert_eq!(Device::parse("tpu"), None);
    }

    #[cfg(not(feature = "gpu"))]
    #[test]
    fn a_graphics_card_that_this_build_does_not_know_is_one_clear_error() {
        let error = Device::Gpu.open().unwrap_err().to_string();
        assert!(error.ends_with("build it with `--features gpu`, or give --device cpu"), "{error}");
    }
}
