/** Sterna in Node: all of `sterna`, and what needs files, threads or downloads. */
export {
  dataCatalogue,
  type FetchResult,
  fetchCifar10,
  fetchMnist,
  openDataset,
} from './data/index.node.ts'
export { createEngine, type EngineOptions } from './engine/index.node.ts'
export * from './index.ts'
export {
  type LoadedRun,
  loadRun,
  type RunConfig,
  type RunSummary,
  readRunConfig,
  resumeRun,
  trainRun,
} from './train/index.node.ts'
