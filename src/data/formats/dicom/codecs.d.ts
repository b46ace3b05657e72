/** The Emscripten builds ship no types; these are the parts in use. */
declare module '@cornerstonejs/codec-charls/decodewasmjs' {
  const load: import('./wasmCodec.js').LoadCodec<'JpegLSDecoder'>;
  export default load;
}
declare module '@cornerstonejs/codec-openjpeg/decodewasmjs' {
  const load: import('./wasmCodec.js').LoadCodec<'J2KDecoder'>;
  export default load;
}
declare module '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs' {
  const load: import('./wasmCodec.js').LoadCodec<'JPEGDecoder'>;
  export default load;
}
