/** What the benchmarks print alike. */
import { availableParallelism, cpus } from 'node:os'
import type { PairedTimes } from './pairs.ts'

/** What a benchmark found, for programs and for people. */
export interface BenchReport {
  readonly value: object
  readonly text: string
}

/** Median, and smallest to largest; 1 for what the others are compared with. */
export function ratioCells(ratio: PairedTimes['ratio'] | undefined): readonly [string, string] {
  if (ratio === undefined) return ['1', '']
  return [`${ratio.median.toFixed(2)}×`, `${ratio.min.toFixed(2)} – ${ratio.max.toFixed(2)}`]
}

export function describeMachine(): string {
  return `${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${availableParallelism()} cores, Node ${process.versions.node}`
}
