export {
  type CodingFigures,
  type CodingReport,
  type LayerCodings,
  reportCodings,
} from './coding-report.ts'
export { codingText } from './coding-tables.ts'
export { type ComparedRun, type Comparison, type MethodSummary, summarizeMethods } from './comparison.ts'
export { comparisonPage } from './comparison-page.ts'
export { diffText } from './diff-text.ts'
export {
  type MagnitudeRange,
  type PackedLayerReport,
  type PackedReport,
  reportPacked,
} from './packed-report.ts'
export { type ComparisonRow, comparisonTable, inspectText, packTable } from './packed-tables.ts'
export { type Column, textPairs, textTable, textWidth } from './text-table.ts'
export {
  formatBytes,
  formatCount,
  formatDuration,
  formatPercent,
  formatSize,
  formatTimes,
} from './units.ts'
