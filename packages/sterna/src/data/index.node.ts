export { dataCatalogue } from './catalogue.node.ts'
export type { DownloadProgress } from './download.node.ts'
export { type FetchResult, fetchCifar10, fetchMnist } from './fetch.node.ts'
export { openDataset } from './open.node.ts'
