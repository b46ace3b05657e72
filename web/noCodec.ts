/** In place of the codecs of Zarr, 1.4 MB of WebAssembly that Niivue brings along and NIfTI has no use for. */
export default undefined;
