//! Weights by name: out of a network, into it, into a safetensors file and back.
//!
//! Names are the paths of the layers (`encoder.blocks.0.weight`), shapes and the order of the numbers are
//! PyTorch's, so that `safetensors.torch.load_file` reads what is written here. A file appears whole or not
//! at all, and the same weights give the same bytes.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::path::Path;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::error::VisionError;

/// Numbers with a shape.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Values {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// Numbers by name.
pub(crate) type Tensors = BTreeMap<String, Values>;

/// The key of the one entry of a file's metadata. One, because the format keeps them in a hash map and
/// writes them in its order.
const METADATA: &str = "volary";

/// The path of a parameter while a network is walked through.
#[derive(Default)]
pub(crate) struct Names {
    path: Vec<String>,
}

impl Names {
    pub(crate) fn enter(&mut self, name: &str) {
        self.path.push(name.to_owned());
    }

    pub(crate) fn leave(&mut self) {
        self.path.pop();
    }

    pub(crate) fn here(&self) -> String {
        self.path.join(".")
    }
}

/// All weights of a network, each name with `prefix` before it.
pub(crate) fn take<M: Module>(network: &M, prefix: &str) -> Tensors {
    struct Taker<'a> {
        names: Names,
        prefix: &'a str,
        tensors: Tensors,
    }
    impl ModuleVisitor for Taker<'_> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.names.enter(name);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.names.leave();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let name = format!("{}{}", self.prefix, self.names.here());
            self.tensors.insert(name, values(param.val()));
        }
    }
    let mut taker = Taker { names: Names::default(), prefix, tensors: Tensors::new() };
    network.visit(&mut taker);
    taker.tensors
}

/// Puts weights into a network whose names have `prefix` before them in `tensors`; `path` is where they come
/// from.
///
/// # Errors
///
/// [`VisionError::Model`] where one is missing or has another shape; the network is gone then.
pub(crate) fn put<M: Module>(
    network: M,
    tensors: &Tensors,
    prefix: &str,
    path: &Path,
) -> Result<M, VisionError> {
    struct Putter<'a> {
        names: Names,
        prefix: &'a str,
        tensors: &'a Tensors,
        problem: Option<String>,
    }
    impl ModuleMapper for Putter<'_> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.names.enter(name);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.names.leave();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let name = format!("{}{}", self.prefix, self.names.here());
            let shape = param.lazy_shape().to_vec();
            match self.tensors.get(&name) {
                Some(found) if found.shape == shape => param.map(|old| {
                    let wants_gradient = old.is_require_grad();
                    let data = TensorData::new(found.values.clone(), found.shape.clone());
                    Tensor::from_data(data, &old.device()).set_require_grad(wants_gradient)
                }),
                found => {
                    let problem = match found {
                        Some(found) => {
                            format!(
                                "the weights {name} have the shape {:?} and not {shape:?}",
                                found.shape
                            )
                        }
                        None => format!("the weights {name} are missing"),
                    };
                    self.problem.get_or_insert(problem);
                    param
                }
            }
        }
    }
    let mut putter = Putter { names: Names::default(), prefix, tensors, problem: None };
    let network = network.map(&mut putter);
    match putter.problem {
        None => Ok(network),
        Some(problem) => Err(VisionError::model(path, problem, REBUILD)),
    }
}

/// The numbers of a tensor.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Values {
    let data = tensor.into_data();
    Values { shape: data.shape().to_vec(), values: data.iter::<f32>().collect() }
}

/// The values of scalars, with or without gradients, with one wait for the device.
pub(crate) fn scalars<const N: usize>(scalars: [Tensor<1>; N]) -> Vec<f64> {
    let plain = scalars.map(|t| if t.device().is_autodiff() { t.inner() } else { t }).to_vec();
    values(Tensor::cat(plain, 0)).values.into_iter().map(f64::from).collect()
}

const REBUILD: &str = "take the model folder whole from where it was trained, or train again";

/// Writes weights with a text beside them.
///
/// # Errors
///
/// [`VisionError::Io`] where the file cannot be written.
pub(crate) fn write(path: &Path, tensors: &Tensors, metadata: String) -> Result<(), VisionError> {
    let bytes: Vec<(&String, &Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, t)| {
            (name, &t.shape, t.values.iter().flat_map(|value| value.to_le_bytes()).collect())
        })
        .collect();
    let views: Vec<(&String, TensorView<'_>)> = bytes
        .iter()
        .map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, (*shape).clone(), bytes);
            (*name, view.expect("a tensor has as many numbers as its shape says"))
        })
        .collect();
    let metadata = HashMap::from([(METADATA.to_owned(), metadata)]);
    let file = safetensors::serialize(views, Some(metadata))
        .map_err(|e| VisionError::io("writing", path, std::io::Error::other(e.to_string())))?;
    write_whole(path, &file)
}

/// Reads weights and the text beside them.
///
/// # Errors
///
/// [`VisionError::Io`] where the file cannot be read, [`VisionError::Model`] where it is cut off or holds
/// something else.
pub(crate) fn read(path: &Path) -> Result<(Tensors, String), VisionError> {
    let file = std::fs::read(path).map_err(|e| VisionError::io("reading", path, e))?;
    let broken = |problem: String| VisionError::model(path, problem, REBUILD);
    let no_weights = |e: safetensors::SafeTensorError| broken(format!("not a file of weights ({e})"));
    let (_, header) = SafeTensors::read_metadata(&file).map_err(no_weights)?;
    let metadata = header.metadata().as_ref().and_then(|m| m.get(METADATA)).cloned().unwrap_or_default();
    let mut tensors = Tensors::new();
    for (name, view) in SafeTensors::deserialize(&file).map_err(no_weights)?.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(broken(format!("the weights {name} are {:?} and not F32", view.dtype())));
        }
        let (numbers, _) = view.data().as_chunks::<4>();
        let values = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        tensors.insert(name.to_owned(), Values { shape: view.shape().to_vec(), values });
    }
    Ok((tensors, metadata))
}

/// Writes a file beside its place, then renames it: killed at any moment, the old file or the new one is
/// there, and never half of one.
///
/// # Errors
///
/// [`VisionError::Io`] where the file cannot be written.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), VisionError> {
    let error = |e| VisionError::io("writing", path, e);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(error)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".volary-").suffix(".part");
    // A temporary file is private by default; a result should be as readable as any other file.
    #[cfg(unix)]
    let builder = {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666))
    };
    let mut file = builder.tempfile_in(folder).map_err(error)?;
    file.write_all(bytes).map_err(error)?;
    file.as_file().sync_all().map_err(error)?;
    file.persist(path).map_err(|e| error(e.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensors() -> Tensors {
        let values = Values { shape: vec![2, 2], values: vec![0.1, -0.2, f32::MIN_POSITIVE, 4.0] };
        Tensors::from([("b.weight".to_owned(), values.clone()), ("a".to_owned(), values)])
    }

    #[test]
    fn weights_come_back_bit_by_bit_and_twice_as_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["one", "two"].map(|name| folder.path().join(name));
        for path in [&first, &second] {
            write(path, &tensors(), "{\"epoch\": 3}".to_owned()).unwrap();
        }
        assert_eq!(read(&first).unwrap(), (tensors(), "{\"epoch\": 3}".to_owned()));
        assert_eq!(std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_that_is_cut_off_at_any_byte_is_an_error_and_no_panic() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        write(&path, &tensors(), String::new()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for n in 0..whole.len() {
            std::fs::write(&path, &whole[..n]).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.ends_with("or train again"), "{error}");
        }
    }
}
