export { removeDeadChannels, type WithoutDeadChannels } from './dead-channels.ts'
export { dropIdentities } from './drop-identities.ts'
export { type FoldedBatchNorm, foldBatchNorm } from './fold-batch-norm.ts'
export { transposeWeights } from './transpose-weights.ts'
