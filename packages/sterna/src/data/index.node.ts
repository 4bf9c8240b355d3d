export type { LocatedDataset, LocateOptions } from './locate.node.ts'
export { DATASET_NAMES, type DatasetName, openDataset } from './open.node.ts'
