export {
  type LoadedRun,
  loadRun,
  RUN_FORMAT_VERSION,
  type RunConfig,
  type RunSummary,
  readRunConfig,
  readRunSummary,
  resumeRun,
  trainRun,
} from './run-directory.node.ts'
