export { type CatalogueEntry, dataCatalogue } from './catalogue.node.ts'
export type { DownloadOptions, DownloadProgress } from './download.node.ts'
export {
  CIFAR10_MIRRORS,
  type FetchCifar10Options,
  type FetchedFile,
  type FetchOptions,
  type FetchResult,
  fetchCifar10,
  fetchMnist,
  MNIST_MIRRORS,
} from './fetch.node.ts'
export type { LocatedDataset, LocateOptions } from './locate.node.ts'
export { DATASET_NAMES, type DatasetName, openDataset } from './open.node.ts'
