import { AnatomyError } from '../../errors.js';

/** A network cannot be written as ONNX. */
export class OnnxError extends AnatomyError {}
