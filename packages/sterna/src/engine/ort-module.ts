/** ONNX Runtime, as its packages for Node and for browsers offer it alike; which one is its user's choice. */
import type * as ort from 'onnxruntime-node'

export type OrtModule = Pick<typeof ort, 'InferenceSession' | 'Tensor'>
