export {
  type Cifar10Batch,
  type Cifar100Batch,
  readCifar10Batch,
  readCifar100Batch,
} from './cifar-binary.ts'
export { bf16ToF32, f16BitsToF32, f16ToF32, f32ToF16, f32ToF16Bits } from './float16.ts'
export { gunzip, isGzip } from './gzip.ts'
export { readIdx } from './idx.ts'
export { readNpy, writeNpy } from './npy.ts'
export { readNpz, writeNpz } from './npz.ts'
export { readPng, writePng } from './png.ts'
export type { PngImage } from './png-pixels.ts'
export { type PytorchFile, readPytorch, type Skipped } from './pytorch/index.ts'
export { readSafetensors, type SafetensorsFile, writeSafetensors } from './safetensors.ts'
