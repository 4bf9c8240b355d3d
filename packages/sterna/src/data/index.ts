export { type Augmentation, type AugmentationName, augmentationNamed, augmentations } from './augmentation.ts'
export { assembleCifar10, type Cifar10Part, readCifar10Part } from './cifar10.ts'
export {
  type Dataset,
  type ImageShape,
  type ImageView,
  type LabelledImages,
  type Split,
  viewAll,
} from './dataset.ts'
export { digestBytes } from './digest.ts'
export { createGlyphs, type GlyphsOptions } from './glyphs/index.ts'
export type { NamedBytes } from './labelled-images.ts'
export { type Batch, createLoader, type Loader, type LoaderOptions, type LoaderPosition } from './loader.ts'
export { type MnistRole, readMnist } from './mnist.ts'
export {
  type Normalization,
  normalizationPresets,
  normalizationTable,
  overrideNormalization,
  parseChannelValues,
  spreadNormalization,
} from './normalization.ts'
export { sampleImages } from './sample.ts'
export { type DatasetSplit, type SplitOptions, splitDataset } from './split.ts'
